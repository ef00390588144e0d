package drift

import (
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// presence observes whether somebody was inside the machine lately. It speaks up only when that was
// too long ago, and goes on to speak once it has: of nearly all machines nothing is written.
func (b *batch) presence(rec MachineRecord, now inventory.Snapshot) (inventory.Observation, bool) {
	last, has := lastInside(rec, now, b.at)
	if !has {
		return inventory.Observation{}, false
	}
	missed := b.unseen > 0 && b.at.Sub(last) > b.unseen
	if !missed && rec.facet(inventory.Presence).State.ID == 0 {
		return inventory.Observation{}, false
	}
	seen := "yes"
	if missed {
		seen = "no"
	}
	bld := inventory.NewBuilder(inventory.Presence)
	bld.Key("guest")
	bld.Field("seen", seen)
	st, err := bld.State()
	if err != nil {
		return inventory.Observation{}, false // two constants make a state
	}
	return inventory.Observe(st), true
}

// lastInside returns when anything of the guest was observed last, or, if it never was, when the machine
// became known; and false for a machine that has no guest, such as a hypervisor.
func lastInside(rec MachineRecord, now inventory.Snapshot, at time.Time) (time.Time, bool) {
	guest := func(f inventory.Facet) bool { return slices.Contains(inventory.GuestFacets(), f) }
	last, has := rec.FirstSeen, len(rec.Facets) == 0 && len(now.Observations) == 0
	for _, f := range rec.Facets {
		if !guest(f.Facet) {
			continue
		}
		has = true
		seen := f.LastObserved
		if f.Status.Observed() {
			seen = rec.LastObserved
		}
		if seen.After(last) {
			last = seen
		}
	}
	for _, o := range now.Observations {
		if guest(o.Facet) {
			has = true
			if o.Status.Observed() {
				last = at
			}
		}
	}
	return last, has
}
