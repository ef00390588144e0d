package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
)

// PutEvents implements drift.Tx. The findings are written already.
func (t *tx) PutEvents(ctx context.Context, run drift.RunID, at time.Time, told []drift.FindingEvent) error {
	if len(told) == 0 {
		return nil
	}
	n := len(told)
	machines, changes, kinds := make([]int32, n), make([]int32, n), make([]string, n)
	for i, e := range told {
		f, err := t.withChangeIDs(ctx, []drift.Finding{e.Finding})
		if err != nil {
			return err
		}
		machines[i], changes[i], kinds[i] = int32(f[0].Machine), int32(f[0].ChangeID), string(e.Kind)
	}
	_, err := t.Exec(ctx, `
		INSERT INTO finding_events (at, run_id, machine_id, change_id, event)
		SELECT $1, $2, u.machine, u.change, u.event
		FROM unnest($3::integer[], $4::integer[], $5::text[]) AS u (machine, change, event)`,
		stamp(at), int32(run), machines, changes, kinds)
	return err
}

// Events implements drift.Nights.
func (s *Store) Events(ctx context.Context, change drift.ChangeID, machines []drift.MachineRow) ([]drift.FindingEvent, error) {
	type row struct {
		At        time.Time
		RunID     int32
		MachineID int32
		Machine   string
		Event     drift.EventKind
		By, Note  *string
	}
	var ids []int32
	for _, m := range machines {
		ids = append(ids, int32(m))
	}
	rows, err := s.pool.Query(ctx, `
		SELECT e.at, e.run_id, e.machine_id, m.name AS machine, e.event, e.by, e.note
		FROM finding_events e JOIN machines m ON m.id = e.machine_id
		WHERE e.change_id = $1 AND ($2::integer[] IS NULL OR e.machine_id = ANY($2))
		ORDER BY e.at DESC, e.event, e.run_id, e.by, e.note, m.name
		LIMIT 10000`, int32(change), ids)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read what befell findings", err)
	}
	out := make([]drift.FindingEvent, len(found))
	for i, r := range found {
		out[i] = drift.FindingEvent{
			Finding: drift.Finding{Machine: drift.MachineRow(r.MachineID), ChangeID: change}, Kind: r.Event, At: r.At, Run: drift.RunID(r.RunID), Machine: r.Machine,
		}
		if r.By != nil {
			out[i].By = *r.By
		}
		if r.Note != nil {
			out[i].Note = *r.Note
		}
	}
	return out, nil
}

// RunFindings implements drift.Nights.
func (s *Store) RunFindings(ctx context.Context, id drift.RunID) (opened, resolved []drift.FindingRecord, err error) {
	type row struct {
		MachineID, ChangeID int32
		Opened              bool
	}
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT e.machine_id, e.change_id, e.event <> 'resolved' AS opened
		FROM finding_events e JOIN runs r ON r.id = e.run_id AND r.started_at = e.at
		WHERE e.run_id = $1 AND e.event IN ('opened', 'reopened', 'resolved')`, int32(id))
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, nil, explain("read what a run found", err)
	}
	pairs := map[[2]int32]bool{}
	var machines, changes []int32
	for _, r := range found {
		pairs[[2]int32{r.MachineID, r.ChangeID}] = r.Opened
		machines, changes = append(machines, r.MachineID), append(changes, r.ChangeID)
	}
	all, err := s.findings(ctx, `
		m.gone_at IS NULL AND m.same_as IS NULL
		AND (f.machine_id, f.change_id) IN (SELECT * FROM unnest($1::integer[], $2::integer[]))`, machines, changes)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range all {
		switch isOpened := pairs[[2]int32{int32(f.Machine), int32(f.ChangeID)}]; {
		case isOpened && f.State != drift.Resolved:
			opened = append(opened, f)
		case !isOpened && f.State == drift.Resolved:
			resolved = append(resolved, f)
		}
	}
	return opened, resolved, nil
}
