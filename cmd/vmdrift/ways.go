package main

import (
	"errors"
	"slices"
	"sync"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/collector/local"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/config"
)

// ways makes targets of machines: how each is reached, by what the command line and the configuration say. It may be
// used by many goroutines at once.
type ways struct {
	ssh   ssh.Options
	guest guest.Options
	// jumps says that a machine's own jump hosts don't count: a flag goes before the file.
	jumps bool

	mu      sync.Mutex
	dialers map[config.Guest]*ssh.Dialer // by identity file and jump hosts
}

func newWays(s ssh.Options, g guest.Options, jumps bool) *ways {
	return &ways{ssh: s, guest: g, jumps: jumps, dialers: map[config.Guest]*ssh.Dialer{}}
}

// Target returns the target of a machine. An error is a slip of the person at the keyboard; what is wrong with
// a listed machine is found when it is collected.
func (w *ways) Target(m collector.Listed) (collector.Target, error) {
	if why, inside := wayIn(m); !inside {
		return collector.Platform(m, nil, why), nil
	}
	t := guest.Target{M: m.Machine, Runner: local.Runner{}, Options: w.guest}
	if m.Machine.Address != localAddress {
		dialer, err := w.dialer(m)
		if err != nil {
			return nil, err
		}
		host, err := dialer.Host(m.Machine.Address)
		if err != nil && m.Machine.ID.Source == targetSource {
			return nil, err
		}
		if err != nil {
			return collector.Platform(m, nil, &collector.Error{Outcome: collector.Unreachable, Err: err}), nil
		}
		t.M.Address, t.Runner = host.Address(), host
	}
	if len(m.Observations) > 0 {
		return collector.Platform(m, t, nil), nil
	}
	return t, nil
}

// dialer returns the one that goes to a machine, and makes it if it is the first of its kind.
func (w *ways) dialer(m collector.Listed) (*ssh.Dialer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	way := config.Guest{IdentityFile: m.IdentityFile, Jump: m.Jump}
	if d := w.dialers[way]; d != nil {
		return d, nil
	}
	o := w.ssh
	if way.IdentityFile != "" {
		o.IdentityFiles = slices.Concat([]string{way.IdentityFile}, o.IdentityFiles)
	}
	if way.Jump != "" && !w.jumps {
		o.Jump = way.Jump
	}
	d, err := ssh.New(o)
	if err != nil {
		return nil, err
	}
	w.dialers[way] = d
	return d, nil
}

// warnings are what was noticed about files on the way, each once, sorted.
func (w *ways) warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var said []string
	for _, d := range w.dialers {
		said = append(said, d.Warnings()...)
	}
	slices.Sort(said)
	return slices.Compact(said)
}

// Close ends the connections to jump hosts.
func (w *ways) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, d := range w.dialers {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
