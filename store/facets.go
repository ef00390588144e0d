package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/inventory"
)

// facetIDs returns the numbers of facets, giving one to those that have none yet.
func (t *tx) facetIDs(ctx context.Context, fs ...inventory.Facet) (map[inventory.Facet]int16, error) {
	out, lack := knownOf(t.memo.facets, fs)
	if len(lack) == 0 {
		return out, nil
	}
	if err := readFacetTable(ctx, t, t.memo); err != nil {
		return nil, err
	}
	if _, lack = knownOf(t.memo.facets, lack); len(lack) > 0 {
		// A crash before the commit leaves the facet without a number, as before. Two at once: the
		// lock makes the second wait, and find the first one's.
		if _, err := t.Exec(ctx, `LOCK TABLE facets IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return nil, fmt.Errorf("number facets: %w", err)
		}
		_, err := t.Exec(ctx, `
			INSERT INTO facets (id, name)
			SELECT (SELECT max(id) FROM facets) + row_number() OVER (ORDER BY u.name), u.name
			FROM unnest($1::text[]) u (name)
			WHERE u.name NOT IN (SELECT name FROM facets)`, lack)
		if err != nil {
			return nil, fmt.Errorf("number facets: %w", err)
		}
		if err := readFacetTable(ctx, t, t.memo); err != nil {
			return nil, err
		}
	}
	out, _ = knownOf(t.memo.facets, fs)
	return out, nil
}

// facetNames is the inverse, of numbers that were read from rows.
func facetNames(ctx context.Context, q querier, memo *memory, ids []int16) (map[int16]inventory.Facet, error) {
	out, lack := knownOf(memo.names, ids)
	if len(lack) == 0 {
		return out, nil
	}
	if err := readFacetTable(ctx, q, memo); err != nil {
		return nil, err
	}
	out, _ = knownOf(memo.names, ids)
	return out, nil
}

func readFacetTable(ctx context.Context, q querier, memo *memory) error {
	type row struct {
		ID   int16
		Name inventory.Facet
	}
	rows, err := q.Query(ctx, `SELECT id, name FROM facets ORDER BY id`)
	all, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return fmt.Errorf("read facets: %w", err)
	}
	for _, f := range all {
		memo.facets.put(f.Name, f.ID)
		memo.names.put(f.ID, f.Name)
	}
	return nil
}

// knownOf returns what the cache knows of the keys, and the keys, each once, that it does not know.
func knownOf[K comparable, V any](c *cache[K, V], keys []K) (known map[K]V, lack []K) {
	known = make(map[K]V, len(keys))
	lacking := map[K]bool{}
	for _, k := range keys {
		if _, ok := known[k]; ok || lacking[k] {
			continue
		}
		if v, ok := c.get(k); ok {
			known[k] = v
		} else {
			lacking[k] = true
			lack = append(lack, k)
		}
	}
	return known, lack
}

// collect is pgx.CollectRows that also takes the query's error.
func collect[T any](rows pgx.Rows, err error, to pgx.RowToFunc[T]) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, to)
}
