package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// FindItems implements drift.Reader. From the dictionary to the states that hold the items, from
// there to the machines that have the states: what is rare is found without reading the rest.
func (s *Store) FindItems(ctx context.Context, f inventory.Facet, prefixes []string, match func(inventory.Item) bool, at time.Time) ([]drift.Hit, error) {
	var hits []drift.Hit
	err := s.read(ctx, func(q querier) error {
		items, err := findItems(ctx, q, f, prefixes, match)
		if err != nil || len(items) == 0 {
			return err
		}
		holding, err := findStates(ctx, q, f, items)
		if err != nil || len(holding) == 0 {
			return err
		}
		hits, err = findMachines(ctx, q, holding, items, at)
		return err
	})
	return hits, err
}

// findItems returns the items that match, by id.
func findItems(ctx context.Context, q querier, f inventory.Facet, prefixes []string, match func(inventory.Item) bool) (map[int32]inventory.Item, error) {
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	out := map[int32]inventory.Item{}
	for _, prefix := range prefixes {
		from, to := keyRange(prefix)
		// The index has the beginnings of keys; what it finds may go on otherwise.
		rows, err := q.Query(ctx, `
			SELECT i.id, i.key, i.fields
			FROM items i
			WHERE i.facet_id = (SELECT id FROM facets WHERE name = $1)
			  AND left(i.key, 200) >= $2 AND left(i.key, 200) < $3
			  AND starts_with(i.key, $4)`, string(f), from, to, prefix)
		if err != nil {
			return nil, fmt.Errorf("find items: %w", err)
		}
		var id int32
		var key, fields string
		_, err = pgx.ForEachRow(rows, []any{&id, &key, &fields}, func() error {
			it, err := itemOf(key, fields)
			if err != nil {
				return fmt.Errorf("%w: item %d: %w", ErrCorrupt, id, err)
			}
			if match(it) {
				out[id] = it
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find items: %w", err)
		}
	}
	return out, nil
}

// keyRange returns the range of the first 200 characters of keys that begin with prefix.
// In UTF-8 the order of bytes is that of characters, so the range ends where the last
// character that can be raised is raised by one.
func keyRange(prefix string) (from, to string) {
	from = firstChars(prefix, 200)
	chars := []rune(from)
	for i := len(chars) - 1; i >= 0; i-- {
		next := chars[i] + 1
		if next == 0xd800 { // surrogates are not characters
			next = 0xe000
		}
		if next <= utf8.MaxRune {
			return from, string(append(chars[:i], next))
		}
	}
	return from, strings.Repeat(string(utf8.MaxRune), 201) // after all keys
}

func firstChars(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// findStates returns which of the items each state holds that holds any.
func findStates(ctx context.Context, q querier, f inventory.Facet, items map[int32]inventory.Item) (map[int32][]int32, error) {
	type row struct {
		ID      int32
		BaseID  *int32
		Added   []int32
		Removed []int32
	}
	ids := slices.Sorted(maps.Keys(items))
	// Those that were stored with one of the items, and those that build on one of these.
	rows, err := q.Query(ctx, `
		WITH holders AS MATERIALIZED (
		  SELECT id, base_id, added, removed FROM states
		  WHERE added && $1::integer[] AND facet_id = (SELECT id FROM facets WHERE name = $2)
		)
		SELECT id, base_id, added, removed FROM holders
		UNION ALL
		SELECT d.id, d.base_id, d.added, d.removed
		FROM holders h JOIN states d ON d.base_id = h.id
		WHERE h.base_id IS NULL AND NOT d.added && $1::integer[]
		ORDER BY 2 NULLS FIRST, 1`, ids, string(f))
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("find states: %w", err)
	}
	out := map[int32][]int32{}
	for _, r := range found { // bases first
		var has []int32
		if r.BaseID != nil {
			for _, id := range out[*r.BaseID] {
				if _, gone := slices.BinarySearch(r.Removed, id); !gone {
					has = append(has, id)
				}
			}
		}
		for _, id := range r.Added {
			if _, ok := items[id]; ok {
				has = append(has, id)
			}
		}
		if len(has) > 0 {
			out[r.ID] = has
		}
	}
	return out, nil
}

// findMachines returns the hits: who has, or had at that time, one of the states.
func findMachines(ctx context.Context, q querier, holding map[int32][]int32, items map[int32]inventory.Item, at time.Time) ([]drift.Hit, error) {
	type row struct {
		Name    string
		StateID int32
		Since   time.Time
	}
	states := slices.Sorted(maps.Keys(holding))
	// Every table is looked into by index, per state: see machinesByID.
	rows, err := q.Query(ctx, `
		SELECT m.name, mf.state_id, mf.state_since AS since
		FROM unnest($1::integer[]) AS u (id)
		CROSS JOIN LATERAL (SELECT * FROM machine_facets x WHERE x.state_id = u.id OFFSET 0) mf
		CROSS JOIN LATERAL (SELECT * FROM machines x WHERE x.id = mf.machine_id OFFSET 0) m
		WHERE CASE WHEN $2::timestamptz IS NULL THEN m.gone_at IS NULL ELSE mf.state_since <= $2 AND ($2 < m.gone_at) IS NOT FALSE END
		  AND m.same_as IS NULL
		UNION ALL
		SELECT m.name, h.state_id, h.from_at
		FROM unnest($1::integer[]) AS u (id)
		CROSS JOIN LATERAL (SELECT * FROM state_history x WHERE $2::timestamptz IS NOT NULL AND x.state_id = u.id AND x.from_at <= $2 AND $2 < x.until_at OFFSET 0) h
		CROSS JOIN LATERAL (SELECT * FROM machines x WHERE x.id = h.machine_id OFFSET 0) m`, states, orNull(at))
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, fmt.Errorf("find machines: %w", err)
	}
	slices.SortFunc(found, func(a, b row) int { return cmp.Compare(a.Name, b.Name) })
	for _, has := range holding {
		slices.SortFunc(has, func(a, b int32) int { return byKey(items[a], items[b]) })
	}
	var hits []drift.Hit
	for _, r := range found {
		for _, id := range holding[r.StateID] {
			hits = append(hits, drift.Hit{Machine: r.Name, Item: items[id], Since: r.Since})
		}
	}
	return hits, nil
}
