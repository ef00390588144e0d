package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/inventory"
)

// itemDigest names an item: see the column of that name.
type itemDigest [16]byte

func digestItem(buf []byte, f inventory.Facet, it inventory.Item) (itemDigest, []byte) {
	buf = append(append(append(buf[:0], f...), 0), it.Key()...)
	if it.Encoded() != "" {
		buf = append(append(buf, '\t'), it.Encoded()...)
	}
	sum := sha256.Sum256(buf)
	return itemDigest(sum[:16]), buf
}

// A wantedItem is an item whose id is wanted.
type wantedItem struct {
	facet  int16
	digest itemDigest
	item   inventory.Item
}

// putItems stores the items that are new, and returns the ids of all.
func (t *tx) putItems(ctx context.Context, want map[itemDigest]wantedItem) (map[itemDigest]int32, error) {
	ids := make(map[itemDigest]int32, len(want))
	var lack []wantedItem
	for d, w := range want {
		if id, ok := t.memo.itemIDs.get(d); ok {
			ids[d] = id
		} else {
			lack = append(lack, w)
		}
	}
	// In one order everywhere, so that two transactions never wait for each other's.
	slices.SortFunc(lack, func(a, b wantedItem) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	for part := range slices.Chunk(lack, 20_000) {
		if err := t.putSomeItems(ctx, part, ids); err != nil {
			return nil, fmt.Errorf("store items: %w", err)
		}
	}
	return ids, nil
}

func (t *tx) putSomeItems(ctx context.Context, lack []wantedItem, ids map[itemDigest]int32) error {
	// Most are there already, and looking costs no id.
	lack, err := t.readItemIDs(ctx, lack, ids)
	if err != nil || len(lack) == 0 {
		return err
	}
	// Stored by a transaction that fails later, they are gone with it. By one that is killed, too.
	facets, digests := make([]int16, len(lack)), make([][]byte, len(lack))
	keys, fields := make([]string, len(lack)), make([]string, len(lack))
	for i, w := range lack {
		facets[i], digests[i], keys[i], fields[i] = w.facet, w.digest[:], w.item.Key(), w.item.Encoded()
	}
	rows, err := t.Query(ctx, `
		INSERT INTO items (facet_id, digest, key, fields)
		SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::text[], $4::text[])
		ON CONFLICT (digest) DO NOTHING
		RETURNING id, digest`, facets, digests, keys, fields)
	if err := t.noteItemIDs(rows, err, ids); err != nil {
		return err
	}
	// What another transaction stored meanwhile is committed by now: the insert waited for it.
	lack, err = t.readItemIDs(ctx, lack, ids)
	if err == nil && len(lack) > 0 {
		err = fmt.Errorf("%w: %d items can be neither stored nor found", ErrCorrupt, len(lack))
	}
	return err
}

// readItemIDs looks the items up that ids lacks, and returns those that are not there.
func (t *tx) readItemIDs(ctx context.Context, want []wantedItem, ids map[itemDigest]int32) ([]wantedItem, error) {
	var digests [][]byte
	for _, w := range want {
		if _, ok := ids[w.digest]; !ok {
			digests = append(digests, w.digest[:])
		}
	}
	if len(digests) == 0 {
		return nil, nil
	}
	rows, err := t.Query(ctx, `SELECT id, digest FROM items WHERE digest = ANY($1::bytea[])`, digests)
	if err := t.noteItemIDs(rows, err, ids); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(want), func(w wantedItem) bool { _, ok := ids[w.digest]; return ok }), nil
}

func (t *tx) noteItemIDs(rows pgx.Rows, err error, ids map[itemDigest]int32) error {
	type row struct {
		ID     int32
		Digest []byte
	}
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	for _, r := range found {
		d := itemDigest(r.Digest)
		ids[d] = r.ID
		t.memo.itemIDs.put(d, r.ID)
	}
	return err
}

// loadItems returns the items with those ids.
func loadItems(ctx context.Context, q querier, memo *memory, ids []int32) (map[int32]inventory.Item, error) {
	out, lack := knownOf(memo.items, ids)
	for part := range slices.Chunk(lack, 50_000) {
		type row struct {
			ID          int32
			Key, Fields string
		}
		rows, err := q.Query(ctx, `SELECT id, key, fields FROM items WHERE id = ANY($1::integer[]) ORDER BY id`, part)
		found, err := collect(rows, err, pgx.RowToStructByName[row])
		if err != nil {
			return nil, fmt.Errorf("load items: %w", err)
		}
		for _, r := range found {
			it, err := itemOf(r.Key, r.Fields)
			if err != nil {
				return nil, fmt.Errorf("%w: item %d: %w", ErrCorrupt, r.ID, err)
			}
			out[r.ID] = it
			memo.items.put(r.ID, it)
		}
	}
	for _, id := range lack {
		if _, ok := out[id]; !ok {
			return nil, fmt.Errorf("%w: there is no item %d", ErrCorrupt, id)
		}
	}
	return out, nil
}

func itemOf(key, fields string) (inventory.Item, error) {
	if fields != "" {
		key += "\t" + fields
	}
	return inventory.ParseLine(key)
}
