package baseline

import (
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// Gone reports whether an observation proves that a change, found earlier, is no
// longer so: undone, accepted, ignored by now, or become another change. That Diff does
// not return it is no proof: perhaps a field could not be read. Gone is false where
// it cannot be told, so that unknown closes nothing.
func (g *Golden) Gone(c Change, have inventory.Observation) bool {
	rules := g.rules[c.Facet]
	if rules == nil {
		return true // the baseline does not compare the facet any more
	}
	want := g.items(c.Facet)
	wantedItem, isWanted := want.Get(c.Key)
	if c.Op == Removed && !isWanted {
		return true // whatever the machine has: nothing is missed
	}
	if !have.Status.Observed() || have.State == nil || have.State.Facet() != c.Facet {
		return false
	}
	had, present := have.State.Get(c.Key)
	switch {
	case !present && !have.ItemsComplete:
		return false
	case present && c.Op == Removed, !present && c.Op != Removed, isWanted && c.Op == Added:
		return true
	}

	d := differ{facet: c.Facet, rules: rules}
	switch {
	case c.Op == Removed:
		d.oneSided(Removed, nil, &wantedItem)
	case c.Op == Added && rules.mode == Open, c.Op == Changed && !isWanted && rules.mode == Closed:
		return true // it does not matter any more, or is an added item now
	case c.Op == Added:
		d.oneSided(Added, &had, nil)
	case isWanted:
		d.changed(&had, &wantedItem)
	default:
		d.changed(&had, nil)
	}
	if slices.ContainsFunc(d.out, c.Compatible) {
		return false
	}
	if c.Op == Removed {
		return true
	}
	for _, f := range c.Fields {
		if _, known := had.Field(f.Name); !known {
			return false
		}
	}
	// A rule that asks for a field that could not be read may be what keeps the change away.
	return !slices.ContainsFunc(d.buf, func(m matched) bool {
		return m.verdict == possible && (m.rule.ignore != nil || m.rule.matcher != nil)
	})
}
