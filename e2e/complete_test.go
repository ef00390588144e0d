//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

// Each change is made alone and taken back: both times vmdrift must say just that.
func TestEveryChangeIsSeenOnceAndNamedRight(t *testing.T) {
	for name, changes := range map[string][]change{
		"packages": packageChanges(),
		"ports":    portChanges(),
		"users":    slices.Concat(userChanges(), groupChanges()),
		"services": serviceChanges(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript}))
			makeChanges(t, m, changes)
		})
	}
}

// Where no guest can be booted, a chroot has all of this; and where one can, it is
// a machine without systemd and without /proc.
func TestWithoutSystemdTheRestIsSeen(t *testing.T) {
	t.Parallel()
	if ok, why := realguest.Available(); !ok {
		t.Logf("NOT COVERED HERE: services, ports and privileges on a real guest with systemd: %s", why)
	}
	// The probe takes this file for the line between the files that it reads.
	const proc = "mkdir -p /proc/sys/kernel\n[ -e /proc/sys/kernel/ostype ] || echo Linux >/proc/sys/kernel/ostype\n"
	m := reach(t, realguest.StartRoot(t, realguest.Options{Setup: fixtureScript + proc}))
	makeChanges(t, m, slices.Concat(packageChanges(), userChanges(), groupChanges()), inventory.Packages, inventory.Users, inventory.Groups)
}

func makeChanges(t *testing.T, m *machine, changes []change, facets ...inventory.Facet) {
	before := m.scan(t, "root")
	strict, usual := golden(t, before, baseline.NoDefaults, facets...), golden(t, before, baseline.DefaultsV1, facets...)
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			m.Run(t, c.do)
			undone := false
			defer func() {
				if !undone { // so that the next change is alone again
					m.Run(t, c.undo)
				}
			}()
			s := m.scan(t, "root")
			check(t, "after it", c.lines(), strict.DiffAll(s.Observations))
			check(t, "after it, with the built-in rules", c.lines(), usual.DiffAll(s.Observations))

			m.Run(t, c.undo)
			undone = true
			check(t, "taken back", nil, strict.DiffAll(m.scan(t, "root").Observations))
		})
	}
}

// lines says what is expected in lines to compare.
func (c change) lines() []string {
	lines := []string{line(string(c.facet), string(c.op), c.key, c.fields)}
	for _, a := range c.also {
		lines = append(lines, line(string(a.facet), string(a.op), a.key, a.fields))
	}
	slices.Sort(lines)
	return lines
}

// line is one change in words; of fields, only those of a changed item.
func line(facet, op, key string, fields map[string][2]string) string {
	var parts []string
	for name, v := range fields {
		parts = append(parts, fmt.Sprintf("%s: %q → %q", name, v[0], v[1]))
	}
	slices.Sort(parts)
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", facet, op, key, strings.Join(parts, ", ")))
}

func check(t *testing.T, when string, want []string, changes []baseline.Change) {
	t.Helper()
	var got []string
	for _, c := range changes {
		fields := map[string][2]string{}
		if c.Op == baseline.Changed {
			for _, f := range c.Fields {
				fields[f.Name] = [2]string{f.WantOr("-"), f.HaveOr("-")}
			}
		}
		got = append(got, line(string(c.Facet), string(c.Op), c.Key, fields))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", when, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}
