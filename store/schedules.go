package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
)

const selectSchedules = `SELECT id, name, spec, from_config, paused, next_at FROM schedules ORDER BY name`

func readSchedules(ctx context.Context, q querier, sql string) ([]drift.Schedule, error) {
	type row struct {
		ID         int32
		Name       string
		Spec       drift.ScheduleSpec
		FromConfig bool
		Paused     bool
		NextAt     *time.Time
	}
	rows, err := q.Query(ctx, sql)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read schedules", err)
	}
	out := make([]drift.Schedule, len(found))
	for i, r := range found {
		out[i] = drift.Schedule{
			ID: drift.ScheduleID(r.ID), Name: r.Name, Spec: r.Spec, FromConfig: r.FromConfig, Paused: r.Paused, NextAt: orZero(r.NextAt),
		}
	}
	return out, nil
}

// Schedules implements drift.Nights.
func (s *Store) Schedules(ctx context.Context) ([]drift.Schedule, error) {
	var out []drift.Schedule
	err := s.read(ctx, func(q querier) (err error) {
		if out, err = readSchedules(ctx, q, selectSchedules); err != nil {
			return err
		}
		// Of each the last ones suffice: one that has found no success among them has long raised the alarm.
		runs, err := readRuns(ctx, q, `
			SELECT r.* FROM schedules s
			CROSS JOIN LATERAL (
			  SELECT * FROM runs WHERE schedule_id = s.id AND finished_at IS NOT NULL ORDER BY due_at DESC NULLS LAST, id DESC LIMIT 30
			) r`)
		if err != nil {
			return err
		}
		for i, sched := range out {
			for _, r := range runs {
				if r.Schedule != sched.Name {
					continue
				}
				if out[i].Last == nil {
					out[i].Last = &r
				}
				if out[i].LastSuccess == nil && r.State == drift.RunFinished && r.Alarm() == "" {
					out[i].LastSuccess = &r
				}
			}
		}
		return nil
	})
	return out, err
}

// Now implements drift.NightTx.
func (t *tx) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := t.QueryRow(ctx, `SELECT now()`).Scan(&now)
	return now, err
}

// Enqueue implements drift.NightTx.
func (t *tx) Enqueue(ctx context.Context, jobs ...drift.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	if t.s.enqueue == nil {
		return fmt.Errorf("put jobs down: this process has no queue")
	}
	if err := t.s.enqueue(ctx, t.Tx, jobs); err != nil {
		return fmt.Errorf("put jobs down: %w", err)
	}
	return nil
}

// scheduleLock keeps those that look at schedules apart from those that change them: "vmds" in ASCII.
const scheduleLock = 0x766d6473

// LockSchedules implements drift.NightTx.
func (t *tx) LockSchedules(ctx context.Context) ([]drift.Schedule, error) {
	if _, err := t.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, scheduleLock); err != nil {
		return nil, err
	}
	return readSchedules(ctx, t, selectSchedules)
}

// PutSchedule implements drift.NightTx.
func (t *tx) PutSchedule(ctx context.Context, s drift.Schedule) error {
	sql := `INSERT INTO schedules (name, spec, from_config, paused, next_at) VALUES ($1, $2, $3, $4, $5)`
	args := []any{s.Name, s.Spec, s.FromConfig, s.Paused, orNull(s.NextAt)}
	if s.ID != 0 {
		sql = `UPDATE schedules SET name = $1, spec = $2, from_config = $3, paused = $4, next_at = $5 WHERE id = $6`
		args = append(args, int32(s.ID))
	}
	if _, err := t.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("write schedule %s: %w", s.Name, err)
	}
	return nil
}

// DeleteSchedule implements drift.NightTx. Its runs stay.
func (t *tx) DeleteSchedule(ctx context.Context, id drift.ScheduleID) error {
	_, err := t.Exec(ctx, `DELETE FROM schedules WHERE id = $1`, int32(id))
	return err
}
