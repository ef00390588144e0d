package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// LockUnended implements drift.NightTx.
func (t *tx) LockUnended(ctx context.Context) ([]drift.Run, error) {
	runs, err := readRuns(ctx, t, `SELECT * FROM runs WHERE queued AND state IN ('planned', 'running') ORDER BY id FOR UPDATE SKIP LOCKED`)
	slices.Reverse(runs)
	return runs, err
}

// LockRun implements drift.NightTx.
func (t *tx) LockRun(ctx context.Context, id drift.RunID) (drift.Run, error) {
	if _, err := t.Exec(ctx, `SELECT FROM runs WHERE id = $1 FOR UPDATE`, int32(id)); err != nil {
		return drift.Run{}, err
	}
	return oneRun(ctx, t, id)
}

// PlanRun implements drift.NightTx.
func (t *tx) PlanRun(ctx context.Context, r drift.Run, schedule drift.ScheduleID) (drift.RunID, bool, error) {
	var id int32
	err := t.QueryRow(ctx, `
		INSERT INTO runs (planned, started_at, state, trigger, queued, schedule_id, due_at, not_before, scope)
		VALUES (0, $1, 'planned', $2, true, $3, $4, $5, $6)
		ON CONFLICT (schedule_id, due_at) DO NOTHING
		RETURNING id`, stamp(r.StartedAt), r.Trigger, int32(schedule), orNull(r.DueAt), orNull(r.NotBefore), r.Scope).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("plan a run: %w", err)
	}
	return drift.RunID(id), true, nil
}

// HandRun implements drift.NightTx.
func (t *tx) HandRun(ctx context.Context, id drift.RunID, at, deadline time.Time) error {
	_, err := t.Exec(ctx, `UPDATE runs SET handed_at = $2, deadline_at = $3 WHERE id = $1 AND state = 'planned'`, int32(id), stamp(at), stamp(deadline))
	return err
}

// BeginRun implements drift.NightTx.
func (t *tx) BeginRun(ctx context.Context, id drift.RunID, machines []drift.MachineRow, notes []string, at time.Time) ([]drift.MachineRow, bool, error) {
	if err := t.ensurePartitions(ctx, at); err != nil {
		return nil, false, err
	}
	var state drift.RunState
	var had []int32
	var started time.Time
	err := t.QueryRow(ctx, `SELECT state, machines, started_at FROM runs WHERE id = $1 FOR UPDATE`, int32(id)).Scan(&state, &had, &started)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("run %d: %w", id, drift.ErrNotFound)
	}
	if err != nil || state != drift.RunPlanned {
		return nil, false, err
	}
	ids := make([]int32, 0, len(machines))
	for _, m := range machines {
		ids = append(ids, int32(m))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if notes == nil {
		notes = []string{}
	}
	if had == nil {
		_, err = t.Exec(ctx, `
			UPDATE runs SET state = 'running', machines = $2, planned = cardinality($2::integer[]), notes = $3, started_at = $4 WHERE id = $1`,
			int32(id), ids, notes, stamp(at))
		if err != nil {
			return nil, false, err
		}
		return toRows(ids), true, nil
	}
	// What is not listed any more since the run was cut short is not scanned, and so counts as not tried.
	if _, err = t.Exec(ctx, `UPDATE runs SET state = 'running', notes = $2 WHERE id = $1`, int32(id), notes); err != nil {
		return nil, false, err
	}
	rows, err := t.Query(ctx, `
		SELECT u.id FROM unnest($2::integer[]) AS u (id)
		WHERE u.id = ANY($3::integer[]) AND u.id NOT IN (
		  SELECT unnest(r.machines) FROM run_results r WHERE r.run_id = $1 AND r.at = $4
		)
		ORDER BY u.id`, int32(id), had, ids, started)
	left, err := collect(rows, err, pgx.RowTo[int32])
	return toRows(left), err == nil, err
}

func toRows(ids []int32) []drift.MachineRow {
	out := make([]drift.MachineRow, len(ids))
	for i, id := range ids {
		out[i] = drift.MachineRow(id)
	}
	return out
}

// EndRun implements drift.NightTx.
func (t *tx) EndRun(ctx context.Context, id drift.RunID, state drift.RunState, at time.Time) error {
	err := t.endRun(ctx, int32(id), state, stamp(at))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it has ended
	}
	return err
}

// CloseRun implements drift.NightTx.
func (t *tx) CloseRun(ctx context.Context, id drift.RunID, at time.Time) error {
	r, err := t.LockRun(ctx, id)
	if err != nil {
		return err
	}
	if !r.State.Ended() {
		if r.State == drift.RunPlanned || r.Recorded() < r.Planned {
			return nil // it was resumed
		}
		if err := t.EndRun(ctx, id, drift.RunFinished, at); err != nil {
			return err
		}
	}
	// A facet of a machine whose outcome in this run was not to be seen says what was known before.
	_, err = t.Exec(ctx, `
		WITH seen AS (
		  SELECT u.machine FROM run_results r, unnest(r.machines, r.outcomes) AS u (machine, outcome)
		  WHERE r.run_id = $1 AND r.at = $2 AND u.outcome IN (0, 1)
		),
		counted AS (
		  SELECT f.name AS facet, mf.status, count(*) AS machines
		  FROM seen JOIN machine_facets mf ON mf.machine_id = seen.machine JOIN facets f ON f.id = mf.facet_id
		  GROUP BY f.name, mf.status
		),
		facets AS (
		  SELECT jsonb_agg(jsonb_build_object('facet', facet, 'status', statuses) ORDER BY facet) AS all_of_them
		  FROM (SELECT facet, jsonb_object_agg(status, machines) AS statuses FROM counted GROUP BY facet) f
		),
		events AS (
		  SELECT count(*) FILTER (WHERE event IN ('opened', 'reopened')) AS opened, count(*) FILTER (WHERE event = 'resolved') AS resolved
		  FROM finding_events WHERE run_id = $1 AND at = $2
		)
		UPDATE runs SET facets = facets.all_of_them, opened = events.opened, resolved = events.resolved
		FROM facets, events WHERE runs.id = $1`, int32(id), stamp(r.StartedAt))
	if err == nil {
		_, err = t.Exec(ctx, `DELETE FROM run_sightings WHERE run_id = $1`, int32(id))
	}
	return err
}

// ReopenRun implements drift.NightTx.
func (t *tx) ReopenRun(ctx context.Context, id drift.RunID) error {
	if _, err := t.Exec(ctx, `DELETE FROM run_outcomes WHERE run_id = $1`, int32(id)); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `DELETE FROM notices WHERE run_id = $1 AND sent_at IS NULL`, int32(id)); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `
		UPDATE runs SET state = 'planned', finished_at = NULL, handed_at = NULL, deadline_at = NULL WHERE id = $1`, int32(id))
	return err
}

// PutSightings implements drift.NightTx.
func (t *tx) PutSightings(ctx context.Context, id drift.RunID, seen []drift.Sighting) error {
	if len(seen) == 0 {
		return nil
	}
	_, err := t.Exec(ctx, `INSERT INTO run_sightings (run_id, seen) VALUES ($1, $2)`, int32(id), seen)
	return err
}

// Sightings implements drift.Nights.
func (s *Store) Sightings(ctx context.Context, id drift.RunID) ([]drift.Sighting, error) {
	rows, err := s.pool.Query(ctx, `SELECT seen FROM run_sightings WHERE run_id = $1`, int32(id))
	found, err := collect(rows, err, pgx.RowTo[[]drift.Sighting])
	if err != nil {
		return nil, explain("read sightings", err)
	}
	byID := map[inventory.MachineID]bool{} // a machine that was recorded twice was seen once
	var out []drift.Sighting
	for _, batch := range found {
		for _, sight := range batch {
			if !byID[sight.ID] {
				byID[sight.ID] = true
				out = append(out, sight)
			}
		}
	}
	return out, nil
}

// ensurePartitions makes those that a run at that time writes to.
func (t *tx) ensurePartitions(ctx context.Context, at time.Time) error {
	var there bool
	at = stamp(at)
	if err := t.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, "run_results_"+at.Format("200601")).Scan(&there); err != nil || there {
		return err
	}
	if _, err := t.Exec(ctx, `SELECT ensure_partitions($1, $1)`, at); err != nil {
		return fmt.Errorf("make the partitions of a month: %w", err)
	}
	return nil
}
