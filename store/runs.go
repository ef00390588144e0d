package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// StartRun implements drift.Runs.
func (s *Store) StartRun(ctx context.Context, trigger string, planned int, at time.Time) (drift.Run, error) {
	run := drift.Run{
		Trigger: trigger, StartedAt: stamp(at), State: drift.RunRunning, Planned: planned, Outcomes: map[collector.Outcome]int{},
	}
	var id int32
	if err := s.pool.QueryRow(ctx, `SELECT nextval(pg_get_serial_sequence('runs', 'id'))::integer`).Scan(&id); err != nil {
		return drift.Run{}, explain("start a run", err)
	}
	run.ID = drift.RunID(id)
	// Before the row can be seen, or another process would take the run for dead.
	if err := s.alive.hold(ctx, id); err != nil {
		return drift.Run{}, explain("start a run", err)
	}
	err := s.inTx(ctx, func(t *tx) error {
		if err := t.endDeadRuns(ctx, run.StartedAt); err != nil {
			return fmt.Errorf("end runs whose process is gone: %w", err)
		}
		_, err := t.Exec(ctx, `INSERT INTO runs (id, planned, started_at, state, trigger) VALUES ($1, $2, $3, 'running', $4)`,
			id, planned, run.StartedAt, trigger)
		return err
	})
	if err != nil {
		s.alive.letGo(ctx, id)
		return drift.Run{}, explain("start a run", err)
	}
	return run, nil
}

// endDeadRuns marks runs as interrupted whose lock nobody holds.
func (t *tx) endDeadRuns(ctx context.Context, at time.Time) error {
	// Those that another process looks at right now are left to it.
	rows, err := t.Query(ctx, `SELECT id FROM runs WHERE state = 'running' ORDER BY id FOR UPDATE SKIP LOCKED`)
	running, err := collect(rows, err, pgx.RowTo[int32])
	if err != nil {
		return err
	}
	for _, id := range running {
		var dead bool
		if err := t.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, $2)`, runLocks, id).Scan(&dead); err != nil {
			return err
		}
		if dead {
			if err := t.endRun(ctx, id, drift.RunInterrupted, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// FinishRun implements drift.Runs. A crash before it leaves a run that the next one finds
// interrupted; a second call changes nothing.
func (s *Store) FinishRun(ctx context.Context, id drift.RunID, state drift.RunState, at time.Time) error {
	err := s.inTx(ctx, func(t *tx) error {
		var is drift.RunState
		// Waits for those that are counting for this run.
		err := t.QueryRow(ctx, `SELECT state FROM runs WHERE id = $1 FOR UPDATE`, int32(id)).Scan(&is)
		switch {
		case err == pgx.ErrNoRows:
			return drift.ErrNotFound
		case err != nil:
			return err
		case is == drift.RunRunning:
			return t.endRun(ctx, int32(id), state, stamp(at))
		}
		// Another process took us for dead, since our connection broke, and has counted.
		_, err = t.Exec(ctx, `UPDATE runs SET state = $2, finished_at = greatest(started_at, $3) WHERE id = $1 AND state = 'interrupted'`,
			int32(id), state, stamp(at))
		return err
	})
	if err != nil {
		return explain(fmt.Sprintf("finish run %d", id), err)
	}
	s.alive.letGo(ctx, int32(id))
	return nil
}

// endRun ends a running run and counts its machines: a machine is counted by machine_seen
// until another run tries it, so this is the moment.
func (t *tx) endRun(ctx context.Context, id int32, state drift.RunState, at time.Time) error {
	if _, err := t.Exec(ctx, `UPDATE runs SET state = $2, finished_at = greatest(started_at, $3) WHERE id = $1`, id, state, at); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `
		INSERT INTO run_outcomes AS o (run_id, outcome, machines)
		SELECT $1, coalesce(p.outcome, 'ok'), count(*)
		FROM machine_seen s
		LEFT JOIN machine_problems p ON p.machine_id = s.machine_id AND p.until_run IS NULL
		WHERE s.run_id = $1
		GROUP BY coalesce(p.outcome, 'ok')
		ORDER BY coalesce(p.outcome, 'ok')
		ON CONFLICT (run_id, outcome) DO UPDATE SET machines = o.machines + excluded.machines`, id)
	return err
}

// ListRuns implements drift.Runs.
func (s *Store) ListRuns(ctx context.Context, limit int) ([]drift.Run, error) {
	type row struct {
		ID         int32
		Trigger    string
		StartedAt  time.Time
		FinishedAt *time.Time
		State      drift.RunState
		Planned    int
		Outcomes   map[collector.Outcome]int
	}
	// Of a run that goes on, those counted already and those that machine_seen counts for it.
	rows, err := s.pool.Query(ctx, `
		WITH latest AS (SELECT * FROM runs ORDER BY id DESC LIMIT $1),
		counted AS (
		  SELECT o.run_id, o.outcome, o.machines FROM run_outcomes o JOIN latest l ON l.id = o.run_id
		  UNION ALL
		  SELECT s.run_id, coalesce(p.outcome, 'ok'), count(*)
		  FROM latest l
		  JOIN machine_seen s ON s.run_id = l.id
		  LEFT JOIN machine_problems p ON p.machine_id = s.machine_id AND p.until_run IS NULL
		  WHERE l.state = 'running'
		  GROUP BY s.run_id, coalesce(p.outcome, 'ok')
		),
		summed AS (SELECT run_id, outcome, sum(machines) AS machines FROM counted GROUP BY run_id, outcome)
		SELECT l.id, l.trigger, l.started_at, l.finished_at, l.state, l.planned,
		       (SELECT coalesce(jsonb_object_agg(c.outcome, c.machines), '{}') FROM summed c WHERE c.run_id = l.id) AS outcomes
		FROM latest l
		ORDER BY l.id DESC`, limit)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("list runs", err)
	}
	out := make([]drift.Run, len(found))
	for i, r := range found {
		out[i] = drift.Run{
			ID: drift.RunID(r.ID), Trigger: r.Trigger, StartedAt: r.StartedAt, FinishedAt: orZero(r.FinishedAt),
			State: r.State, Planned: r.Planned, Outcomes: r.Outcomes,
		}
	}
	return out, nil
}
