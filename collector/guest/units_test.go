package guest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// TestEnabledIsWhatSystemctlSays holds the states that come from links and files
// against systemctl's own, for every unit of three real machines.
func TestEnabledIsWhatSystemctlSays(t *testing.T) {
	// An administrator's link to a vendor's file of the same name, and one to a file
	// elsewhere of another name: systemd 252 changed its mind about both.
	changed := map[string]string{"t-samelink.service": "linked", "t-otherlink.service": "bad"}
	for _, debian := range []string{"11", "12", "13"} {
		s, err := collect(t, canned{answer: answerOf(t, "debian"+debian+".answer")})
		if err != nil {
			t.Fatal(err)
		}
		o := observation(t, s, inventory.Services)
		if o.Status != inventory.Complete {
			t.Fatalf("Debian %s: services are %s: %s", debian, o.Status, o.Reason)
		}
		listed := make(map[string]bool)
		seen := make(map[string]int)
		for line := range strings.Lines(string(capture(t, "debian"+debian+".list-unit-files"))) {
			f := strings.Fields(line)
			name, want := inventory.Escape(f[0]), f[1]
			listed[name] = true
			it, ok := o.State.Get(name)
			got, _ := it.Field("enabled")
			switch {
			case want == "alias" || want == "transient":
				if ok && got != "alias" {
					t.Errorf("Debian %s: %s is an item", debian, name)
				}
				continue
			case !ok:
				t.Errorf("Debian %s: %s is not there", debian, name)
			case got != want && (debian != "11" || changed[name] != want):
				t.Errorf("Debian %s: %s is %s, systemctl says %s", debian, name, got, want)
			}
			seen[want]++
		}
		for _, it := range o.State.Items() {
			if !listed[it.Key()] && !strings.Contains(it.Key(), "@") {
				t.Errorf("Debian %s: %s is an item, systemctl does not list it", debian, it.Key())
			}
		}
		for _, state := range []string{
			"enabled", "enabled-runtime", "disabled", "static", "indirect", "linked", "linked-runtime",
			"masked", "masked-runtime", "generated", "bad",
		} {
			if seen[state] == 0 {
				t.Errorf("Debian %s: no unit is %s: the machine proves nothing about it", debian, state)
			}
		}
	}
}

const testUnits = `f /usr/lib/systemd/system/db.service
l /etc/systemd/system/multi-user.target.wants/db.service	/usr/lib/systemd/system/db.service
f /usr/lib/systemd/system/backup.service
f /usr/lib/systemd/system/backup.timer
l /etc/systemd/system/timers.target.wants/backup.timer	/usr/lib/systemd/system/backup.timer
f /usr/lib/systemd/system/hostnamed.service
f /usr/lib/systemd/system/ssh.service
f /usr/lib/systemd/system/ssh.socket
f /usr/lib/systemd/system/ssh@.service
l /etc/systemd/system/sockets.target.wants/ssh.socket	/usr/lib/systemd/system/ssh.socket
f /usr/lib/systemd/system/setup.service
l /usr/lib/systemd/system/sysinit.target.wants/setup.service	../setup.service
f /usr/lib/systemd/system/worker@.service
f /usr/lib/systemd/system/echo.socket
f /usr/lib/systemd/system/echo@.service
f /usr/lib/systemd/system/anacron.service
f /usr/lib/systemd/system/anacron.timer
l /etc/systemd/system/multi-user.target.wants/anacron.service	/usr/lib/systemd/system/anacron.service
l /etc/systemd/system/timers.target.wants/anacron.timer	/usr/lib/systemd/system/anacron.timer
`

const testKeys = `/usr/lib/systemd/system/db.service:[Service]
/usr/lib/systemd/system/db.service:[Install]
/usr/lib/systemd/system/db.service:WantedBy=multi-user.target
/usr/lib/systemd/system/backup.service:[Service]
/usr/lib/systemd/system/backup.service:Type=oneshot
/usr/lib/systemd/system/backup.timer:[Install]
/usr/lib/systemd/system/backup.timer:WantedBy=timers.target
/usr/lib/systemd/system/hostnamed.service:[Service]
/usr/lib/systemd/system/hostnamed.service:BusName=org.example.hostname1
/usr/lib/systemd/system/ssh.service:[Install]
/usr/lib/systemd/system/ssh.service:WantedBy=multi-user.target
/usr/lib/systemd/system/ssh.socket:[Install]
/usr/lib/systemd/system/ssh.socket:WantedBy=sockets.target
/usr/lib/systemd/system/ssh@.service:[Unit]
/usr/lib/systemd/system/setup.service:[Service]
/usr/lib/systemd/system/setup.service:Type=oneshot
/usr/lib/systemd/system/setup.service:RemainAfterExit=yes
/usr/lib/systemd/system/worker@.service:[Service]
/usr/lib/systemd/system/echo.socket:[Socket]
/usr/lib/systemd/system/echo.socket:Accept=yes
/usr/lib/systemd/system/echo@.service:[Service]
/usr/lib/systemd/system/anacron.service:[Install]
/usr/lib/systemd/system/anacron.service:WantedBy=multi-user.target
/usr/lib/systemd/system/anacron.timer:[Timer]
`

func unitsState(t *testing.T, rows ...string) *inventory.State {
	t.Helper()
	files := parseUnitFiles([]byte(testUnits))
	files.parseUnitKeys([]byte(testKeys))
	s, missing, err := systemdState(parseUnits([]byte(strings.Join(rows, "\n")+"\n")), files, true)
	if err != nil || len(missing) > 0 {
		t.Fatal(missing, err)
	}
	return s
}

func TestTheMomentOfAScanMakesNoDifference(t *testing.T) {
	for name, moments := range map[string][]string{
		"a oneshot service that a timer starts": {
			"backup.service loaded inactive dead Backup", "backup.service loaded activating start Backup",
			"backup.service loaded deactivating stop-sigterm Backup", "",
		},
		"a service on the bus": {"hostnamed.service loaded inactive dead H", "hostnamed.service loaded active running H", ""},
		"a job that a timer starts, enabled besides": {
			"anacron.service loaded inactive dead A\nanacron.timer loaded active waiting A", "anacron.service loaded active running A\nanacron.timer loaded active waiting A",
		},
		"a service behind a socket":  {"ssh.service loaded inactive dead S", "ssh.service loaded active running S", "ssh.service loaded deactivating stop S"},
		"a timer":                    {"backup.timer loaded active waiting B", "backup.timer loaded active running B", "backup.timer loaded active elapsed B"},
		"a socket":                   {"ssh.socket loaded active listening S", "ssh.socket loaded active running S"},
		"a service that reloads":     {"db.service loaded active running D", "db.service loaded reloading reload D", "db.service loaded activating start-pre D", "db.service loaded reloading reload-notify D"},
		"a boot step":                {"setup.service loaded active exited S", "setup.service loaded activating start S"},
		"a connection of its own":    {"", "echo@1-10.0.0.1:22-10.0.0.2:4242.service loaded active running E", "echo@1.service loaded failed failed E"},
		"a login":                    {"", "user@1000.service loaded active running U", "session-3.scope loaded active running S"},
		"what systemd-run starts":    {"", "run-r1234.service loaded active running R"},
		"a unit that is not there":   {"", "auditd.service not-found inactive dead A"},
		"an instance that is loaded": {"", "worker@7.service loaded inactive dead W"},
		"a description with a row":   {"db.service loaded active running D", "db.service loaded active running \x1b[31m db.service loaded failed failed"},
	} {
		want := unitsState(t, moments[0]).Text()
		for _, m := range moments[1:] {
			if got := unitsState(t, m).Text(); got != want {
				t.Errorf("%s: %q:\n%s", name, m, firstDifference(got, want))
			}
		}
	}
}

func TestWhatSomebodyDidToAServiceIsOneChange(t *testing.T) {
	before := unitsState(t, "db.service loaded active running D", "backup.service loaded inactive dead B",
		"backup.timer loaded active waiting B", "setup.service loaded active exited S")
	for name, c := range map[string]struct {
		rows []string
		key  string
		want string
	}{
		"stopped":   {[]string{"db.service loaded inactive dead D"}, "db.service", "active=inactive\tenabled=enabled\tsub=dead"},
		"unloaded":  {[]string{"x.service loaded active running X"}, "db.service", "active=inactive\tenabled=enabled\tsub=dead"},
		"failed":    {[]string{"db.service loaded failed failed D"}, "db.service", "active=failed\tenabled=enabled\tsub=failed"},
		"crashing":  {[]string{"db.service loaded activating auto-restart D"}, "db.service", "active=failed\tenabled=enabled\tsub=failed"},
		"a oneshot": {[]string{"backup.service loaded failed failed B", "db.service loaded active running D"}, "backup.service", "active=failed\tenabled=static\tsub=failed"},
		"instance":  {[]string{"worker@7.service loaded active running W", "db.service loaded active running D"}, "worker@7.service", "active=active\tenabled=static\tsub=running"},
	} {
		rows := append(c.rows, "backup.timer loaded active waiting B", "setup.service loaded active exited S")
		after := unitsState(t, rows...)
		if it, _ := after.Get(c.key); it.Encoded() != c.want {
			t.Errorf("%s: %s is %q", name, c.key, it.Encoded())
		}
		a, b := strings.Split(before.Text(), "\n"), strings.Split(after.Text(), "\n")
		if n := len(slices.DeleteFunc(b, func(l string) bool { return slices.Contains(a, l) })); n != 1 {
			t.Errorf("%s: %d lines changed", name, n)
		}
	}
}

func TestWithoutAManagerNothingIsSaidOfWhatRuns(t *testing.T) {
	files := parseUnitFiles([]byte(testUnits))
	files.parseUnitKeys([]byte(testKeys))
	s, missing, err := systemdState(nil, files, true)
	if err != nil || fmt.Sprint(missing) != "[active sub]" {
		t.Fatal(missing, err)
	}
	if it, _ := s.Get("db.service"); it.Encoded() != "enabled=enabled" {
		t.Errorf("db.service is %q", it.Encoded())
	}
}

func TestAUnitFileThatCannotBeReadIsOfUnknownEnablement(t *testing.T) {
	files := parseUnitFiles([]byte(testUnits))
	s, missing, err := systemdState(map[string]unit{}, files, false)
	if err != nil || fmt.Sprint(missing) != "[enabled]" {
		t.Fatal(missing, err)
	}
	if it, _ := s.Get("db.service"); it.Encoded() != "active=inactive\tenabled=enabled\tsub=dead" {
		t.Errorf("its link is there to see: %q", it.Encoded())
	}
	if it, _ := s.Get("hostnamed.service"); it.Encoded() != "active=inactive\tsub=dead" {
		t.Errorf("hostnamed.service is %q", it.Encoded())
	}
}

func FuzzUnits(f *testing.F) {
	f.Add("db.service loaded active running D\n", testUnits, testKeys)
	f.Add("● x.service loaded failed failed\n", "l /etc/systemd/system/x@.service\tx@.service\n", "/etc:[Install]\n")
	f.Add("", "l /etc/systemd/system/a@b.service\t/opt/a@.service\nl /etc/systemd/system/a@.service\ta@.service\n", "")
	f.Fuzz(func(t *testing.T, rows, paths, keys string) {
		files := parseUnitFiles([]byte(paths))
		files.parseUnitKeys([]byte(keys))
		s, _, err := systemdState(parseUnits([]byte(rows)), files, len(rows)%2 == 0)
		checkState(t, s, err)
	})
}
