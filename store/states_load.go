package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// States implements drift.Reader.
func (s *Store) States(ctx context.Context, ids []drift.StateID) (map[drift.StateID]*inventory.State, error) {
	states, err := loadStates(ctx, s.pool, s.memo, ids)
	return states, explain("", err)
}

// States implements drift.Tx.
func (t *tx) States(ctx context.Context, ids []drift.StateID) (map[drift.StateID]*inventory.State, error) {
	return loadStates(ctx, t, t.memo, ids)
}

// A stateRow is a state as it is stored.
type stateRow struct {
	ID      int32
	BaseID  *int32
	Facet   inventory.Facet
	Version int16
	Digest  []byte
	Added   []int32
	Removed []int32
}

func loadStates(ctx context.Context, q querier, memo *memory, ids []drift.StateID) (map[drift.StateID]*inventory.State, error) {
	out := make(map[drift.StateID]*inventory.State, len(ids))
	var ask []int32
	for _, id := range ids {
		if b, ok := memo.bases.get(int32(id)); ok {
			out[id] = b.state
		} else {
			ask = append(ask, int32(id))
		}
	}
	rows, err := readStates(ctx, q, ask)
	if err != nil {
		return nil, err
	}
	bases, err := loadBases(ctx, q, memo, rows)
	if err != nil {
		return nil, err
	}
	var want []int32
	for _, r := range rows {
		if r.BaseID != nil {
			want = append(want, r.Added...)
		}
	}
	items, err := loadItems(ctx, q, memo, want)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		id := drift.StateID(r.ID)
		if r.BaseID == nil {
			out[id] = bases[r.ID].state
			continue
		}
		added := make([]inventory.Item, len(r.Added))
		for i, item := range r.Added {
			added[i] = items[item]
		}
		if out[id], err = r.state(bases[*r.BaseID].apply(r.Removed, added)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readStates returns the rows with those ids; each must be there.
func readStates(ctx context.Context, q querier, ids []int32) ([]stateRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `
		SELECT s.id, s.base_id, f.name AS facet, s.version, s.digest, s.added, s.removed
		FROM states s JOIN facets f ON f.id = s.facet_id
		WHERE s.id = ANY($1::integer[])
		ORDER BY s.id`, ids)
	found, err := collect(rows, err, pgx.RowToStructByName[stateRow])
	if err != nil {
		return nil, fmt.Errorf("load states: %w", err)
	}
	for _, id := range ids {
		if _, ok := slices.BinarySearchFunc(found, id, func(r stateRow, id int32) int { return int(r.ID) - int(id) }); !ok {
			return nil, fmt.Errorf("state %d: %w", id, drift.ErrNotFound)
		}
	}
	return found, nil
}

// loadBases returns the bases among the rows, and those that the others build on, by id.
func loadBases(ctx context.Context, q querier, memo *memory, rows []stateRow) (map[int32]*base, error) {
	out := map[int32]*base{}
	var whole []stateRow
	var ask []int32
	for _, r := range rows {
		if r.BaseID == nil {
			whole = append(whole, r)
		} else if _, ok := out[*r.BaseID]; !ok {
			if b, ok := memo.bases.get(*r.BaseID); ok {
				out[b.id] = b
			} else {
				ask = append(ask, *r.BaseID)
			}
		}
	}
	slices.Sort(ask)
	more, err := readStates(ctx, q, slices.Compact(ask))
	if err != nil {
		return nil, err
	}
	whole = append(whole, more...)

	var want []int32
	for _, r := range whole {
		if r.BaseID != nil {
			return nil, fmt.Errorf("%w: state %d builds on another, and yet others build on it", ErrCorrupt, r.ID)
		}
		want = append(want, r.Added...)
	}
	items, err := loadItems(ctx, q, memo, want)
	if err != nil {
		return nil, err
	}
	for _, r := range whole {
		if out[r.ID] != nil {
			continue
		}
		// In the order of keys, ids and items alike.
		b := &base{id: r.ID, ids: r.Added}
		slices.SortFunc(b.ids, func(x, y int32) int { return byKey(items[x], items[y]) })
		list := make([]inventory.Item, len(b.ids))
		for i, id := range b.ids {
			list[i] = items[id]
		}
		if b.state, err = r.state(list); err != nil {
			return nil, err
		}
		out[r.ID] = b
		memo.bases.put(r.ID, b)
		memo.recent.note(b)
	}
	return out, nil
}

// loadBasesOf returns for each of the states the base to build on: itself or its own.
func loadBasesOf(ctx context.Context, q querier, memo *memory, ids []drift.StateID) (map[drift.StateID]*base, error) {
	out := make(map[drift.StateID]*base, len(ids))
	var ask []int32
	for _, id := range ids {
		if b, ok := memo.bases.get(int32(id)); ok {
			out[id] = b
		} else {
			ask = append(ask, int32(id))
		}
	}
	rows, err := readStates(ctx, q, ask)
	if err != nil {
		return nil, err
	}
	bases, err := loadBases(ctx, q, memo, rows)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		at := r.ID
		if r.BaseID != nil {
			at = *r.BaseID
		}
		out[drift.StateID(r.ID)] = bases[at]
	}
	return out, nil
}

// state makes the state of a row from its items, in order, and holds it against the digest.
func (r stateRow) state(items []inventory.Item) (*inventory.State, error) {
	s, err := inventory.NewState(r.Facet, items...)
	if err != nil {
		return nil, fmt.Errorf("%w: state %d: %w", ErrCorrupt, r.ID, err)
	}
	// Of another canonical version the digest can't be told, and differs by intent.
	if d := s.Digest(); r.Version == inventory.CanonicalVersion && d != inventory.Digest(r.Digest) {
		return nil, fmt.Errorf("%w: state %d, %s, reads as %s and was written as %x", ErrCorrupt, r.ID, r.Facet, d, r.Digest)
	}
	return s, nil
}
