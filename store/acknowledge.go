package store

import (
	"context"
	"fmt"
	"time"

	"github.com/vmdrift/vmdrift/drift"
)

// Acknowledge implements drift.Tx.
func (t *tx) Acknowledge(ctx context.Context, change drift.ChangeID, machines []drift.MachineRow, a drift.Acknowledgement) (int, error) {
	rows := make([]int32, len(machines))
	for i, m := range machines {
		rows[i] = int32(m)
	}
	if err := t.lock(ctx, rows); err != nil { // a scan that records them goes before or after
		return 0, err
	}
	state, by, note, at := drift.Open, (*string)(nil), (*string)(nil), (*time.Time)(nil)
	if a.By != "" {
		state, by, at = drift.Acknowledged, &a.By, orNull(stamp(a.At))
		if a.Note != "" {
			note = &a.Note
		}
	}
	var n int
	err := t.QueryRow(ctx, `
		WITH changed AS (
		  UPDATE findings
		  SET state = $3, acknowledged_by = $4, note = $5, acknowledged_at = $6
		  WHERE change_id = $1 AND machine_id = ANY($2::integer[])
		    AND (state = 'acknowledged' OR state = 'open' AND $4::text IS NOT NULL)
		  RETURNING machine_id
		),
		told AS (
		  INSERT INTO finding_events (at, run_id, machine_id, change_id, event, by, note)
		  SELECT $7, 0, machine_id, $1, CASE WHEN $4::text IS NULL THEN 'released' ELSE 'acknowledged' END, $4, $5 FROM changed
		)
		SELECT count(*) FROM changed`,
		int32(change), rows, string(state), by, note, at, stamp(a.At)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("write findings: %w", err)
	}
	return n, nil
}
