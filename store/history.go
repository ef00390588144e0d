package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// History implements drift.Reader.
func (s *Store) History(ctx context.Context, m drift.MachineRow) ([]drift.Stretch, error) {
	type row struct {
		Facet   inventory.Facet
		StateID int32
		Digest  []byte
		FromAt  time.Time
	}
	// By the order in which they ended, not by the clock, which may have been put back.
	rows, err := s.pool.Query(ctx, `
		WITH stretches AS (
		  SELECT facet_id, state_id, from_at, id FROM state_history WHERE machine_id = $1
		  UNION ALL
		  SELECT facet_id, state_id, state_since, NULL FROM machine_facets WHERE machine_id = $1 AND state_id IS NOT NULL
		)
		SELECT f.name AS facet, h.state_id, st.digest, h.from_at
		FROM stretches h
		JOIN facets f ON f.id = h.facet_id
		JOIN states st ON st.id = h.state_id
		ORDER BY f.name, h.id NULLS LAST`, int32(m))
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read the history", err)
	}
	out := make([]drift.Stretch, len(found))
	for i, r := range found {
		out[i] = drift.Stretch{
			Facet: r.Facet, State: drift.StateRef{ID: drift.StateID(r.StateID), Digest: inventory.Digest(r.Digest)}, From: r.FromAt,
		}
	}
	return out, nil
}
