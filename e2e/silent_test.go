//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

// Between ten scans a machine does what machines do: people log in and stay,
// jobs come and go, clients ask questions, logs grow. None of it is drift.
func TestAnUntouchedMachineIsSilent(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript}))
	life := []string{
		"true",
		"systemd-run --quiet --unit=passing-by sleep infinity",                        // a transient service
		"systemctl start user@1601.service",                                           // what a login of alice starts
		"systemctl stop user@1601.service; logger hello; touch /var/tmp/file",         // and its end
		"systemctl start fx-tick.service",                                             // a job that is over at once
		"systemctl stop passing-by; systemctl daemon-reload",                          // reads every unit again
		"systemctl reset-failed; systemctl status no-such.service >/dev/null || true", // loads a row that says not-found
		"systemd-run --quiet --scope sleep 0; journalctl --rotate",                    // a transient scope
		"systemctl daemon-reexec",                                                     // PID 1 replaces itself
		"useradd eve; userdel eve; touch /etc/passwd /etc/group",                      // there and back
	}
	first := m.scan(t, "root")
	strict := golden(t, first, baseline.NoDefaults)
	for i, script := range life {
		m.Run(t, script)
		// The other users' scans are logins too, with sessions and slices of their own.
		for _, user := range []string{"root", "admin"} {
			s := m.scan(t, user)
			check(t, script+", scanned as "+user, nil, strict.DiffAll(s.Observations))
			sameDigests(t, first, s)
		}
		if t.Failed() {
			t.Fatalf("scan %d, after %q, is not the first", i+2, script)
		}
	}
}

// Who asks is not what is there.
func TestEverybodySeesTheSameMachine(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript}))
	do, _ := listen("-4 -lk 127.0.0.1 4730", "-4 -t sport = :4730")
	m.Run(t, "chroot --userspec=bob / /bin/sh -c '"+do+"'")

	root := m.scan(t, "root")
	strict := golden(t, root, baseline.NoDefaults)

	admin := m.scan(t, "admin")
	sameDigests(t, root, admin)
	check(t, "by sudo", nil, strict.DiffAll(admin.Observations))

	plain := m.scan(t, "plain")
	check(t, "without root", nil, strict.DiffAll(plain.Observations))
	want := map[inventory.Facet][]string{inventory.Users: {"password"}, inventory.Ports: {"process", "user"}}
	for _, o := range plain.Observations {
		switch missing, known := want[o.Facet]; {
		case !known && o.Facet != inventory.OS && o.Status != inventory.Complete:
			t.Errorf("without root, %s is %s: %s", o.Facet, o.Status, o.Reason)
		case known && (o.Status != inventory.Partial || !o.ItemsComplete):
			t.Errorf("without root, %s is %s (all items: %v), want partial with all items: %s", o.Facet, o.Status, o.ItemsComplete, o.Reason)
		case known && (len(o.Missing) == 0 || !isSubset(o.Missing, missing)):
			t.Errorf("without root, %s lacks %q, want some of %q", o.Facet, o.Missing, missing)
		}
		if o.Status.Observed() && o.ItemsComplete {
			if a, b := keys(observation(t, root, o.Facet)), keys(o); !slices.Equal(a, b) {
				t.Errorf("without root, %s has the items\n%q, with root\n%q", o.Facet, b, a)
			}
		}
	}
}

// Law 5: a scan changes nothing on the target. What a login writes is sshd's doing.
func TestAScanWritesNothing(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript}))
	// The login that makes what each first login makes.
	m.scan(t, "root")
	m.scan(t, "admin")
	// Change times have the kernel's tick, so the marker must be older than one of those.
	m.Run(t, "sync; touch /dev/shm/marker; until touch /dev/shm/later; [ /dev/shm/later -nt /dev/shm/marker ]; do :; done")
	m.scan(t, "root")
	m.scan(t, "admin")
	changed := m.Run(t, `find / /tmp /dev/shm -xdev -cnewer /dev/shm/marker ! -path /dev/shm ! -path '/dev/shm/*' \
		! -path '/var/log/*' ! -path /proc ! -path /run -print`)
	if changed != "" {
		t.Errorf("two scans changed:\n%s", changed)
	}
}

func sameDigests(t *testing.T, a, b inventory.Snapshot) {
	t.Helper()
	for _, oa := range a.Observations {
		ob := observation(t, b, oa.Facet)
		if oa.Status != inventory.Complete || ob.Status != inventory.Complete {
			t.Errorf("%s is %s, then %s: %s %s", oa.Facet, oa.Status, ob.Status, oa.Reason, ob.Reason)
			continue
		}
		if oa.State.Digest() != ob.State.Digest() {
			t.Errorf("%s has another digest:\n%s", oa.Facet, differentLines(oa.State.Text(), ob.State.Text()))
		}
	}
}

func observation(t *testing.T, s inventory.Snapshot, f inventory.Facet) inventory.Observation {
	t.Helper()
	for _, o := range s.Observations {
		if o.Facet == f {
			return o
		}
	}
	t.Fatalf("the snapshot has no %s", f)
	return inventory.Observation{}
}

func keys(o inventory.Observation) (keys []string) {
	for _, it := range o.State.Items() {
		keys = append(keys, it.Key())
	}
	return keys
}

func isSubset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// differentLines returns the lines that only one of the texts has, with a sign.
func differentLines(a, b string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, in, other string }{{"- ", a, b}, {"+ ", b, a}} {
		for l := range strings.Lines(side.in) {
			if !strings.Contains("\n"+side.other, "\n"+l) {
				out.WriteString(side.sign + l)
			}
		}
	}
	return out.String()
}
