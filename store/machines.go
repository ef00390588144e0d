package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// ListMachines implements drift.Reader.
func (s *Store) ListMachines(ctx context.Context) ([]drift.MachineRecord, error) {
	var out []drift.MachineRecord
	err := s.read(ctx, func(q querier) (err error) {
		out, err = readMachines(ctx, q, selectMachines+` ORDER BY m.name`)
		if err != nil {
			return err
		}
		return readFacets(ctx, q, s.memo, out, selectFacets+` FROM machine_facets mf`)
	})
	return out, err
}

// Machine implements drift.Reader.
func (s *Store) Machine(ctx context.Context, name string) (drift.MachineRecord, error) {
	var out []drift.MachineRecord
	err := s.read(ctx, func(q querier) (err error) {
		out, err = readMachines(ctx, q, selectMachines+` WHERE m.name = $1`, name)
		if err != nil {
			return err
		}
		if len(out) == 0 {
			return fmt.Errorf("machine %s: %w", name, drift.ErrNotFound)
		}
		return readFacets(ctx, q, s.memo, out, selectFacets+` FROM machine_facets mf WHERE mf.machine_id = $1`, int32(out[0].Row))
	})
	if err != nil {
		return drift.MachineRecord{}, err
	}
	return out[0], nil
}

// machinesByID returns the machines with those ids, sorted by name.
func (t *tx) machinesByID(ctx context.Context, ids []int32) ([]drift.MachineRecord, error) {
	out, err := readMachines(ctx, t, selectMachines+` WHERE m.id = ANY($1::integer[]) ORDER BY m.name`, ids)
	if err != nil {
		return nil, err
	}
	// LATERAL and OFFSET 0 make it a look into the index per machine. Left to itself, and before the
	// first ANALYZE, the planner takes a few hundred machines for all there are, and reads the table.
	return out, readFacets(ctx, t, t.memo, out, selectFacets+`
		FROM unnest($1::integer[]) AS u (id)
		CROSS JOIN LATERAL (SELECT * FROM machine_facets f WHERE f.machine_id = u.id OFFSET 0) mf`, ids)
}

// read gives f one view of the database, so that what several queries return fits together.
func (s *Store) read(ctx context.Context, f func(querier) error) error {
	t, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return explain("connect to the database", err)
	}
	defer t.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // there is nothing to lose
	return explain("", f(t))
}

// selectMachines reads machines without their facets; what follows it selects.
const selectMachines = `
	SELECT m.id, m.source, m.native_id, m.name, m.address, m.labels, m.first_seen, m.gone_at, coalesce(o.name, '') AS same_as,
	       nullif(s.tried_at, '-infinity') AS tried_at, nullif(s.observed_at, '-infinity') AS observed_at,
	       s.run_id, s.compared_id, coalesce(b.name, '') AS baseline,
	       coalesce(p.outcome, CASE WHEN s.run_id = 0 THEN '' ELSE 'ok' END) AS outcome,
	       coalesce(p.reason, '') AS reason
	FROM machines m
	JOIN machine_seen s ON s.machine_id = m.id
	LEFT JOIN machines o ON o.id = m.same_as
	LEFT JOIN baseline_revisions r ON r.id = s.compared_id
	LEFT JOIN baselines b ON b.id = r.baseline_id
	LEFT JOIN machine_problems p ON p.machine_id = m.id AND p.until_run IS NULL
`

func readMachines(ctx context.Context, q querier, sql string, args ...any) ([]drift.MachineRecord, error) {
	type row struct {
		ID         int32
		Source     string
		NativeID   string
		Name       string
		Address    string
		Labels     map[string]string
		FirstSeen  time.Time
		GoneAt     *time.Time
		SameAs     string
		TriedAt    *time.Time
		ObservedAt *time.Time
		RunID      int32
		ComparedID int32
		Baseline   string
		Outcome    collector.Outcome
		Reason     string
	}
	rows, err := q.Query(ctx, sql, args...)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("read machines: %w", err)
	}
	out := make([]drift.MachineRecord, len(found))
	for i, r := range found {
		out[i] = drift.MachineRecord{
			Row: drift.MachineRow(r.ID),
			Machine: inventory.Machine{
				ID: inventory.MachineID{Source: r.Source, NativeID: r.NativeID}, Name: r.Name, Address: r.Address, Labels: r.Labels,
			},
			SameAs: r.SameAs, GoneAt: orZero(r.GoneAt), FirstSeen: r.FirstSeen, LastTried: orZero(r.TriedAt), LastObserved: orZero(r.ObservedAt),
			Outcome: r.Outcome, OutcomeReason: r.Reason,
			Compared: drift.RevisionID(r.ComparedID), Baseline: r.Baseline,
			LastRun: drift.RunID(r.RunID),
		}
		if len(r.Labels) == 0 {
			out[i].Machine.Labels = nil
		}
	}
	return out, nil
}
