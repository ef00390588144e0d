package guest

import "testing"

func TestOpenRC(t *testing.T) {
	const paths = "/etc/init.d\n/etc/init.d/sshd\n/etc/init.d/nginx\n/etc/init.d/chronyd\n/etc/init.d/crond\n/etc/init.d/functions.sh\n/etc/init.d/.depend.boot\n" +
		"/etc/runlevels/default/sshd\n/etc/runlevels/default/nginx\n/etc/runlevels/boot/nginx\n/etc/runlevels/default/crond\n" +
		"/run/openrc/started/sshd\n/run/openrc/started/nginx\n/run/openrc/starting/crond\n/run/openrc/softlevel\n/run/openrc/daemons/sshd\n"
	const status = "[default]\nsshd =  started \nnginx =  crashed \n[boot]\n[Dynamic needed/wanted]\n"
	const want = `openrc/chronyd	active=stopped	enabled=
openrc/crond	active=started	enabled=default
openrc/nginx	active=crashed	enabled=boot,default
openrc/sshd	active=started	enabled=default
`
	s, err := openRCState([]byte(paths), []byte(status))
	checkState(t, s, err)
	if err != nil || s.Text() != want {
		t.Errorf("%v, got\n%s", err, s.Text())
	}
}

func TestSysV(t *testing.T) {
	const paths = "/etc/init.d\n/etc/init.d/README\n/etc/init.d/cron\n/etc/init.d/ssh\n/etc/init.d/rcS\n" +
		"/etc/rc2.d/S01cron\n/etc/rc3.d/S01cron\n/etc/rc3.d/S01cron\n/etc/rc6.d/K01cron\n/etc/rcS.d/S02ssh\n/etc/rc.d/rc5.d/S10cron\n/etc/rc2.d/README\n"
	const want = "sysv/cron\tenabled=2,3,5\nsysv/ssh\tenabled=S\n"
	s, err := sysvState([]byte(paths))
	checkState(t, s, err)
	if err != nil || s.Text() != want {
		t.Errorf("%v, got\n%s", err, s.Text())
	}
}

func FuzzInitSystems(f *testing.F) {
	f.Add([]byte("/etc/init.d/sshd\n/etc/runlevels/default/sshd\n/etc/rc2.d/S01cron\n"), []byte("sshd = started\n"))
	f.Fuzz(func(t *testing.T, paths, status []byte) {
		s, err := openRCState(paths, status)
		checkState(t, s, err)
		s, err = sysvState(paths)
		checkState(t, s, err)
	})
}
