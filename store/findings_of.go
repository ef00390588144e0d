package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// FindingsOf implements drift.Tx.
func (t *tx) FindingsOf(ctx context.Context, want map[drift.MachineRow][]inventory.Digest) ([]drift.Finding, error) {
	var machines, of []int32
	var digests [][]byte
	for m, ds := range want {
		machines = append(machines, int32(m))
		for _, d := range ds {
			of, digests = append(of, int32(m)), append(digests, d[:])
		}
	}
	// Every table is looked into by index, per finding: see machinesByID.
	rows, err := t.Query(ctx, `
		SELECT f.machine_id, f.change_id, c.facet_id, c.key, c.op, c.fields, f.severity, f.state,
		       f.first_seen, f.opened_at, f.resolved_at, f.reopened, f.acknowledged_by, f.acknowledged_at, f.note,
		       coalesce(f.last_seen, greatest(f.opened_at, coalesce(mf.last_observed, nullif(ms.observed_at, '-infinity')))) AS last_seen
		FROM (
		  SELECT live.machine_id, live.change_id
		  FROM unnest($1::integer[]) AS u (id)
		  CROSS JOIN LATERAL (SELECT * FROM findings l WHERE l.machine_id = u.id AND l.state <> 'resolved' OFFSET 0) live
		  UNION
		  SELECT u.machine_id, k.id
		  FROM unnest($2::integer[], $3::bytea[]) AS u (machine_id, digest) JOIN changes k ON k.digest = u.digest
		) w
		CROSS JOIN LATERAL (SELECT * FROM findings x WHERE x.machine_id = w.machine_id AND x.change_id = w.change_id OFFSET 0) f
		CROSS JOIN LATERAL (SELECT * FROM changes x WHERE x.id = f.change_id OFFSET 0) c
		CROSS JOIN LATERAL (SELECT observed_at FROM machine_seen x WHERE x.machine_id = f.machine_id OFFSET 0) ms
		LEFT JOIN LATERAL (
		  SELECT last_observed FROM machine_facets x WHERE x.machine_id = f.machine_id AND x.facet_id = c.facet_id OFFSET 0
		) mf ON true
		ORDER BY f.machine_id, c.facet_id, c.key, c.op, f.change_id`, machines, of, digests)
	found, err := collect(rows, err, pgx.RowToStructByName[findingRow])
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	ids := make([]int16, len(found))
	for i, r := range found {
		ids[i] = r.FacetID
	}
	facets, err := facetNames(ctx, t, t.memo, ids)
	if err != nil {
		return nil, err
	}
	out := make([]drift.Finding, len(found))
	for i, r := range found {
		out[i] = r.finding(facets)
	}
	return out, nil
}
