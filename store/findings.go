package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A findingRow is a finding as it is stored, with its change.
type findingRow struct {
	MachineID  int32
	ChangeID   int32
	FacetID    int16
	Key        string
	Op         baseline.Op
	Fields     []fieldText
	Severity   int16
	State      drift.FindingState
	FirstSeen  time.Time
	OpenedAt   time.Time
	LastSeen   time.Time
	ResolvedAt *time.Time
	Reopened   int

	AcknowledgedBy *string
	AcknowledgedAt *time.Time
	Note           *string
}

func (r findingRow) finding(facets map[int16]inventory.Facet) drift.Finding {
	f := drift.Finding{
		Machine: drift.MachineRow(r.MachineID), ChangeID: drift.ChangeID(r.ChangeID),
		Change: baseline.Change{Facet: facets[r.FacetID], Key: r.Key, Op: r.Op, Severity: baseline.Severity(r.Severity)},
		State:  r.State, FirstSeen: r.FirstSeen, OpenedAt: r.OpenedAt, LastSeen: r.LastSeen,
		ResolvedAt: orZero(r.ResolvedAt), Reopened: r.Reopened,
	}
	if r.AcknowledgedBy != nil {
		f.Acknowledged = drift.Acknowledgement{By: *r.AcknowledgedBy, At: orZero(r.AcknowledgedAt)}
		if r.Note != nil {
			f.Acknowledged.Note = *r.Note
		}
	}
	for _, field := range r.Fields {
		f.Change.Fields = append(f.Change.Fields, baseline.FieldChange(field))
	}
	return f
}

// Findings implements drift.Reader.
func (s *Store) Findings(ctx context.Context, q drift.FindingQuery) ([]drift.FindingRecord, error) {
	return s.findings(ctx, `
		CASE WHEN $1::text[] IS NULL THEN m.gone_at IS NULL ELSE m.name = ANY($1) END AND m.same_as IS NULL
		AND ($2::text[] IS NULL OR f.state = ANY($2))
		AND ($3::text[] IS NULL OR fc.name = ANY($3))`, anyOf(q.Machines), anyOf(q.States), anyOf(q.Facets))
}

// findings returns those that meet a condition on findings f, changes c, their facets fc and machines m.
func (s *Store) findings(ctx context.Context, where string, args ...any) ([]drift.FindingRecord, error) {
	type row struct {
		findingRow
		Machine  string
		Baseline *string
		Revision *int
	}
	// A finding that is not resolved was last seen when its facet was last observed.
	rows, err := s.pool.Query(ctx, `
		SELECT f.machine_id, f.change_id, c.facet_id, c.key, c.op, c.fields, f.severity, f.state,
		       f.first_seen, f.opened_at, f.resolved_at, f.reopened, f.acknowledged_by, f.acknowledged_at, f.note,
		       coalesce(f.last_seen, greatest(f.opened_at, coalesce(mf.last_observed, nullif(ms.observed_at, '-infinity')))) AS last_seen,
		       m.name AS machine, b.name AS baseline, r.number AS revision
		FROM findings f
		JOIN changes c ON c.id = f.change_id
		JOIN facets fc ON fc.id = c.facet_id
		JOIN machines m ON m.id = f.machine_id
		JOIN machine_seen ms ON ms.machine_id = f.machine_id
		LEFT JOIN machine_facets mf ON mf.machine_id = f.machine_id AND mf.facet_id = c.facet_id
		LEFT JOIN baseline_revisions r ON r.id = ms.compared_id
		LEFT JOIN baselines b ON b.id = r.baseline_id
		WHERE `+where+`
		ORDER BY m.name, fc.name, c.key, c.op, f.change_id`, args...)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read findings", err)
	}
	ids := make([]int16, len(found))
	for i, r := range found {
		ids[i] = r.FacetID
	}
	facets, err := facetNames(ctx, s.pool, s.memo, ids)
	if err != nil {
		return nil, explain("", err)
	}
	out := make([]drift.FindingRecord, len(found))
	for i, r := range found {
		out[i] = drift.FindingRecord{Finding: r.finding(facets), MachineName: r.Machine}
		if r.Baseline != nil {
			out[i].Baseline, out[i].Revision = *r.Baseline, *r.Revision
		}
	}
	return out, nil
}

// anyOf returns nil, which selects everything, for an empty list.
func anyOf[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}
