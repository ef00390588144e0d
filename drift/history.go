package drift

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// An Event is a change of one facet of one machine, found at a scan.
type Event struct {
	At      time.Time // of the scan that first saw the new state
	Facet   inventory.Facet
	First   bool              // the facet was seen for the first time
	Items   int               // in the new state
	Changes []baseline.Change // from the state before; all of severity Info
}

// History returns what changed on a machine, newest first.
func (s *Service) History(ctx context.Context, m MachineRecord) ([]Event, error) {
	stretches, err := s.store.History(ctx, m.Row)
	if err != nil {
		return nil, err
	}
	var ids []StateID
	for _, st := range stretches {
		ids = append(ids, st.State.ID)
	}
	slices.Sort(ids)
	states, err := s.store.States(ctx, slices.Compact(ids))
	if err != nil {
		return nil, fmt.Errorf("load states: %w", err)
	}
	last := map[inventory.Facet]*inventory.State{}
	var out []Event
	for _, st := range stretches {
		now := states[st.State.ID]
		e := Event{At: st.From, Facet: st.Facet, Items: now.Len()}
		if before := last[st.Facet]; before == nil {
			e.First = true
		} else if e.Changes, err = plainDiff(now, before); err != nil {
			return nil, err
		}
		last[st.Facet] = now
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Event) int { return b.At.Compare(a.At) })
	return out, nil
}

// plainDiff is a diff of two states that leaves nothing out. The severities are those
// of the built-in rules.
func plainDiff(have, want *inventory.State) ([]baseline.Change, error) {
	defaults, err := baseline.Defaults(baseline.DefaultsV1)
	if err != nil {
		return nil, err
	}
	var severities []baseline.Rule
	for _, r := range defaults.Facets[have.Facet()] {
		if r.Ignore = nil; r.Severity != nil {
			severities = append(severities, r)
		}
	}
	rules, err := baseline.CompileRules(have.Facet(), baseline.Closed, severities)
	if err != nil {
		return nil, err
	}
	return baseline.Diff(inventory.Observe(have), want, rules), nil
}

// SnapshotAt returns what was known of a machine at a time, or is known now (zero
// time), as a snapshot. A facet that could not be read has the state observed
// last, as Partial, with the reason.
func (s *Service) SnapshotAt(ctx context.Context, m MachineRecord, at time.Time) (inventory.Snapshot, error) {
	out := inventory.Snapshot{Machine: m.Machine, TakenAt: m.LastObserved}
	refs := map[inventory.Facet]StateID{}
	if at.IsZero() {
		for _, f := range m.Facets {
			refs[f.Facet] = f.State.ID
		}
	} else {
		out.TakenAt = at.UTC()
		stretches, err := s.store.History(ctx, m.Row)
		if err != nil {
			return out, err
		}
		for _, st := range stretches { // oldest first: the last one that had begun stays
			if !st.From.After(at) {
				refs[st.Facet] = st.State.ID
			}
		}
		if len(refs) == 0 {
			return out, fmt.Errorf("%s had not been seen at %s; it was first seen at %s",
				m.Machine.Name, at.Local().Format(time.RFC3339), m.FirstSeen.Local().Format(time.RFC3339))
		}
	}
	var ids []StateID
	for _, id := range refs {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	states, err := s.store.States(ctx, slices.Compact(ids))
	if err != nil {
		return out, fmt.Errorf("load states: %w", err)
	}
	for _, f := range m.Facets {
		o := inventory.Observation{Facet: f.Facet, Status: f.Status, Reason: f.Reason, Missing: f.Missing, ItemsComplete: f.ItemsComplete}
		o.State = states[refs[f.Facet]]
		switch {
		case o.State == nil && f.Status.Observed(): // not seen yet at that time
			continue
		case !at.IsZero() && o.State != nil:
			// How well it was read then is not kept; what was read then is.
			o = inventory.Observation{Facet: f.Facet, Status: inventory.Partial, State: o.State, Reason: "from history"}
		case o.State != nil && !f.Status.Observed():
			o.Status, o.Reason = inventory.Partial, "seen last at "+f.LastObserved.UTC().Format(time.RFC3339)+"; since then "+string(f.Status)+": "+f.Reason
		}
		out.Observations = append(out.Observations, o)
	}
	return out, nil
}
