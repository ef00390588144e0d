package store

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/inventory"
)

// freeNames returns a name for each machine that no other one has now: its own, or with a suffix.
func (t *tx) freeNames(ctx context.Context, ms []inventory.Machine) ([]string, error) {
	names := make([]string, len(ms))
	next := make([]int, len(ms)) // the suffix to try next
	given := map[string]bool{}   // in this call
	var open []int
	for i := range ms {
		open = append(open, i)
	}
	for len(open) > 0 {
		var ask []string
		for _, i := range open {
			for {
				next[i]++
				names[i] = ms[i].Name
				if next[i] > 1 {
					names[i] += "~" + strconv.Itoa(next[i])
				}
				if !given[names[i]] {
					break
				}
			}
			given[names[i]] = true
			ask = append(ask, names[i])
		}
		rows, err := t.Query(ctx, `SELECT name FROM machines WHERE name = ANY($1::text[])`, ask)
		taken, err := collect(rows, err, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		open = slices.DeleteFunc(open, func(i int) bool { return !slices.Contains(taken, names[i]) })
	}
	return names, nil
}

// isName reports whether a machine that is to be called want is called so: with a
// suffix too, since taking it off again when the name becomes free would confuse.
func isName(have, want string) bool {
	rest, ok := strings.CutPrefix(have, want)
	if !ok || rest == "" {
		return ok
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "~"))
	return err == nil && n > 1 && rest == "~"+strconv.Itoa(n)
}
