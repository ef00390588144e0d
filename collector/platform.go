package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// Platform returns the target of a machine as its source lists it: what the platform
// knows of it, joined with what guest, if it is not nil, finds inside. Without a guest why says
// what keeps us out; empty, there is nothing to go into (a hypervisor, a task).
func Platform(l Listed, guest Target, why *Error) Target { return platform{l, guest, why} }

var _ Releaser = platform{}

type platform struct {
	listed Listed
	guest  Target
	why    *Error
}

func (p platform) Machine() inventory.Machine {
	if p.guest != nil {
		return p.guest.Machine()
	}
	return p.listed.Machine
}

// Collect implements Target. A guest that can't be reached takes nothing from what
// the platform knows, and its own facets are said to have failed: they are not seen tonight.
func (p platform) Collect(ctx context.Context) (inventory.Snapshot, error) {
	snap := inventory.Snapshot{Machine: p.Machine(), TakenAt: p.listed.At}
	var err error
	switch {
	case p.guest != nil:
		snap, err = p.guest.Collect(ctx)
		if snap.TakenAt.IsZero() {
			snap.TakenAt = p.listed.At
		}
		if stranger := p.stranger(snap.Identity); stranger != nil {
			p.Release(snap)
			snap.Observations, err = nil, stranger
		}
	case p.why != nil:
		err = p.why
	}
	if err != nil && len(p.listed.Observations) > 0 {
		snap.Observations = unread(snap.Observations, err)
	}
	snap.Observations = slices.Concat(snap.Observations, p.listed.Observations)
	if reach, ok := reachOf(snap.Observations); ok {
		snap.Observations = append(snap.Observations, reach)
	}
	slices.SortStableFunc(snap.Observations, func(a, b inventory.Observation) int { return cmp.Compare(a.Facet, b.Facet) })
	return snap, err
}

// stranger returns an error if whoever answered is not the machine that the platform lists: an
// address that was given to another one. What cannot be told is taken for right.
func (p platform) stranger(guest inventory.Identity) error {
	for kind, is := range map[EvidenceKind]string{SMBIOSUUID: guest.SMBIOSUUID, InstanceID: guest.InstanceID} {
		told := func(e Evidence) bool { return e.Kind == kind }
		if is == "" || !slices.ContainsFunc(p.listed.Evidence, told) || slices.Contains(p.listed.Evidence, Evidence{kind, is}) {
			continue
		}
		return &Error{
			Outcome: WrongMachine, Err: fmt.Errorf("another machine answered at %s: its %s is %s", p.guest.Machine().Address, kind.words(), is),
			Hint: "The address was given to another machine: look where the platform says that this one is.",
		}
	}
	return nil
}

// Release implements Releaser: what the guest holds is the guest's, and the rest was never counted.
func (p platform) Release(s inventory.Snapshot) {
	r, ok := p.guest.(Releaser)
	if !ok {
		return
	}
	s.Observations = slices.DeleteFunc(slices.Clone(s.Observations), func(o inventory.Observation) bool {
		return !slices.Contains(inventory.GuestFacets(), o.Facet)
	})
	r.Release(s)
}

// unread adds the facets of a guest that are missing, as failed.
func unread(have []inventory.Observation, err error) []inventory.Observation {
	why := inventory.Escape(err.Error())
	var e *Error
	if errors.As(err, &e) {
		why = string(e.Outcome) + ": " + why
	}
	out := slices.Clone(have)
	for _, f := range inventory.GuestFacets() {
		if !slices.ContainsFunc(have, func(o inventory.Observation) bool { return o.Facet == f }) {
			out = append(out, inventory.Observation{Facet: f, Status: inventory.Failed, Reason: why})
		}
	}
	return out
}
