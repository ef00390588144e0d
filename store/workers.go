package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
)

// Beat implements drift.Crew.
func (s *Store) Beat(ctx context.Context, w drift.Worker) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO workers AS w (name, zones, version, slots, draining) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET beats = w.beats + 1, seen_at = now(), draining = excluded.draining`,
		w.Name, w.Zones, w.Version, w.Slots, w.Draining)
	return explain("say that this worker lives", err)
}

// Workers implements drift.Crew.
func (s *Store) Workers(ctx context.Context) ([]drift.Worker, error) {
	type row struct {
		Name, Version     string
		Zones             []string
		Slots             int
		Draining          bool
		Beats             int64
		StartedAt, SeenAt time.Time
	}
	rows, err := s.pool.Query(ctx, `SELECT name, version, zones, slots, draining, beats, started_at, seen_at FROM workers ORDER BY name`)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read workers", err)
	}
	out := make([]drift.Worker, len(found))
	for i, r := range found {
		out[i] = drift.Worker{
			Name: r.Name, Version: r.Version, Zones: r.Zones, Slots: r.Slots, Draining: r.Draining, Beats: r.Beats, StartedAt: r.StartedAt, SeenAt: r.SeenAt,
		}
	}
	return out, nil
}

// Dismiss implements drift.Crew.
func (s *Store) Dismiss(ctx context.Context, name string) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM workers WHERE name = $1`, name)
	return explain("take a worker off the list", err)
}

// RunStates implements drift.Nights.
func (s *Store) RunStates(ctx context.Context, ids []drift.RunID) (map[drift.RunID]drift.RunState, error) {
	list := make([]int32, len(ids))
	for i, id := range ids {
		list[i] = int32(id)
	}
	type row struct {
		ID    int32
		State drift.RunState
	}
	rows, err := s.pool.Query(ctx, `SELECT id, state FROM runs WHERE id = ANY($1::integer[])`, list)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read runs", err)
	}
	out := map[drift.RunID]drift.RunState{}
	for _, r := range found {
		out[drift.RunID(r.ID)] = r.State
	}
	return out, nil
}

// HasResult implements drift.Nights.
func (s *Store) HasResult(ctx context.Context, run drift.Run, m drift.MachineRow) (bool, error) {
	var has bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM run_results WHERE run_id = $1 AND at = $2 AND $3 = ANY(machines))`,
		int32(run.ID), stamp(run.StartedAt), int32(m)).Scan(&has)
	return has, explain("read results", err)
}
