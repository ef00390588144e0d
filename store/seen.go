package store

import (
	"context"
	"fmt"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// Seen implements drift.Tx. The caller has locked the machines.
//
// Written in the same transaction as what was found there: after a crash the machine
// counts as not tried, and trying it again does no harm.
func (t *tx) Seen(ctx context.Context, run drift.RunID, at time.Time, seen []drift.SeenMachine) error {
	if len(seen) == 0 {
		return nil
	}
	place := map[drift.MachineRow]int{} // the last that is said of a machine counts
	var ids []int32
	var observed []bool
	var changed []drift.SeenMachine
	for _, m := range seen {
		if i, ok := place[m.Machine]; ok {
			observed[i] = observed[i] || m.Observed
		} else {
			place[m.Machine] = len(ids)
			ids, observed = append(ids, int32(m.Machine)), append(observed, m.Observed)
		}
		if m.Changed {
			changed = append(changed, m)
		}
	}
	tag, err := t.Exec(ctx, `
		UPDATE machine_seen s
		SET run_id = $1, tried_at = $2, observed_at = CASE WHEN u.observed THEN $2 ELSE s.observed_at END
		FROM unnest($3::integer[], $4::boolean[]) AS u (id, observed)
		WHERE s.machine_id = u.id`, int32(run), stamp(at), ids, observed)
	if err != nil {
		return fmt.Errorf("record that machines were seen: %w", err)
	}
	if n := tag.RowsAffected(); n != int64(len(ids)) {
		return fmt.Errorf("record that machines were seen: %d of %d machines are not there: %w", int64(len(ids))-n, len(ids), drift.ErrNotFound)
	}
	return t.setProblems(ctx, run, at, changed)
}

// setProblems ends the stretches of the outcomes that were, and begins those of the ones that are.
func (t *tx) setProblems(ctx context.Context, run drift.RunID, at time.Time, changed []drift.SeenMachine) error {
	if len(changed) == 0 {
		return nil
	}
	last := map[int32]drift.SeenMachine{}
	var ids []int32
	for _, m := range changed {
		if _, ok := last[int32(m.Machine)]; !ok {
			ids = append(ids, int32(m.Machine))
		}
		last[int32(m.Machine)] = m
	}
	var bad []int32
	var outcomes, reasons []string
	for _, id := range ids {
		if m := last[id]; m.Outcome != collector.OK {
			bad, outcomes, reasons = append(bad, id), append(outcomes, string(m.Outcome)), append(reasons, m.Reason)
		}
	}
	if _, err := t.Exec(ctx, `
		UPDATE machine_problems SET until_run = $1 WHERE machine_id = ANY($2::integer[]) AND until_run IS NULL`, int32(run), ids); err != nil {
		return fmt.Errorf("end problems: %w", err)
	}
	if len(bad) == 0 {
		return nil
	}
	if _, err := t.Exec(ctx, `
		INSERT INTO machine_problems (machine_id, since_run, since, outcome, reason)
		SELECT u.id, $1, $2, u.outcome, u.reason
		FROM unnest($3::integer[], $4::text[], $5::text[]) AS u (id, outcome, reason)`,
		int32(run), stamp(at), bad, outcomes, reasons); err != nil {
		return fmt.Errorf("record problems: %w", err)
	}
	return nil
}

// SetCompared implements drift.Tx.
func (t *tx) SetCompared(ctx context.Context, ms []drift.MachineRow, rev drift.RevisionID) error {
	ids := make([]int32, len(ms))
	for i, m := range ms {
		ids[i] = int32(m)
	}
	var there bool
	err := t.QueryRow(ctx, `SELECT $1 = 0 OR EXISTS (SELECT FROM baseline_revisions WHERE id = $1)`, int32(rev)).Scan(&there)
	if err == nil && !there {
		err = fmt.Errorf("revision %d: %w", rev, drift.ErrNotFound)
	}
	if err == nil {
		_, err = t.Exec(ctx, `
			UPDATE machine_seen SET compared_id = $1
			WHERE machine_id = ANY($2::integer[]) AND compared_id <> $1`, int32(rev), ids)
	}
	if err != nil {
		return fmt.Errorf("record the comparison: %w", err)
	}
	return nil
}
