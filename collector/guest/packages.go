package guest

import (
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// packagesFacet reads every package database that the machine has. Each counts
// whole or not at all: a list that could not be read is never taken for an empty one.
func (a *answer) packagesFacet() inventory.Observation {
	if !a.read["packages"] {
		return failed(inventory.Packages, a.cut)
	}
	var b *inventory.Builder
	var problems []string
	bad := make(map[string]bool)
	found, total := 0, 0
	for again := true; again; {
		again, found, total = false, 0, 0
		b = inventory.NewBuilder(inventory.Packages)
		for _, m := range a.managers() {
			s, ok := a.sections[m.section]
			if !ok {
				continue
			}
			found++
			if bad[m.section] {
				continue
			}
			n, problem := a.readPackages(b, m, s)
			if problem != "" {
				problems = append(problems, problem)
				bad[m.section], again = true, true // what it has added must go
				break
			}
			total += n
		}
	}
	reason := strings.Join(problems, "; ")
	switch {
	case found == 0:
		return inventory.Observation{
			Facet: inventory.Packages, Status: inventory.Unsupported,
			Reason: "there is no package database of dpkg, rpm, apk or pacman",
		}
	case total == 0 && reason == "":
		return failed(inventory.Packages, "the list of packages is empty")
	case total == 0:
		return failed(inventory.Packages, reason)
	}
	st, err := b.State()
	o := observed(inventory.Packages, st, nil, err, "")
	if o.State != nil && reason != "" {
		o.Status, o.ItemsComplete, o.Reason = inventory.Partial, false, inventory.Escape(reason)
	}
	return o
}

func (a *answer) readPackages(b *inventory.Builder, m manager, s section) (n int, problem string) {
	switch {
	case !s.whole:
		return 0, "the list of packages of " + m.section + " was cut short"
	case s.status == 127:
		return 0, "there is a database of " + m.section + " but no " + m.command + " to read it"
	case s.status != 0:
		return 0, m.command + " could not read the packages of " + m.section + a.why(m.section)
	}
	n, err := m.parse(b, s.body)
	switch {
	case err != nil:
		return 0, err.Error()
	case n == 0 && m.section != "rpm": // Debian's rpm has a database, with nothing in it
		return 0, "the list of packages of " + m.section + " is empty"
	}
	return n, ""
}

// A manager is a way to know packages: the probe's section, the command behind it,
// and the parser, which returns how many packages there are.
type manager struct {
	section, command string
	parse            func(*inventory.Builder, []byte) (int, error)
}

func (a *answer) managers() []manager {
	return []manager{
		{"apk", "grep", func(b *inventory.Builder, body []byte) (int, error) {
			var held map[string]bool
			if w := a.sections["apk.world"]; w.whole && w.status == 0 {
				held = parseWorld(w.body)
			}
			return parseAPK(b, body, held)
		}},
		a.dpkg(),
		{"pacman", "grep", func(b *inventory.Builder, body []byte) (int, error) {
			var ignored []string
			if c := a.sections["pacman.conf"]; c.ran() && c.status <= 1 { // grep's 1: no such line
				ignored = parseIgnorePkg(c.body)
			}
			return parsePacman(b, body, ignored)
		}},
		{"rpm", "rpm", parseRPM},
	}
}

// dpkg returns the way that the probe took: dpkg-query is asked where the
// database itself could not be read, or was not all of it.
func (a *answer) dpkg() manager {
	if _, ok := a.sections["dpkg"]; ok {
		return manager{"dpkg", "dpkg-query", parseDpkg}
	}
	return manager{"dpkg.status", "grep", parseDpkgStatus}
}
