//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

// Asking dpkg-query takes the machine five times as long as reading its database,
// so vmdrift reads that. This is the proof that it is the same, whole packages and broken ones.
func TestPackagesAreWhatDpkgQuerySays(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript}))
	for _, when := range []struct{ name, script string }{
		{"as installed", ""},
		{"with one package held and one unpacked", "echo sudo hold | dpkg --set-selections; dpkg --unpack /var/tmp/debs/vmdrift-new_*.deb >/dev/null"},
		{"with a selection of what is not there", "echo bash deinstall | dpkg --set-selections; echo nothing:all install | dpkg --set-selections 2>/dev/null || true"},
		// What dpkg does not have in its database yet, it has in files beside it.
		{"while dpkg is at work", `printf '%s\n' 'Package: vmdrift-half' 'Status: install ok half-installed' 'Architecture: all' \
			'Version: 7' 'Maintainer: nobody' 'Description: for a test' >/var/lib/dpkg/updates/0001`},
	} {
		m.Run(t, when.script)
		packages := observation(t, m.scan(t, "root"), inventory.Packages)
		if packages.Status != inventory.Complete {
			t.Fatalf("%s: packages are %s: %s", when.name, packages.Status, packages.Reason)
		}
		said := m.Run(t, `dpkg-query -W -f '${db:Status-Want}\t${db:Status-Status}\tdeb/${Package}:${Architecture}\t${source:Package}\t${Version}\n'`)
		if want := packageLines(said); packages.State.Text() != want {
			t.Errorf("%s:\n%s", when.name, differentLines(want, packages.State.Text()))
		}
	}
}

// packageLines is what the packages facet must be, by what dpkg-query says in its own words.
func packageLines(said string) string {
	b := inventory.NewBuilder(inventory.Packages)
	for line := range strings.Lines(said) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[1] == "config-files" || f[1] == "not-installed" {
			continue
		}
		b.Key(f[2])
		b.Field("hold", map[bool]string{true: "yes", false: "no"}[f[0] == "hold"])
		b.Field("source", f[3])
		b.Field("state", f[1])
		b.Field("version", f[4])
	}
	s, err := b.State()
	if err != nil {
		return err.Error()
	}
	return s.Text()
}
