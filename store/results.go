package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// outcomeCodes are how outcomes are stored in run_results, by place. Only ever added to.
var outcomeCodes = []collector.Outcome{
	collector.OK, collector.Partly, collector.Unreachable, collector.AuthFailed, collector.HostKeyUnknown, collector.HostKeyChanged,
	collector.TimedOut, collector.Broken, collector.WrongMachine, collector.Cancelled, collector.SwitchedOff, collector.NoAddress,
}

// AddResults implements drift.Tx. The caller has locked the machines, so that no other transaction adds the same ones.
func (t *tx) AddResults(ctx context.Context, run drift.Run, results []drift.MachineResult) (bool, error) {
	var maybe []int32
	for _, r := range results {
		if r.Maybe {
			maybe = append(maybe, int32(r.Machine))
		}
	}
	done := map[int32]bool{}
	if len(maybe) > 0 {
		rows, err := t.Query(ctx, `
			SELECT DISTINCT u.id FROM run_results r, unnest(r.machines) AS u (id)
			WHERE r.run_id = $1 AND r.at = $2 AND u.id = ANY($3::integer[])`, int32(run.ID), stamp(run.StartedAt), maybe)
		have, err := collect(rows, err, pgx.RowTo[int32])
		if err != nil {
			return false, err
		}
		for _, id := range have {
			done[id] = true
		}
	}
	var machines, took []int32
	var outcomes []int16
	for _, r := range results {
		if done[int32(r.Machine)] {
			continue
		}
		done[int32(r.Machine)] = true // two names of one machine are one
		code := slices.Index(outcomeCodes, r.Outcome)
		if code < 0 {
			return false, fmt.Errorf("outcome %q has no code", r.Outcome)
		}
		machines, outcomes = append(machines, int32(r.Machine)), append(outcomes, int16(code))
		took = append(took, int32(min(r.Took.Milliseconds(), 1<<31-1)))
	}
	if len(machines) == 0 {
		var all bool
		err := t.QueryRow(ctx, `SELECT queued AND state = 'running' AND recorded >= planned FROM runs WHERE id = $1`, int32(run.ID)).Scan(&all)
		return all, err
	}
	if _, err := t.Exec(ctx, `
		INSERT INTO run_results (at, run_id, machines, outcomes, took_ms) VALUES ($1, $2, $3, $4, $5)`,
		stamp(run.StartedAt), int32(run.ID), machines, outcomes, took); err != nil {
		return false, err
	}
	var state drift.RunState
	var queued bool
	var left int
	if err := t.QueryRow(ctx, `
		UPDATE runs SET recorded = recorded + $2 WHERE id = $1 RETURNING state, queued, planned - recorded`,
		int32(run.ID), len(machines)).Scan(&state, &queued, &left); err != nil {
		return false, err
	}
	if state.Ended() { // it was ended, and counted, while these were under way
		if err := t.countResults(ctx, int32(run.ID), stamp(run.StartedAt)); err != nil {
			return false, err
		}
	}
	return queued && state == drift.RunRunning && left <= 0, nil
}

// countResults writes how many machines of a run ended how.
func (t *tx) countResults(ctx context.Context, id int32, at time.Time) error {
	_, err := t.Exec(ctx, `
		INSERT INTO run_outcomes (run_id, outcome, machines)
		SELECT $1, ($3::text[])[u.code + 1], count(*)
		FROM run_results r, unnest(r.outcomes) AS u (code)
		WHERE r.run_id = $1 AND r.at = $2
		GROUP BY u.code
		ON CONFLICT (run_id, outcome) DO UPDATE SET machines = excluded.machines`, id, at, outcomeNames())
	return err
}

func outcomeNames() []string {
	out := make([]string, len(outcomeCodes))
	for i, o := range outcomeCodes {
		out[i] = string(o)
	}
	return out
}

// RunMachines implements drift.Nights.
func (s *Store) RunMachines(ctx context.Context, id drift.RunID) ([]drift.RunMachine, error) {
	type row struct {
		ID      int32
		Name    string
		Labels  map[string]string
		Outcome *int16
		Reason  *string
		TookMs  *int32
	}
	// The reason is that of the stretch of trouble in which the run lies.
	rows, err := s.pool.Query(ctx, `
		WITH run AS (SELECT id, started_at, machines FROM runs WHERE id = $1),
		results AS (
		  SELECT u.machine, u.outcome, u.took
		  FROM run JOIN run_results r ON r.run_id = run.id AND r.at = run.started_at,
		       unnest(r.machines, r.outcomes, r.took_ms) AS u (machine, outcome, took)
		),
		wanted AS (SELECT machine FROM results UNION SELECT unnest(machines) FROM run)
		SELECT m.id, m.name, m.labels, r.outcome, p.reason, r.took AS took_ms
		FROM wanted w
		JOIN machines m ON m.id = w.machine
		LEFT JOIN results r ON r.machine = w.machine
		LEFT JOIN LATERAL (
		  SELECT reason FROM machine_problems p
		  WHERE r.outcome <> 0 AND p.machine_id = w.machine AND p.since_run <= $1 AND (p.until_run IS NULL OR p.until_run > $1)
		    AND p.outcome = ($2::text[])[r.outcome + 1]
		  ORDER BY p.id DESC LIMIT 1
		) p ON true
		ORDER BY m.name`, int32(id), outcomeNames())
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read a run", err)
	}
	out := make([]drift.RunMachine, len(found))
	for i, r := range found {
		out[i] = drift.RunMachine{Row: drift.MachineRow(r.ID), Name: r.Name, Labels: r.Labels}
		if r.Outcome != nil && int(*r.Outcome) < len(outcomeCodes) {
			out[i].Outcome, out[i].Took = outcomeCodes[*r.Outcome], time.Duration(*r.TookMs)*time.Millisecond
		}
		if r.Reason != nil {
			out[i].Reason = *r.Reason
		}
	}
	return out, nil
}
