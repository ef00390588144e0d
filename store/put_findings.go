package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// PutFindings implements drift.Tx. The caller has locked the machines. Written again
// after a crash, a finding stays the same row.
func (t *tx) PutFindings(ctx context.Context, fs []drift.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	fs, err := t.withChangeIDs(ctx, fs)
	if err != nil {
		return err
	}
	n := len(fs)
	machines, changes, severities, reopened := make([]int32, n), make([]int32, n), make([]int16, n), make([]int16, n)
	states, first, opened := make([]string, n), make([]time.Time, n), make([]time.Time, n)
	last, resolved := make([]*time.Time, n), make([]*time.Time, n)
	for i, f := range fs {
		machines[i], changes[i], states[i] = int32(f.Machine), int32(f.ChangeID), string(f.State)
		severities[i], reopened[i] = int16(f.Change.Severity), int16(min(f.Reopened, 1<<15-1))
		first[i], opened[i] = stamp(f.FirstSeen), stamp(f.OpenedAt)
		if f.State == drift.Resolved {
			// Of the others it is known from their facet.
			last[i], resolved[i] = orNull(later(f.LastSeen, f.OpenedAt)), orNull(f.ResolvedAt)
		}
	}
	_, err = t.Exec(ctx, `
		INSERT INTO findings (machine_id, change_id, severity, state, first_seen, opened_at, last_seen, resolved_at, reopened)
		SELECT * FROM unnest($1::integer[], $2::integer[], $3::smallint[], $4::text[], $5::timestamptz[], $6::timestamptz[],
		                     $7::timestamptz[], $8::timestamptz[], $9::smallint[])
		ON CONFLICT (machine_id, change_id) DO UPDATE SET
		  severity = excluded.severity, state = excluded.state, first_seen = excluded.first_seen, opened_at = excluded.opened_at,
		  last_seen = excluded.last_seen, resolved_at = excluded.resolved_at, reopened = excluded.reopened`,
		machines, changes, severities, states, first, opened, last, resolved, reopened)
	if err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// withChangeIDs returns findings with their change's id, sorted, the last of each.
func (t *tx) withChangeIDs(ctx context.Context, fs []drift.Finding) ([]drift.Finding, error) {
	fs = slices.Clone(fs)
	changes := map[inventory.Digest]baseline.Change{}
	digests := make([]inventory.Digest, len(fs))
	for i, f := range fs {
		if f.ChangeID == 0 {
			digests[i] = f.Change.Digest()
			changes[digests[i]] = f.Change
		}
	}
	ids, err := t.putChanges(ctx, changes)
	if err != nil {
		return nil, err
	}
	for i := range fs {
		if fs[i].ChangeID == 0 {
			fs[i].ChangeID = drift.ChangeID(ids[digests[i]])
		}
	}
	slices.Reverse(fs)
	order := func(a, b drift.Finding) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.ChangeID, b.ChangeID))
	}
	slices.SortStableFunc(fs, order)
	return slices.CompactFunc(fs, func(a, b drift.Finding) bool { return order(a, b) == 0 }), nil
}

// RetargetFinding implements drift.Tx. The caller has locked the machine.
func (t *tx) RetargetFinding(ctx context.Context, old, to drift.Finding) error {
	ends, err := t.withChangeIDs(ctx, []drift.Finding{old})
	if err != nil {
		return err
	}
	begins, err := t.withChangeIDs(ctx, []drift.Finding{{Machine: old.Machine, Change: to.Change}})
	if err != nil {
		return err
	}
	from, at := int32(ends[0].ChangeID), int32(begins[0].ChangeID)
	if from == at {
		return nil
	}
	// There may be a resolved finding of that change already. The one that goes on takes
	// its place, its beginning, and its count.
	rows, err := t.Query(ctx, `
		DELETE FROM findings WHERE machine_id = $1 AND change_id = $2 RETURNING first_seen, reopened`, int32(old.Machine), at)
	before, err := collect(rows, err, pgx.RowToStructByName[struct {
		FirstSeen time.Time
		Reopened  int
	}])
	if err != nil {
		return fmt.Errorf("retarget a finding: %w", err)
	}
	var first *time.Time
	var reopened int
	for _, b := range before {
		first, reopened = &b.FirstSeen, b.Reopened+1
	}
	tag, err := t.Exec(ctx, `
		UPDATE findings
		SET change_id = $3, severity = $4, first_seen = least(first_seen, $5), reopened = reopened + $6
		WHERE machine_id = $1 AND change_id = $2`,
		int32(old.Machine), from, at, int16(to.Change.Severity), first, reopened)
	if err != nil {
		return fmt.Errorf("retarget a finding: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("retarget a finding: %w", drift.ErrNotFound)
	}
	return nil
}
