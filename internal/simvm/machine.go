package simvm

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Machine is a made-up machine. Its methods may be called at any time, also while
// it is scanned: a session that has begun sees the machine as it was then.
type Machine struct {
	name string
	dist *distribution

	mu    sync.Mutex // serialises changes
	now   atomic.Pointer[image]
	scans atomic.Int64 // sessions so far, which vary what is volatile
}

// New returns a machine as the distribution's installer and an administrator leave
// it. Two machines of one distribution differ only in what names them. It panics
// for a Distribution that is not one of the constants.
func New(name string, d Distribution) *Machine {
	dist, ok := distributions()[d]
	if !ok {
		panic(fmt.Sprintf("simvm: there is no distribution %q", d))
	}
	m := &Machine{name: name, dist: dist}
	m.now.Store(&image{state: dist.install(name), dist: dist})
	return m
}

// Name returns the machine's host name.
func (m *Machine) Name() string { return m.name }

// Distribution returns what the machine runs.
func (m *Machine) Distribution() Distribution { return m.dist.name }

// image returns the machine as it is now. It never changes.
func (m *Machine) image() *image { return m.now.Load() }

// change makes a new state of the machine from a copy of the present one. If f
// fails, nothing has changed.
func (m *Machine) change(f func(*state) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.image().state.clone()
	if err := f(next); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	m.now.Store(&image{state: next, dist: m.dist})
	return nil
}

// UUID returns the UUID of its firmware, as the kernel would show it.
func (m *Machine) UUID() string { return strings.ToLower(m.image().state.uuid) }

// A state is all that a machine is at one time.
type state struct {
	hostname  string
	kernel    string
	machineID string
	uuid      string // SMBIOS
	vendor    string // SMBIOS
	product   string // SMBIOS
	noise     string // what a shell start-up file prints

	packages []Package
	ports    []Port
	users    []User
	groups   []Group
	services []Service

	nextPID int
}

func (s *state) clone() *state {
	c := *s
	c.packages = slices.Clone(s.packages)
	c.ports = slices.Clone(s.ports)
	c.users = slices.Clone(s.users)
	c.groups = slices.Clone(s.groups)
	for i := range c.groups {
		c.groups[i].Members = slices.Clone(c.groups[i].Members)
	}
	c.services = slices.Clone(s.services)
	return &c
}

// An image is a state with what is made of it when it is first needed.
type image struct {
	state *state
	dist  *distribution

	once sync.Once
	tree *node
}

// SetKernel makes the machine run another kernel, as after a reboot.
func (m *Machine) SetKernel(release string) error {
	return m.change(func(s *state) error { s.kernel = release; return nil })
}

// Kernel returns the kernel that runs.
func (m *Machine) Kernel() string { return m.image().state.kernel }

// SetHostname gives the machine another name for itself. Name keeps the first.
func (m *Machine) SetHostname(name string) error {
	return m.change(func(s *state) error { s.hostname = name; return nil })
}

// SetStartupNoise makes a shell start-up file print text before every command, as
// bash's .bashrc does for SSH. Empty for none.
func (m *Machine) SetStartupNoise(text string) error {
	return m.change(func(s *state) error { s.noise = text; return nil })
}
