package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/inventory"
)

// insertStates stores states, except those that another transaction has stored meanwhile.
func (t *tx) insertStates(ctx context.Context, plan []*plannedState, facets map[inventory.Facet]int16, ids map[*plannedState][]int32) error {
	if len(plan) == 0 {
		return nil
	}
	slices.SortFunc(plan, func(a, b *plannedState) int {
		x, y := a.state.Digest(), b.state.Digest()
		return bytes.Compare(x[:], y[:])
	})
	n := len(plan)
	bases, counts, facetIDs := make([]*int32, n), make([]int32, n), make([]int16, n)
	digests, added, removed := make([][]byte, n), make([]string, n), make([]*string, n)
	for i, p := range plan {
		d := p.state.Digest()
		counts[i], facetIDs[i], digests[i] = int32(p.state.Len()), facets[p.state.Facet()], d[:]
		added[i] = arrayText(ids[p])
		if p.base != nil {
			gone := make([]int32, len(p.delta.removed))
			for j, at := range p.delta.removed {
				gone[j] = p.base.ids[at]
			}
			text := arrayText(gone)
			bases[i], removed[i] = &p.base.id, &text
		}
	}
	type row struct {
		ID     int32
		Digest []byte
	}
	// An array of arrays of unequal lengths does not exist, so each comes as text.
	rows, err := t.Query(ctx, `
		INSERT INTO states (base_id, item_count, facet_id, version, digest, added, removed)
		SELECT u.base_id, u.item_count, u.facet_id, $1, u.digest, u.added::integer[], u.removed::integer[]
		FROM unnest($2::integer[], $3::integer[], $4::smallint[], $5::bytea[], $6::text[], $7::text[])
		  AS u (base_id, item_count, facet_id, digest, added, removed)
		ON CONFLICT (digest) DO NOTHING
		RETURNING id, digest`,
		inventory.CanonicalVersion, bases, counts, facetIDs, digests, added, removed)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return err
	}
	stored := make(map[inventory.Digest]int32, len(found))
	for _, r := range found {
		stored[inventory.Digest(r.Digest)] = r.ID
	}
	for _, p := range plan {
		id, ok := stored[p.state.Digest()]
		if !ok {
			continue
		}
		t.memo.states.put(p.state.Digest(), id)
		if p.self != nil {
			p.self.id = id
			t.memo.bases.put(id, p.self)
			t.memo.recent.note(p.self)
		} else {
			t.memo.recent.note(p.base)
		}
	}
	return nil
}

// arrayText writes ids, in ascending order, as PostgreSQL reads an array.
func arrayText(ids []int32) string {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, cmp.Compare)
	b := append(make([]byte, 0, 8*len(ids)+2), '{')
	for i, id := range sorted {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return string(append(b, '}'))
}
