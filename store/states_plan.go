package store

import (
	"context"
	"slices"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A plannedState is a state about to be stored, whole or as a delta.
type plannedState struct {
	state *inventory.State
	base  *base // nil: whole
	delta delta
	self  *base // if whole: what it will be for others
}

// planStates chooses for each state what it is stored as: the smallest delta to the base of its near state,
// to one used lately, or to one that comes with it; or itself.
func (t *tx) planStates(ctx context.Context, states []drift.NewState) ([]*plannedState, error) {
	near, err := t.nearBases(ctx, states)
	if err != nil {
		return nil, err
	}
	fresh := map[inventory.Facet][]*base{}
	plan := make([]*plannedState, len(states))
	for i, s := range states {
		p := &plannedState{state: s.State}
		limit := worth(s.State)
		consider := func(b *base) (good bool) {
			if b == nil || b.state.Facet() != s.State.Facet() || limit < 0 {
				return false
			}
			if d, ok := deltaTo(b.state, s.State, limit); ok {
				size := len(d.added) + len(d.removed)
				p.base, p.delta, limit = b, d, size-1
				return size <= s.State.Len()/16
			}
			return false
		}
		candidates := append([]*base{near[s.Near]}, fresh[s.State.Facet()]...)
		candidates = append(candidates, t.memo.recent.of(s.State.Facet())...)
		for _, b := range candidates {
			if consider(b) {
				break // good enough
			}
		}
		if p.base == nil {
			p.self = &base{state: s.State}
			f := s.State.Facet()
			fresh[f] = append(fresh[f], p.self)
			if n := len(fresh[f]); n > maxRecentBases {
				fresh[f] = fresh[f][n-maxRecentBases:]
			}
		}
		plan[i] = p
	}
	return plan, nil
}

// nearBases returns for each near state that is stored the base to build on: itself, or its own
// base, since a delta to a delta would make reading slow.
func (t *tx) nearBases(ctx context.Context, states []drift.NewState) (map[drift.StateID]*base, error) {
	var near []drift.StateID
	for _, s := range states {
		if s.Near != 0 {
			near = append(near, s.Near)
		}
	}
	if len(near) == 0 {
		return nil, nil
	}
	slices.Sort(near)
	return loadBasesOf(ctx, t, t.memo, slices.Compact(near))
}
