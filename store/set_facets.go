package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// SetFacets implements drift.Tx. The caller has locked the machines.
//
// The stretch that ends and the state that follows it are written in one transaction: a
// crash leaves the old state, and the next scan finds the same news again.
func (t *tx) SetFacets(ctx context.Context, sets []drift.SetFacet) error {
	if len(sets) == 0 {
		return nil
	}
	names := make([]inventory.Facet, len(sets))
	for i, s := range sets {
		names[i] = s.Record.Facet
	}
	facets, err := t.facetIDs(ctx, names...)
	if err != nil {
		return err
	}
	sets = lastPerFacet(sets)

	n := len(sets)
	machines, facetIDs, states := make([]int32, n), make([]int16, n), make([]*int32, n)
	statuses, reasons, missing, complete := make([]string, n), make([]*string, n), make([]*string, n), make([]bool, n)
	stateSince, statusSince, lastObserved := make([]*time.Time, n), make([]time.Time, n), make([]*time.Time, n)
	for i, s := range sets {
		r := s.Record
		machines[i], facetIDs[i], statuses[i], complete[i] = int32(s.Machine), facets[r.Facet], string(r.Status), r.ItemsComplete
		if r.State.ID != 0 {
			id := int32(r.State.ID)
			states[i], stateSince[i] = &id, orNull(r.StateSince)
			if stateSince[i] == nil {
				stateSince[i] = orNull(s.At)
			}
		}
		if r.Reason != "" {
			reasons[i] = &r.Reason
		}
		if len(r.Missing) > 0 {
			text := textArray(r.Missing)
			missing[i] = &text
		}
		statusSince[i] = stamp(r.StatusSince)
		if r.StatusSince.IsZero() {
			statusSince[i] = stamp(s.At)
		}
		if !r.Status.Observed() {
			lastObserved[i] = orNull(r.LastObserved)
		}
	}

	// Whether a stretch ends is told by the rows, so that the same call twice writes it once. A clock
	// that was put back must not end it before it began.
	_, err = t.Exec(ctx, `
		INSERT INTO state_history (from_at, until_at, machine_id, state_id, facet_id)
		SELECT mf.state_since, greatest(mf.state_since, u.since), mf.machine_id, mf.state_id, mf.facet_id
		FROM unnest($1::integer[], $2::smallint[], $3::integer[], $4::timestamptz[]) AS u (machine_id, facet_id, state_id, since)
		JOIN machine_facets mf ON mf.machine_id = u.machine_id AND mf.facet_id = u.facet_id
		WHERE mf.state_id <> u.state_id
		ORDER BY mf.machine_id, mf.facet_id`, machines, facetIDs, states, stateSince)
	if err != nil {
		return fmt.Errorf("end stretches: %w", err)
	}
	_, err = t.Exec(ctx, `
		INSERT INTO machine_facets AS mf
		  (machine_id, facet_id, state_id, state_since, status, status_since, reason, missing, items_complete, last_observed)
		SELECT u.machine_id, u.facet_id, u.state_id, u.state_since, u.status, u.status_since, u.reason, u.missing::text[],
		       u.items_complete, u.last_observed
		FROM unnest($1::integer[], $2::smallint[], $3::integer[], $4::timestamptz[], $5::text[], $6::timestamptz[],
		            $7::text[], $8::text[], $9::boolean[], $10::timestamptz[])
		  AS u (machine_id, facet_id, state_id, state_since, status, status_since, reason, missing, items_complete, last_observed)
		ON CONFLICT (machine_id, facet_id) DO UPDATE SET
		  state_since = CASE WHEN mf.state_id = excluded.state_id THEN mf.state_since
		                     ELSE greatest(mf.state_since, excluded.state_since) END,
		  state_id = excluded.state_id, status = excluded.status, status_since = excluded.status_since,
		  reason = excluded.reason, missing = excluded.missing, items_complete = excluded.items_complete,
		  last_observed = excluded.last_observed`,
		machines, facetIDs, states, stateSince, statuses, statusSince, reasons, missing, complete, lastObserved)
	if err != nil {
		return fmt.Errorf("set facets: %w", err)
	}
	return nil
}

// lastPerFacet sorts by machine and facet and keeps the last that is said of each.
func lastPerFacet(sets []drift.SetFacet) []drift.SetFacet {
	sets = slices.Clone(sets)
	order := func(a, b drift.SetFacet) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Record.Facet, b.Record.Facet))
	}
	slices.SortStableFunc(sets, order)
	slices.Reverse(sets)
	sets = slices.CompactFunc(sets, func(a, b drift.SetFacet) bool { return order(a, b) == 0 })
	slices.Reverse(sets)
	return sets
}

// textArray writes texts as PostgreSQL reads an array.
func textArray(texts []string) string {
	b := []byte{'{'}
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for j := range len(text) {
			if text[j] == '"' || text[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, text[j])
		}
		b = append(b, '"')
	}
	return string(append(b, '}'))
}
