package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// PutStates implements drift.Tx.
func (t *tx) PutStates(ctx context.Context, states []drift.NewState) (map[inventory.Digest]drift.StateID, error) {
	ids := make(map[inventory.Digest]drift.StateID, len(states))
	lack, err := t.lackingStates(ctx, states, ids)
	// The second round is for states whose base another transaction stored meanwhile as a
	// delta, so that it can't serve as a base.
	for round := 0; len(lack) > 0 && err == nil; round++ {
		if round > 4 {
			return nil, errors.New("store states: others keep storing the same ones")
		}
		if err = t.storeStates(ctx, lack); err == nil {
			lack, err = t.lackingStates(ctx, lack, ids)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("store states: %w", err)
	}
	return ids, nil
}

// lackingStates notes the ids of the states that are stored, and returns the others, each once.
func (t *tx) lackingStates(ctx context.Context, states []drift.NewState, ids map[inventory.Digest]drift.StateID) ([]drift.NewState, error) {
	var ask [][]byte
	unknown := map[inventory.Digest]bool{}
	for _, s := range states {
		d := s.State.Digest()
		if id, ok := t.memo.states.get(d); ok {
			ids[d] = drift.StateID(id)
		} else if !unknown[d] {
			unknown[d] = true
			ask = append(ask, d[:])
		}
	}
	if len(ask) == 0 {
		return nil, nil
	}
	type row struct {
		ID     int32
		Digest []byte
	}
	rows, err := t.Query(ctx, `SELECT id, digest FROM states WHERE digest = ANY($1::bytea[])`, ask)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		d := inventory.Digest(r.Digest)
		ids[d] = drift.StateID(r.ID)
		t.memo.states.put(d, r.ID)
		delete(unknown, d)
	}
	var lack []drift.NewState
	for _, s := range states {
		if d := s.State.Digest(); unknown[d] {
			lack = append(lack, s)
			delete(unknown, d)
		}
	}
	return lack, nil
}

// storeStates stores states that are not there, first the whole ones, then those that build
// on them. Some may be left out if another transaction was faster: the caller looks again.
func (t *tx) storeStates(ctx context.Context, states []drift.NewState) error {
	plan, err := t.planStates(ctx, states)
	if err != nil {
		return err
	}
	var facetNames []inventory.Facet
	for _, p := range plan {
		facetNames = append(facetNames, p.state.Facet())
	}
	facets, err := t.facetIDs(ctx, facetNames...)
	if err != nil {
		return err
	}
	ids, err := t.itemIDs(ctx, plan, facets)
	if err != nil {
		return err
	}
	whole := slices.DeleteFunc(slices.Clone(plan), func(p *plannedState) bool { return p.base != nil })
	if err := t.insertStates(ctx, whole, facets, ids); err != nil {
		return err
	}
	deltas := slices.DeleteFunc(slices.Clone(plan), func(p *plannedState) bool { return p.base == nil || p.base.id == 0 })
	return t.insertStates(ctx, deltas, facets, ids)
}

// itemIDs returns the ids of the items that the plan adds, storing those that are new.
func (t *tx) itemIDs(ctx context.Context, plan []*plannedState, facets map[inventory.Facet]int16) (map[*plannedState][]int32, error) {
	want := map[itemDigest]wantedItem{}
	digests := make([][]itemDigest, len(plan))
	var buf []byte
	for i, p := range plan {
		items := p.state.Items()
		add := func(it inventory.Item) {
			var d itemDigest
			d, buf = digestItem(buf, p.state.Facet(), it)
			digests[i] = append(digests[i], d)
			want[d] = wantedItem{facets[p.state.Facet()], d, it}
		}
		if p.base == nil {
			digests[i] = make([]itemDigest, 0, len(items))
			for _, it := range items {
				add(it)
			}
		} else {
			for _, at := range p.delta.added {
				add(items[at])
			}
		}
	}
	ids, err := t.putItems(ctx, want)
	if err != nil {
		return nil, err
	}
	out := make(map[*plannedState][]int32, len(plan))
	for i, p := range plan {
		list := make([]int32, len(digests[i]))
		for j, d := range digests[i] {
			list[j] = ids[d]
		}
		out[p] = list
		if p.self != nil {
			p.self.ids = list
		}
	}
	return out, nil
}
