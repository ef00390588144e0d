package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// A fieldText is a field of a change as it is stored. The names are part of the format.
type fieldText struct {
	Name string  `json:"name"`
	Want *string `json:"want"`
	Have *string `json:"have"`
}

// putChanges stores the changes that are new and returns the ids of all.
func (t *tx) putChanges(ctx context.Context, changes map[inventory.Digest]baseline.Change) (map[inventory.Digest]int32, error) {
	ids := make(map[inventory.Digest]int32, len(changes))
	var lack []inventory.Digest
	for d := range changes {
		if id, ok := t.memo.changes.get(d); ok {
			ids[d] = id
		} else {
			lack = append(lack, d)
		}
	}
	lack, err := t.readChangeIDs(ctx, lack, ids)
	if err != nil || len(lack) == 0 {
		return ids, err
	}
	// In one order everywhere, so that two transactions never wait for each other's.
	slices.SortFunc(lack, func(a, b inventory.Digest) int { return bytes.Compare(a[:], b[:]) })
	var names []inventory.Facet
	for _, d := range lack {
		names = append(names, changes[d].Facet)
	}
	facets, err := t.facetIDs(ctx, names...)
	if err != nil {
		return nil, err
	}
	n := len(lack)
	facetIDs, digests, ops, keys, fields := make([]int16, n), make([][]byte, n), make([]string, n), make([]string, n), make([]string, n)
	for i, d := range lack {
		c := changes[d]
		texts := make([]fieldText, len(c.Fields))
		for j, f := range c.Fields {
			texts[j] = fieldText(f)
		}
		b, err := json.Marshal(texts)
		if err != nil {
			return nil, err
		}
		facetIDs[i], digests[i], ops[i], keys[i], fields[i] = facets[c.Facet], d[:], string(c.Op), c.Key, string(b)
	}
	if _, err := t.Exec(ctx, `
		INSERT INTO changes (facet_id, digest, op, key, fields)
		SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::text[], $4::text[], $5::jsonb[])
		ON CONFLICT (digest) DO NOTHING`, facetIDs, digests, ops, keys, fields); err != nil {
		return nil, fmt.Errorf("store changes: %w", err)
	}
	// Ours and those that another transaction stored meanwhile.
	lack, err = t.readChangeIDs(ctx, lack, ids)
	if err == nil && len(lack) > 0 {
		err = fmt.Errorf("%w: %d changes can be neither stored nor found", ErrCorrupt, len(lack))
	}
	return ids, err
}

// readChangeIDs looks changes up, and returns those that are not there.
func (t *tx) readChangeIDs(ctx context.Context, want []inventory.Digest, ids map[inventory.Digest]int32) ([]inventory.Digest, error) {
	if len(want) == 0 {
		return nil, nil
	}
	digests := make([][]byte, len(want))
	for i := range want {
		digests[i] = want[i][:]
	}
	type row struct {
		ID     int32
		Digest []byte
	}
	rows, err := t.Query(ctx, `SELECT id, digest FROM changes WHERE digest = ANY($1::bytea[])`, digests)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("look changes up: %w", err)
	}
	for _, r := range found {
		ids[inventory.Digest(r.Digest)] = r.ID
		t.memo.changes.put(inventory.Digest(r.Digest), r.ID)
	}
	return slices.DeleteFunc(slices.Clone(want), func(d inventory.Digest) bool { _, ok := ids[d]; return ok }), nil
}
