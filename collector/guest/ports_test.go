package guest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

const ssHeading = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"

// What ss said on a real machine, with and without root.
const ssRoot = ssHeading +
	`udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=301,fd=13)) uid:101 ino:2035 sk:1 cgroup:/system.slice/systemd-resolved.service <->
udp   UNCONN 0      0            0.0.0.0:41234      0.0.0.0:*    users:(("dig",pid=999,fd=3)) uid:1000 ino:2036 sk:2 cgroup:/ <->
udp   UNCONN 0      0            0.0.0.0:51820      0.0.0.0:*    ino:2037 sk:3 cgroup:unreachable:1 <->
udp   UNCONN 0      0      [fe80::1]%eth0:546             *:*    users:(("systemd-network",pid=300,fd=20)) uid:998 ino:2038 sk:4 cgroup:/ v6only:1 <->
tcp   LISTEN 0      1          127.0.0.1:8080       0.0.0.0:*    users:(("nginx",pid=7,fd=6),("nginx",pid=6,fd=6)) uid:33 ino:954586 sk:1094 cgroup:/ <->
tcp   LISTEN 0      1          127.0.0.1:8080       0.0.0.0:*    users:(("haproxy",pid=8,fd=6)) uid:33 ino:954587 sk:1095 cgroup:/ <->
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=57,fd=3),("systemd",pid=1,fd=50)) ino:25955 sk:1001 cgroup:/ <->
tcp   LISTEN 0      4096               *:9090             *:*    users:(("prometheus",pid=912,fd=7)) uid:112 ino:91 sk:2003 cgroup:/ v6only:0 <->
tcp   LISTEN 0      128             [::]:22            [::]:*    users:(("sshd",pid=57,fd=4)) ino:25957 sk:1002 cgroup:/ v6only:1 <->
`

func portsText(t *testing.T, body string, root bool) (string, []string) {
	t.Helper()
	sockets, err := parseSS([]byte(body), root)
	if err != nil {
		return "error: " + err.Error(), nil
	}
	s, missing, err := portsState(sockets, map[string]string{"0": "root", "33": "www-data", "101": "resolve"}, 32768, 60999)
	if err != nil {
		t.Fatal(err)
	}
	checkState(t, s, err)
	return s.Text(), missing
}

func TestSSAsRoot(t *testing.T) {
	const want = `tcp/0.0.0.0:22	dual_stack=no	ephemeral=no	process=systemd	user=root
tcp/127.0.0.1:8080	dual_stack=no	ephemeral=no	process=haproxy,nginx	user=www-data
tcp/[::]:22	dual_stack=no	ephemeral=no	process=sshd	user=root
tcp/[::]:9090	dual_stack=yes	ephemeral=no	process=prometheus	user=112
udp/0.0.0.0:41234	dual_stack=no	ephemeral=yes
udp/0.0.0.0:51820	dual_stack=no	ephemeral=yes
udp/127.0.0.53%lo:53	dual_stack=no	ephemeral=no	process=systemd-resolve	user=resolve
udp/[fe80::1]%eth0:546	dual_stack=no	ephemeral=no	process=systemd-network	user=998
`
	if got, missing := portsText(t, ssRoot, true); got != want || missing != nil {
		t.Errorf("missing %v, got\n%s", missing, got)
	}
}

func TestSSWithoutRootKnowsOnlyItsOwnProcesses(t *testing.T) {
	const in = ssHeading +
		"tcp   LISTEN 0      128  0.0.0.0:22   0.0.0.0:*    ino:25955 sk:1001 cgroup:/system.slice/ssh.service <->\n" +
		"tcp   LISTEN 0      128  0.0.0.0:8000 0.0.0.0:*    users:((\"python3\",pid=5,fd=3)) uid:1000 ino:7 sk:2 <->\n"
	const want = "tcp/0.0.0.0:22\tdual_stack=no\tephemeral=no\tuser=root\n" +
		"tcp/0.0.0.0:8000\tdual_stack=no\tephemeral=no\tprocess=python3\tuser=1000\n"
	if got, missing := portsText(t, in, false); got != want || fmt.Sprint(missing) != "[process]" {
		t.Errorf("missing %v, got\n%s", missing, got)
	}
}

func TestASocketOfTheKernelHasNoProcess(t *testing.T) {
	const in = "udp   UNCONN 0      0            0.0.0.0:2049      0.0.0.0:*    ino:2037 sk:3 cgroup:unreachable:1 <->\n"
	const want = "udp/0.0.0.0:2049\tdual_stack=no\tephemeral=no\tprocess=\tuser=root\n"
	if got, missing := portsText(t, in, true); got != want || missing != nil {
		t.Errorf("missing %v, got\n%s", missing, got)
	}
}

func TestAnOldSSWritesAddressesInAnotherWay(t *testing.T) {
	const in = "Netid State      Recv-Q Send-Q Local Address:Port               Peer Address:Port\n" +
		"tcp    LISTEN     0      128         *:22                     *:*                   users:((\"sshd\",pid=1,fd=3)) ino:15 sk:ff <->\n" +
		"tcp    LISTEN     0      128        :::22                    :::*                   users:((\"sshd\",pid=1,fd=4)) ino:16 sk:fe <->\n" +
		"udp    UNCONN     0      0         ::1:323                   :::*                   ino:17 sk:fd <->\n"
	got, _ := portsText(t, in, true)
	const want = "tcp/0.0.0.0:22\tdual_stack=no\tephemeral=no\tprocess=sshd\tuser=root\n" +
		"tcp/[::]:22\tephemeral=no\tprocess=sshd\tuser=root\n" +
		"udp/[::1]:323\tdual_stack=no\tephemeral=no\tprocess=\tuser=root\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

// A process chooses its own name, of 15 bytes at most. Whatever it chooses, the
// other sockets stay what they are, and no socket is made up.
func TestAProcessCannotForgeASocketByItsName(t *testing.T) {
	others := []string{
		"tcp   LISTEN 0      128  0.0.0.0:22   0.0.0.0:*    users:((\"sshd\",pid=57,fd=3)) ino:1 sk:1 cgroup:/ <->\n",
		"tcp   LISTEN 0      128  0.0.0.0:25   0.0.0.0:*    users:((\"master\",pid=58,fd=3)) ino:2 sk:2 cgroup:/ <->\n",
	}
	wantOthers := []string{
		"tcp/0.0.0.0:22\tdual_stack=no\tephemeral=no\tprocess=sshd\tuser=root\n",
		"tcp/0.0.0.0:25\tdual_stack=no\tephemeral=no\tprocess=master\tuser=root\n",
	}
	for _, name := range []string{
		"\n", "a\nb", "\ntcp LISTEN 0 ", "\nudp UNCONN 0 0", `",pid=1,fd=1),(`, `x",pid=1,fd=1))`, `",pid=1,fd=1)) `, `"`, ")", "))", "\x00", "\xff\xfe", "x\r",
		`")) uid:0 ino:5`, " ", "\t", "\nNetid", "\n\n\n",
	} {
		if len(name) > 15 {
			t.Fatalf("%q is longer than a process may be named", name)
		}
		mine := "tcp   LISTEN 0      128  0.0.0.0:666   0.0.0.0:*    users:((\"" + name + "\",pid=1234,fd=3),(\"" + name + "\",pid=1235,fd=3)) uid:1000 ino:3 sk:3 cgroup:/ <->\n"
		got, _ := portsText(t, ssHeading+others[0]+mine+others[1], true)
		if strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, wantOthers[0]+wantOthers[1]) {
			t.Errorf("%q: got\n%s", name, got)
		}
		_, my, _ := strings.Cut(got, "tcp/0.0.0.0:666\t")
		if strings.Contains(my, "user=root") || strings.Contains(my, "process=x\t") || strings.Contains(my, "process=\t") {
			t.Errorf("%q: it passes for another: %s", name, my)
		}
	}
}

func TestSSRefusesWhatItDoesNotSay(t *testing.T) {
	for _, bad := range []string{"rubbish\n", "tcp LISTEN x 128 0.0.0.0:22 0.0.0.0:*\n", "tcp LISTEN 0 128 0.0.0.0:99999 0.0.0.0:*\n"} {
		if got, _ := portsText(t, ssHeading+bad, true); !strings.HasPrefix(got, "error") {
			t.Errorf("%q: got\n%s", bad, got)
		}
	}
	if got, _ := portsText(t, ssHeading, true); got != "" {
		t.Errorf("no sockets are\n%s", got)
	}
}

// The kernel's own tables, and who holds what, on the same kind of machine.
const procNet = `/proc/net/tcp:  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
/proc/net/tcp:   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 954586 1 00000000f4d19346 100 0 0 10 0
/proc/net/tcp:   1: 00000000:08AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 954606 1 0000000062dcb273 100 0 0 10 0
/proc/net/tcp6:  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
/proc/net/tcp6:   0: 00000000000000000000000000000000:2328 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 953228 1 0000000067089ae1 100 0 0 10 0
/proc/net/udp:   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
/proc/net/udp6:  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
/proc/net/udp6: 12: 000080FE000000000000000001000000:0222 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 1812 2 0000000048904777 0
`

func TestKernelTables(t *testing.T) {
	holders := parseHolders([]byte("/proc/57/fd/:\nlrwx------ 1 root root 64 Nov 23 17:00 3 -> socket:[954606]\n/proc/58/fd/:\nlrwx------ 1 root root 64 Nov 23 17:00 6 -> socket:[954586]\nlrwx------ 1 root root 64 Nov 23 17:00 7 -> socket:[5]\n"),
		[]byte("/proc/57/comm:sshd\n/proc/58/comm:ngi\n/proc/58/comm:nx\n"))
	sockets, err := parseProcNet([]byte(procNet), false, holders)
	if err != nil {
		t.Fatal(err)
	}
	s, missing, err := portsState(sockets, map[string]string{"0": "root"}, 32768, 60999)
	checkState(t, s, err)
	const want = `tcp/0.0.0.0:2222	dual_stack=no	ephemeral=no	process=sshd	user=root
tcp/127.0.0.1:8080	dual_stack=no	ephemeral=no	process=ngi\nnx	user=33
tcp/[::]:9000	ephemeral=no	process=	user=root
udp/[fe80::1]:546	dual_stack=no	ephemeral=no	process=	user=998
`
	if s.Text() != want || fmt.Sprint(missing) != "[dual_stack]" {
		t.Errorf("missing %v, got\n%s", missing, s.Text())
	}
	if sockets, _ := parseProcNet([]byte(strings.Replace(procNet, "0100007F", "7F000001", 1)), true, nil); sockets[0].key != "tcp/127.0.0.1:8080" {
		t.Errorf("big-endian: %s", sockets[0].key)
	}
	for _, bad := range []string{"", strings.Replace(procNet, "/proc/net/udp: ", "/proc/net/xxx: ", 1), strings.Replace(procNet, "0100007F", "01007F", 1), "x" + procNet} {
		if _, err := parseProcNet([]byte(bad), false, nil); err == nil {
			t.Errorf("no error for %.60q", bad)
		}
	}
}

func TestNetstat(t *testing.T) {
	const in = `Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 127.0.0.1:8080          0.0.0.0:*               LISTEN      27217/busybox
tcp6       0      0 :::22                   :::*                    LISTEN      27239/sshd: /usr/sb
udp        0      0 0.0.0.0:68              0.0.0.0:*                           -
`
	sockets, err := parseNetstat([]byte(in), false)
	if err != nil {
		t.Fatal(err)
	}
	s, missing, err := portsState(sockets, nil, 32768, 60999)
	checkState(t, s, err)
	const want = `tcp/127.0.0.1:8080	dual_stack=no	ephemeral=no	process=busybox
tcp/[::]:22	ephemeral=no	process=sshd: /usr/sb
udp/0.0.0.0:68	dual_stack=no	ephemeral=no
`
	if s.Text() != want || fmt.Sprint(missing) != "[dual_stack process user]" {
		t.Errorf("missing %v, got\n%s", missing, s.Text())
	}
	for _, bad := range []string{"", "tcp 0 0 0.0.0.0:1 0.0.0.0:*\n", in + "tcp6 0 0 2001:db8:1234:5678:ab:443 :::* LISTEN -\n", in + "nonsense\n"} {
		if _, err := parseNetstat([]byte(bad), true); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func FuzzPorts(f *testing.F) {
	f.Add(0, []byte(ssRoot))
	f.Add(1, []byte(procNet))
	f.Add(2, []byte("Proto\ntcp 0 0 0.0.0.0:1 0.0.0.0:* LISTEN 1/a b\n"))
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		var sockets []socket
		var err error
		switch uint(which) % 3 {
		case 0:
			sockets, err = parseSS(body, which < 0)
		case 1:
			sockets, err = parseProcNet(body, which < 0, parseHolders(body, body))
		case 2:
			sockets, err = parseNetstat(body, which < 0)
		}
		if err != nil {
			return
		}
		s, _, err := portsState(sockets, nil, 100, 200)
		checkState(t, s, err)
		if err == nil && s.Facet() != inventory.Ports {
			t.Error(s.Facet())
		}
	})
}
