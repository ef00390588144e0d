package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// Baselines implements drift.Reader.
func (s *Store) Baselines(ctx context.Context) ([]drift.Revision, error) {
	out, err := latestRevisions(ctx, s.pool, s.memo)
	return out, explain("", err)
}

// Baselines implements drift.Tx.
func (t *tx) Baselines(ctx context.Context) ([]drift.Revision, error) {
	return latestRevisions(ctx, t, t.memo)
}

// Revisions implements drift.Reader.
func (s *Store) Revisions(ctx context.Context, name string) ([]drift.Revision, error) {
	out, err := readRevisions(ctx, s.pool, s.memo, selectRevisions+`
		WHERE b.name = $1
		ORDER BY r.number DESC`, name)
	if err == nil && len(out) == 0 {
		return nil, fmt.Errorf("baseline %s: %w", name, drift.ErrNotFound)
	}
	return out, explain("", err)
}

const selectRevisions = `
	SELECT r.id, b.name, r.number, r.author, r.reason, r.at, r.digest, r.spec,
	       (SELECT coalesce(jsonb_object_agg(f.name, rs.state_id), '{}')
	        FROM revision_states rs JOIN facets f ON f.id = rs.facet_id WHERE rs.revision_id = r.id) AS states
	FROM baseline_revisions r
	JOIN baselines b ON b.id = r.baseline_id
`

func latestRevisions(ctx context.Context, q querier, memo *memory) ([]drift.Revision, error) {
	return readRevisions(ctx, q, memo, selectRevisions+`
		WHERE r.number = (SELECT max(l.number) FROM baseline_revisions l WHERE l.baseline_id = r.baseline_id)
		ORDER BY b.name`)
}

func readRevisions(ctx context.Context, q querier, memo *memory, sql string, args ...any) ([]drift.Revision, error) {
	type row struct {
		ID     int32
		Name   string
		Number int
		Author string
		Reason string
		At     time.Time
		Digest []byte
		Spec   []byte
		States map[inventory.Facet]drift.StateID
	}
	rows, err := q.Query(ctx, sql, args...)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("read baselines: %w", err)
	}
	var ids []drift.StateID
	for _, r := range found {
		ids = append(ids, slices.Collect(maps.Values(r.States))...)
	}
	slices.Sort(ids)
	states, err := loadStates(ctx, q, memo, slices.Compact(ids))
	if err != nil {
		return nil, fmt.Errorf("read baselines: %w", err)
	}
	out := make([]drift.Revision, len(found))
	for i, r := range found {
		out[i] = drift.Revision{
			ID: drift.RevisionID(r.ID), Baseline: r.Name, Number: r.Number, Author: r.Author, Reason: r.Reason, At: r.At,
			Digest: inventory.Digest(r.Digest), States: r.States,
		}
		spec := &out[i].Spec
		if err := json.Unmarshal(r.Spec, spec); err != nil {
			return nil, fmt.Errorf("%w: revision %d of baseline %s: %w", ErrCorrupt, r.Number, r.Name, err)
		}
		for f, fs := range spec.Facets {
			id, ok := r.States[f]
			if !ok {
				return nil, fmt.Errorf("%w: revision %d of baseline %s has no items of %s", ErrCorrupt, r.Number, r.Name, f)
			}
			fs.Items = states[id]
			spec.Facets[f] = fs
		}
	}
	return out, nil
}

// PutRevision implements drift.Tx.
func (t *tx) PutRevision(ctx context.Context, r drift.Revision) (drift.Revision, error) {
	states, err := t.putGolden(ctx, r.Spec)
	if err != nil {
		return drift.Revision{}, err
	}
	id, err := t.nextRevision(ctx, r.Baseline, r.Number)
	if err != nil {
		return drift.Revision{}, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return drift.Revision{}, fmt.Errorf("write baseline %s: %w", r.Baseline, err)
	}
	r.At, r.States = stamp(r.At), states
	var row int32
	err = t.QueryRow(ctx, `
		INSERT INTO baseline_revisions (baseline_id, number, author, reason, at, digest, spec)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING id`, id, r.Number, r.Author, r.Reason, r.At, r.Digest[:], string(spec)).Scan(&row)
	if err != nil {
		return drift.Revision{}, fmt.Errorf("write baseline %s: %w", r.Baseline, err)
	}
	r.ID = drift.RevisionID(row)
	if _, err := t.Exec(ctx, `
		INSERT INTO revision_states (revision_id, facet_id, state_id)
		SELECT $1, s.facet_id, s.id FROM states s WHERE s.id = ANY($2::integer[]) ORDER BY s.facet_id`,
		row, slices.Sorted(maps.Values(states))); err != nil {
		return drift.Revision{}, fmt.Errorf("write baseline %s: %w", r.Baseline, err)
	}
	return r, nil
}

// putGolden stores the golden states of a spec.
func (t *tx) putGolden(ctx context.Context, spec baseline.Spec) (map[inventory.Facet]drift.StateID, error) {
	var put []drift.NewState
	for _, f := range slices.Sorted(maps.Keys(spec.Facets)) {
		items := spec.Facets[f].Items
		if items == nil || items.Facet() != f {
			return nil, fmt.Errorf("write baseline %s: facet %s has no items of its own", spec.Name, f)
		}
		put = append(put, drift.NewState{State: items})
	}
	ids, err := t.PutStates(ctx, put)
	if err != nil {
		return nil, err
	}
	out := make(map[inventory.Facet]drift.StateID, len(put))
	for _, s := range put {
		out[s.State.Facet()] = ids[s.State.Digest()]
	}
	return out, nil
}

// nextRevision locks the baseline, creating it for revision 1, and returns its row if that
// number is the next.
func (t *tx) nextRevision(ctx context.Context, name string, number int) (int32, error) {
	if number == 1 {
		// Waits for another who is creating it too.
		if _, err := t.Exec(ctx, `INSERT INTO baselines (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return 0, fmt.Errorf("write baseline %s: %w", name, err)
		}
	}
	var id int32
	err := t.QueryRow(ctx, `SELECT id FROM baselines WHERE name = $1 FOR UPDATE`, name).Scan(&id)
	if err == pgx.ErrNoRows {
		return 0, fmt.Errorf("baseline %s: %w", name, drift.ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("write baseline %s: %w", name, err)
	}
	var latest int
	if err := t.QueryRow(ctx, `SELECT coalesce(max(number), 0) FROM baseline_revisions WHERE baseline_id = $1`, id).Scan(&latest); err != nil {
		return 0, fmt.Errorf("write baseline %s: %w", name, err)
	}
	switch {
	case number == latest+1:
		return id, nil
	case number == 1:
		return 0, fmt.Errorf("baseline %s: %w", name, drift.ErrExists)
	}
	return 0, fmt.Errorf("baseline %s is at revision %d: %w", name, latest, drift.ErrConflict)
}
