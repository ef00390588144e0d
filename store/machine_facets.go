package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// selectFacets reads what is known of machines' facets, for readFacets; what follows it says of which.
// Names and digests, which never change, come from memory.
const selectFacets = `
	SELECT mf.machine_id, mf.facet_id, mf.status, mf.reason, mf.missing, mf.items_complete,
	       mf.state_id, mf.state_since, mf.status_since, mf.last_observed`

// readFacets fills in the facets of machines. Rows are scanned in place rather than
// collected: a fleet has six of them per machine.
func readFacets(ctx context.Context, q querier, memo *memory, machines []drift.MachineRecord, sql string, args ...any) error {
	place := make(map[int32]int, len(machines))
	for i, m := range machines {
		place[int32(m.Row)] = i
	}
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("read the machines' facets: %w", err)
	}
	var (
		machine                  int32
		facet                    int16
		rec                      drift.FacetRecord
		reason                   *string
		state                    *int32
		stateSince, lastObserved *time.Time
		facets                   []int16 // of each record, in the order of the rows
		at                       []int
		recs                     []drift.FacetRecord
		states                   []int32
	)
	_, err = pgx.ForEachRow(rows, []any{
		&machine, &facet, &rec.Status, &reason, &rec.Missing, &rec.ItemsComplete,
		&state, &stateSince, &rec.StatusSince, &lastObserved,
	}, func() error {
		i, ok := place[machine]
		if !ok {
			return nil
		}
		r := rec
		rec.Missing = nil // not to be shared with the next row
		if reason != nil {
			r.Reason = *reason
		}
		if state != nil {
			r.State.ID = drift.StateID(*state)
			states = append(states, *state)
		}
		r.StateSince, r.LastObserved = orZero(stateSince), orZero(lastObserved)
		if r.Status.Observed() {
			r.LastObserved = machines[i].LastObserved
		}
		facets, at, recs = append(facets, facet), append(at, i), append(recs, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the machines' facets: %w", err)
	}
	names, err := facetNames(ctx, q, memo, facets)
	if err != nil {
		return err
	}
	digests, err := stateDigests(ctx, q, memo, states)
	if err != nil {
		return err
	}
	for j, r := range recs {
		r.Facet = names[facets[j]]
		r.State.Digest = digests[int32(r.State.ID)]
		machines[at[j]].Facets = append(machines[at[j]].Facets, r)
	}
	for i := range machines {
		slices.SortFunc(machines[i].Facets, func(a, b drift.FacetRecord) int { return cmp.Compare(a.Facet, b.Facet) })
	}
	return nil
}

// stateDigests returns the digests of the states with those ids.
func stateDigests(ctx context.Context, q querier, memo *memory, ids []int32) (map[int32]inventory.Digest, error) {
	out, lack := knownOf(memo.digests, ids)
	for part := range slices.Chunk(lack, 50_000) {
		type row struct {
			ID     int32
			Digest []byte
		}
		rows, err := q.Query(ctx, `SELECT id, digest FROM states WHERE id = ANY($1::integer[])`, part)
		found, err := collect(rows, err, pgx.RowToStructByName[row])
		if err != nil {
			return nil, fmt.Errorf("read the states' digests: %w", err)
		}
		for _, r := range found {
			out[r.ID] = inventory.Digest(r.Digest)
			memo.digests.put(r.ID, out[r.ID])
		}
	}
	return out, nil
}
