package drift

import (
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// presence observes whether somebody was inside the machine lately, and whether it showed the host key
// that is known. It speaks up only when it was too long ago or the key is another one, and goes on to
// speak once it has: of nearly all machines nothing is written.
func (b *batch) presence(rec MachineRecord, r collector.Result) (inventory.Observation, bool) {
	before := rec.facet(inventory.Presence).State
	last, has := lastInside(rec, r.Snapshot, b.at)
	// Of a machine that only its platform has told of so far, a host key is the first that is seen of its guest.
	if !has && before.ID == 0 && r.Outcome != collector.HostKeyChanged {
		return inventory.Observation{}, false
	}
	seen, verified := "yes", ""
	if b.unseen > 0 && b.at.Sub(last) > b.unseen {
		seen = "no"
	}
	switch r.Outcome {
	case collector.HostKeyChanged:
		verified = "no"
	case collector.OK, collector.Partly, collector.AuthFailed: // the key is looked at before anything is sent
		verified = "yes"
	default: // nobody has looked: it is as it was
		for _, v := range []string{"yes", "no"} {
			for _, s := range []string{"yes", "no"} {
				if before.ID != 0 && before.Digest == presenceState(s, v).Digest() {
					verified = v
				}
			}
		}
	}
	if seen == "yes" && verified != "no" && before.ID == 0 {
		return inventory.Observation{}, false
	}
	return inventory.Observe(presenceState(seen, verified)), true
}

// presenceState is the facet's state. A host key of which nothing is known has no field.
func presenceState(seen, verified string) *inventory.State {
	b := inventory.NewBuilder(inventory.Presence)
	b.Key("guest")
	b.Field("seen", seen)
	b.Key("host_key")
	if verified != "" {
		b.Field("verified", verified)
	}
	st, err := b.State()
	if err != nil {
		panic("drift: " + err.Error()) // constants make a state
	}
	return st
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
