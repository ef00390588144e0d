package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
)

// Acknowledge implements drift.Tx.
func (t *tx) Acknowledge(ctx context.Context, change drift.ChangeID, machines []drift.MachineRow, a drift.Acknowledgement) (int, error) {
	var only []int32 // nil for all
	for _, m := range machines {
		only = append(only, int32(m))
	}
	// In the order in which all lock them: a scan that records the machines goes before or after.
	rows, err := t.Query(ctx, `
		SELECT machine_id FROM machine_seen
		WHERE machine_id IN (SELECT machine_id FROM findings WHERE change_id = $1 AND ($2::integer[] IS NULL OR machine_id = ANY($2)))
		ORDER BY machine_id FOR UPDATE`, int32(change), only)
	locked, err := collect(rows, err, pgx.RowTo[int32])
	if err != nil {
		return 0, fmt.Errorf("lock machines: %w", err)
	}
	state, by, note, at := drift.Open, (*string)(nil), (*string)(nil), (*time.Time)(nil)
	if a.By != "" {
		state, by, at = drift.Acknowledged, &a.By, orNull(stamp(a.At))
		if a.Note != "" {
			note = &a.Note
		}
	}
	tag, err := t.Exec(ctx, `
		UPDATE findings
		SET state = $3, acknowledged_by = $4, note = $5, acknowledged_at = $6
		WHERE change_id = $1 AND machine_id = ANY($2::integer[])
		  AND (state = 'acknowledged' OR state = 'open' AND $4::text IS NOT NULL)`,
		int32(change), locked, string(state), by, note, at)
	if err != nil {
		return 0, fmt.Errorf("write findings: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
