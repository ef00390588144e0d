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
		if err := t.ensurePartitions(ctx, run.StartedAt); err != nil {
			return err
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
	rows, err := t.Query(ctx, `SELECT id FROM runs WHERE state = 'running' AND NOT queued ORDER BY id FOR UPDATE SKIP LOCKED`)
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

// endRun ends a run that has not ended, and counts its machines.
func (t *tx) endRun(ctx context.Context, id int32, state drift.RunState, at time.Time) error {
	var started time.Time
	if err := t.QueryRow(ctx, `
		UPDATE runs SET state = $2, finished_at = greatest(started_at, $3)
		WHERE id = $1 AND state IN ('planned', 'running') RETURNING started_at`, id, state, at).Scan(&started); err != nil {
		return err
	}
	return t.countResults(ctx, id, started)
}

// ListRuns implements drift.Runs.
func (s *Store) ListRuns(ctx context.Context, limit int) ([]drift.Run, error) {
	return readRuns(ctx, s.pool, `SELECT * FROM runs ORDER BY id DESC LIMIT $1`, limit)
}

// Run implements drift.Nights.
func (s *Store) Run(ctx context.Context, id drift.RunID) (drift.Run, error) {
	return oneRun(ctx, s.pool, id)
}

func oneRun(ctx context.Context, q querier, id drift.RunID) (drift.Run, error) {
	runs, err := readRuns(ctx, q, `SELECT * FROM runs WHERE id = $1`, int32(min(id, 1<<31-1)))
	if err == nil && len(runs) == 0 {
		return drift.Run{}, fmt.Errorf("run %d: %w", id, drift.ErrNotFound)
	}
	if err != nil {
		return drift.Run{}, err
	}
	return runs[0], nil
}

// readRuns reads the runs that a query on the table selects, newest first.
func readRuns(ctx context.Context, q querier, selected string, args ...any) ([]drift.Run, error) {
	type row struct {
		ID         int32
		Trigger    string
		StartedAt  time.Time
		FinishedAt *time.Time
		State      drift.RunState
		Planned    int
		Queued     bool
		Schedule   *string
		DueAt      *time.Time
		NotBefore  *time.Time
		HandedAt   *time.Time
		DeadlineAt *time.Time
		Scope      *drift.Scope
		Notes      []string
		Opened     int
		Resolved   int
		Facets     []drift.FacetCoverage
		Outcomes   map[collector.Outcome]int
	}
	args = append(args, outcomeNames())
	// A run that has not ended is counted now; the others were at their end.
	rows, err := q.Query(ctx, fmt.Sprintf(`
		WITH latest AS (%s),
		counted AS (
		  SELECT o.run_id, o.outcome, o.machines::bigint FROM run_outcomes o JOIN latest l ON l.id = o.run_id
		  WHERE l.state NOT IN ('planned', 'running')
		  UNION ALL
		  SELECT r.run_id, ($%d::text[])[u.code + 1], count(*)
		  FROM latest l JOIN run_results r ON r.run_id = l.id AND r.at = l.started_at, unnest(r.outcomes) AS u (code)
		  WHERE l.state IN ('planned', 'running')
		  GROUP BY r.run_id, u.code
		)
		SELECT l.id, l.trigger, l.started_at, l.finished_at, l.state, l.planned, l.queued, s.name AS schedule, l.due_at, l.not_before,
		       l.handed_at, l.deadline_at, l.scope, l.notes, l.opened, l.resolved, l.facets,
		       (SELECT coalesce(jsonb_object_agg(c.outcome, c.machines), '{}') FROM counted c WHERE c.run_id = l.id) AS outcomes
		FROM latest l
		LEFT JOIN schedules s ON s.id = l.schedule_id
		ORDER BY l.id DESC`, selected, len(args)), args...)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("list runs", err)
	}
	out := make([]drift.Run, len(found))
	for i, r := range found {
		out[i] = drift.Run{
			ID: drift.RunID(r.ID), Trigger: r.Trigger, StartedAt: r.StartedAt, FinishedAt: orZero(r.FinishedAt),
			State: r.State, Planned: r.Planned, Outcomes: r.Outcomes, Queued: r.Queued,
			DueAt: orZero(r.DueAt), NotBefore: orZero(r.NotBefore), HandedAt: orZero(r.HandedAt), Deadline: orZero(r.DeadlineAt),
			Notes: r.Notes, Opened: r.Opened, Resolved: r.Resolved, Facets: r.Facets,
		}
		if r.Schedule != nil {
			out[i].Schedule = *r.Schedule
		}
		if r.Scope != nil {
			out[i].Scope = *r.Scope
		}
	}
	return out, nil
}
