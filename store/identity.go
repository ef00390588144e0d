package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// Aliases implements drift.Reader.
func (s *Store) Aliases(ctx context.Context) ([]drift.Alias, error) {
	type row struct {
		Source, NativeID         string
		IntoSource, IntoNativeID string
		Name, Address            string
		Labels                   map[string]string
	}
	rows, err := s.pool.Query(ctx, `
		SELECT a.source, a.native_id, m.source AS into_source, m.native_id AS into_native_id, m.name, m.address, m.labels
		FROM machines a JOIN machines m ON m.id = a.same_as
		ORDER BY a.id`)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read which machines are one", err)
	}
	out := make([]drift.Alias, len(found))
	for i, r := range found {
		out[i] = drift.Alias{
			ID: inventory.MachineID{Source: r.Source, NativeID: r.NativeID},
			Into: inventory.Machine{
				ID: inventory.MachineID{Source: r.IntoSource, NativeID: r.IntoNativeID}, Name: r.Name, Address: r.Address, Labels: r.Labels,
			},
		}
	}
	return out, nil
}

// SetListed implements drift.Tx. A source that lists nothing changes nothing: the answer is then
// how many machines it had.
func (t *tx) SetListed(ctx context.Context, source string, ids []string, at time.Time) (int, error) {
	if len(ids) == 0 {
		var had int
		err := t.QueryRow(ctx, `SELECT count(*) FROM machines WHERE source = $1 AND gone_at IS NULL`, source).Scan(&had)
		return had, err
	}
	if _, err := t.Exec(ctx, `
		UPDATE machines SET gone_at = NULL
		WHERE source = $1 AND gone_at IS NOT NULL AND native_id = ANY($2::text[])`, source, ids); err != nil {
		return 0, fmt.Errorf("bring machines back: %w", err)
	}
	// Not "native_id <> ALL", which compares every machine with every id.
	tag, err := t.Exec(ctx, `
		UPDATE machines m SET gone_at = $3
		WHERE m.source = $1 AND m.gone_at IS NULL
		  AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS u (id) WHERE u.id = m.native_id)`, source, ids, stamp(at))
	if err != nil {
		return 0, fmt.Errorf("retire machines: %w", err)
	}
	if tag.RowsAffected() > 0 {
		err = t.partFromGone(ctx)
	}
	return int(tag.RowsAffected()), err
}

// partFromGone makes what was one machine with one that is gone, such as an inventory's line that is still
// there, a machine of its own again.
func (t *tx) partFromGone(ctx context.Context) error {
	_, err := t.Exec(ctx, `
		UPDATE machines a SET same_as = NULL
		FROM machines m WHERE m.id = a.same_as AND m.gone_at IS NOT NULL`)
	if err != nil {
		return fmt.Errorf("part machines: %w", err)
	}
	return nil
}

// Link implements drift.Tx.
func (t *tx) Link(ctx context.Context, l drift.Link) error {
	ids, err := t.machineIDs(ctx, []inventory.MachineID{l.From, l.Into})
	if err != nil {
		return err
	}
	from, okFrom := ids[l.From]
	into, okInto := ids[l.Into]
	if !okFrom || !okInto || from == into {
		return nil
	}
	// Whoever records one of the two goes before or after.
	if err := t.lock(ctx, []int32{from, into}); err != nil {
		return err
	}
	var linked bool
	err = t.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM machines WHERE id = $1 AND same_as IS NOT NULL OR id = $2 AND same_as IS NOT NULL)`, from, into).Scan(&linked)
	if err != nil || linked {
		return err
	}
	if err := t.rename(ctx, from, into, l.Name); err != nil {
		return fmt.Errorf("name it: %w", err)
	}
	if _, err := t.Exec(ctx, `UPDATE machines SET same_as = $2 WHERE id = $1 OR same_as = $1`, from, into); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `
		UPDATE findings f SET machine_id = $2
		WHERE f.machine_id = $1
		  AND NOT EXISTS (SELECT FROM findings g WHERE g.machine_id = $2 AND g.change_id = f.change_id)`, from, into); err != nil {
		return fmt.Errorf("move findings: %w", err)
	}
	// The findings that moved were compared with From's revision. If Into was compared with another, it
	// has to be compared again: 0 says so. If with none, with that one it goes on.
	_, err = t.Exec(ctx, `
		UPDATE machine_seen s
		SET compared_id = CASE WHEN s.compared_id = 0 THEN f.compared_id ELSE 0 END
		FROM machine_seen f
		WHERE s.machine_id = $2 AND f.machine_id = $1 AND f.compared_id NOT IN (0, s.compared_id)`, from, into)
	return err
}

// rename gives into the name, and from, if it has that one, another.
func (t *tx) rename(ctx context.Context, from, into int32, name string) error {
	if name == "" {
		return nil
	}
	var has string
	if err := t.QueryRow(ctx, `SELECT name FROM machines WHERE id = $1`, from).Scan(&has); err != nil {
		return err
	}
	if isName(has, name) {
		free, err := t.freeNames(ctx, []inventory.Machine{{Name: name}})
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `UPDATE machines SET name = $2 WHERE id = $1`, from, free[0]); err != nil {
			return err
		}
	}
	var now string
	if err := t.QueryRow(ctx, `SELECT name FROM machines WHERE id = $1`, into).Scan(&now); err != nil || now == name {
		return err
	}
	free, err := t.freeNames(ctx, []inventory.Machine{{Name: name}})
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `UPDATE machines SET name = $2 WHERE id = $1`, into, free[0])
	return err
}

// Unlink implements drift.Tx.
func (t *tx) Unlink(ctx context.Context, ids []inventory.MachineID) error {
	rows, err := t.machineIDs(ctx, ids)
	if err != nil || len(rows) == 0 {
		return err
	}
	var list []int32
	for _, id := range rows {
		list = append(list, id)
	}
	_, err = t.Exec(ctx, `UPDATE machines SET same_as = NULL WHERE id = ANY($1::integer[]) AND same_as IS NOT NULL`, list)
	return err
}

// Forget implements drift.Tx.
func (t *tx) Forget(ctx context.Context, ms []drift.MachineRow, at time.Time) error {
	ids := make([]int32, len(ms))
	for i, m := range ms {
		ids[i] = int32(m)
	}
	_, err := t.Exec(ctx, `UPDATE machines SET gone_at = $2 WHERE id = ANY($1::integer[]) AND gone_at IS NULL`, ids, stamp(at))
	if err != nil {
		return fmt.Errorf("forget machines: %w", err)
	}
	return t.partFromGone(ctx)
}
