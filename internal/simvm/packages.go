package simvm

import (
	"fmt"
	"slices"
	"strings"
)

// A Package is one installed package.
type Package struct {
	Name    string
	Version string // as the packaging system writes it: [epoch:]version[-release]
	Arch    string // empty when installing: the machine's own
	Source  string // source package, origin or base; empty when installing: Name
	Held    bool   // not to be upgraded
	Removed bool   // dpkg only: removed, its configuration files still there
}

// Packages returns what is installed, sorted by name and architecture, with those
// of which only configuration files are left.
func (m *Machine) Packages() []Package { return slices.Clone(m.image().state.packages) }

// InstallPackage installs a package. A second version of one that is there is an
// error, except for rpm's kernels, which stand side by side.
func (m *Machine) InstallPackage(p Package) error {
	return m.change(func(s *state) error {
		p = m.dist.complete(p)
		for i, have := range s.packages {
			if have.Name != p.Name || have.Arch != p.Arch {
				continue
			}
			switch {
			case have.Removed:
				s.packages[i] = p
				return nil
			case m.dist.manager != rpm || !strings.HasPrefix(p.Name, "kernel") || have.Version == p.Version:
				return fmt.Errorf("%s:%s is installed already", p.Name, p.Arch)
			}
		}
		s.packages = append(s.packages, p)
		sortPackages(s.packages)
		return nil
	})
}

// UpgradePackage gives an installed package (name or name:arch) another version.
func (m *Machine) UpgradePackage(name, version string) error {
	return m.changePackage(name, func(p *Package) { p.Version = version })
}

// HoldPackage forbids, or allows again, that a package is upgraded.
func (m *Machine) HoldPackage(name string, held bool) error {
	return m.changePackage(name, func(p *Package) { p.Held = held })
}

// RemovePackage removes a package, on Debian with its configuration files (purge).
func (m *Machine) RemovePackage(name string) error {
	return m.change(func(s *state) error {
		i, err := s.findPackage(name)
		if err == nil {
			s.packages = slices.Delete(s.packages, i, i+1)
		}
		return err
	})
}

// RemovePackageKeepingConfig removes a package as apt remove does.
func (m *Machine) RemovePackageKeepingConfig(name string) error {
	if m.dist.manager != dpkg {
		return m.RemovePackage(name)
	}
	return m.changePackage(name, func(p *Package) { p.Removed = true })
}

func (m *Machine) changePackage(name string, f func(*Package)) error {
	return m.change(func(s *state) error {
		i, err := s.findPackage(name)
		if err == nil {
			f(&s.packages[i])
		}
		return err
	})
}

func (s *state) findPackage(name string) (int, error) {
	i := slices.IndexFunc(s.packages, func(p Package) bool {
		return !p.Removed && (p.Name == name || p.Name+":"+p.Arch == name)
	})
	if i < 0 {
		return 0, fmt.Errorf("package %s is not installed", name)
	}
	return i, nil
}

func sortPackages(list []Package) {
	slices.SortFunc(list, func(a, b Package) int {
		return strings.Compare(a.Name+"\x00"+a.Arch+"\x00"+a.Version, b.Name+"\x00"+b.Arch+"\x00"+b.Version)
	})
}
