//go:build linux

package e2e

import (
	_ "embed"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

//go:embed unitzoo.sh
var zooScript string

// zooRuntime makes what only a running systemd can: states that end with the boot.
const zooRuntime = `
systemctl enable --quiet --runtime zoo-runtime.service
systemctl enable --quiet zoo-both-times.service
systemctl enable --quiet --runtime zoo-both-times.service
systemctl mask --quiet --runtime zoo-masked-runtime.service
systemd-run --quiet --unit=zoo-transient sleep infinity
mkdir -p /run/systemd/system
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' '[Install]' 'WantedBy=multi-user.target' >/run/systemd/system/zoo-in-run.service
systemctl daemon-reload`

// unitTypes are the types of units that the services facet has.
var unitTypes = []string{".service", ".socket", ".timer", ".path"}

// Asking systemctl list-unit-files makes PID 1 read every unit from the disk, so
// vmdrift derives the same from the unit folders. This is the proof that it is
// the same, on the units of two Debian releases and on a zoo of odd ones.
func TestEnabledStatesAreWhatSystemdSays(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			m := reach(t, realguest.Start(t, realguest.Options{Suite: suite, Setup: fixtureScript + zooScript}))
			for _, when := range []struct{ name, script string }{
				{"after boot", ""},
				{"with states that end with the boot", zooRuntime},
				{"with every unit read again", "systemctl daemon-reload"},
			} {
				m.Run(t, when.script)
				services := observation(t, m.scan(t, "root"), inventory.Services)
				if services.Status != inventory.Complete {
					t.Fatalf("services are %s: %s", services.Status, services.Reason)
				}
				said := unitFiles(m.Run(t, "systemctl list-unit-files --all --no-legend --no-pager --full"))
				compareStates(t, when.name, said, services.State)
			}
		})
	}
}

// unitFiles reads lines of unit, state and preset.
func unitFiles(text string) map[string]string {
	said := map[string]string{}
	for l := range strings.Lines(text) {
		if f := strings.Fields(l); len(f) >= 2 && slices.Contains(unitTypes, path.Ext(f[0])) {
			said[f[0]] = f[1]
		}
	}
	return said
}

func compareStates(t *testing.T, when string, said map[string]string, have *inventory.State) {
	t.Helper()
	if len(said) < 50 {
		t.Fatalf("%s: systemctl lists %d units only", when, len(said))
	}
	for unit, want := range said {
		it, ok := have.Get(inventory.Escape(unit))
		switch got, _ := it.Field("enabled"); {
		case leftOut[want]:
			if ok {
				t.Errorf("%s: %s is %s, and yet it is an item: %s", when, unit, want, it.Line())
			}
		case unit == upheld && want == "static":
		case !ok:
			t.Errorf("%s: %s is not among the items; systemd says %s", when, unit, want)
		case got != want:
			t.Errorf("%s: %s is %q; systemd says %s", when, unit, got, want)
		}
	}
	for _, it := range have.Items() {
		if _, ok := said[unescape(it.Key())]; !ok && !strings.Contains(it.Key(), "@") {
			t.Errorf("%s: systemd knows no unit file of %s", when, it.Line())
		}
	}
}

// leftOut are the states of what is no unit of its own (another name of one that
// is an item), or was made by something that runs and ends with it.
var leftOut = map[string]bool{"alias": true, "transient": true}

// upheld has an install section of UpheldBy= alone, which systemd reads since 254
// only; vmdrift takes every systemd for one that does.
const upheld = "zoo-upheld.service"

// unescape undoes inventory.Escape for the one character in it that unit names have.
func unescape(key string) string { return strings.ReplaceAll(key, `\\`, `\`) }
