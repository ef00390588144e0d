package baseline

import (
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// Diff holds an observation of a facet against the items wanted, judges the
// differences by the rules (nil: closed, none), and returns those that remain,
// sorted by key.
//
// What was not observed, as a whole or as a field, differs from nothing; and
// nothing is removed unless have.ItemsComplete. A rule's matcher takes the place of
// equality for the items on the machine that it selects: their value is right if
// and only if the matcher says so, even if the baseline has the same one. In an open
// facet it also judges items that the baseline does not have.
func Diff(have inventory.Observation, want *inventory.State, rules *FacetRules) []Change {
	if !have.Status.Observed() || have.State == nil || want == nil {
		return nil
	}
	if have.State.Facet() != want.Facet() {
		panic("baseline: diff of " + have.State.Facet() + " with " + want.Facet()) // a mistake of the caller, not of a machine
	}
	d := differ{facet: want.Facet(), rules: rules}
	if rules == nil {
		d.rules = &FacetRules{mode: Closed}
	}
	h, w := have.State.Items(), want.Items()
	governed := d.rules.governed(h)
	if len(governed) == 0 && have.State.Digest() == want.Digest() {
		return nil
	}
	ht, wt := have.State.Text(), want.Text() // from items i and j on
	slow := 0                                // items still to be looked at one by one
	for i, j := 0, 0; i < len(h) || j < len(w); {
		if slow--; slow < 0 && len(governed) == 0 && i+stride <= len(h) && j+stride <= len(w) {
			// Nearly all is as it should be: the same lines are compared many at a time.
			if n := linesSize(h[i : i+stride]); len(wt) >= n && wt[:n] == ht[:n] {
				i, j, ht, wt = i+stride, j+stride, ht[n:], wt[n:]
				continue
			}
			slow = stride
		}
		switch {
		case i < len(h) && j < len(w) && h[i].Key() == w[j].Key(): // the usual case
			if h[i].Encoded() != w[j].Encoded() || len(governed) > 0 && isGoverned(&governed, i) && d.rules.violates(h[i]) {
				d.changed(&h[i], &w[j])
			}
			ht, wt = ht[h[i].Size():], wt[w[j].Size():]
			i, j = i+1, j+1
		case j == len(w) || i < len(h) && h[i].Key() < w[j].Key():
			if d.rules.mode == Closed {
				d.oneSided(Added, &h[i], nil)
			} else if isGoverned(&governed, i) && d.rules.violates(h[i]) {
				d.changed(&h[i], nil)
			}
			ht = ht[h[i].Size():]
			i++
		default:
			if have.ItemsComplete {
				d.oneSided(Removed, nil, &w[j])
			}
			wt = wt[w[j].Size():]
			j++
		}
	}
	return d.out
}

// stride is how many items are compared at a time where all are expected to be the same.
const stride = 16

// linesSize returns how long the items are in the canonical text.
func linesSize(items []inventory.Item) int {
	n := 0
	for i := range items {
		n += items[i].Size()
	}
	return n
}

// isGoverned reports whether item i lies in one of the stretches, and drops those
// that lie before it: i only grows.
func isGoverned(s *[]stretch, i int) bool {
	for len(*s) > 0 && (*s)[0].to <= i {
		*s = (*s)[1:]
	}
	return len(*s) > 0 && (*s)[0].from <= i
}

// A differ collects the changes of one facet.
type differ struct {
	facet inventory.Facet
	rules *FacetRules
	out   []Change
	buf   []matched // of the difference at hand
	other []matched
}

// oneSided judges an item that only one side has.
func (d *differ) oneSided(op Op, had, wanted *inventory.Item) {
	it := had
	if it == nil {
		it = wanted
	}
	d.buf = d.rules.matching(d.buf[:0], op, it.Key(), had, wanted)
	if ignored(d.buf, "") {
		return
	}
	c := Change{Facet: d.facet, Key: it.Key(), Op: op, Severity: severity(d.buf, "")}
	n := 0
	if it.Encoded() != "" {
		n = 1 + strings.Count(it.Encoded(), "\t")
	}
	c.Fields = make([]FieldChange, 0, n)
	values := make([]string, 0, n) // one allocation for all that the fields point to
	for f := range it.Fields() {
		if ignored(d.buf, f.Name) && d.ignoredInChanged(it.Key(), f.Name, had, wanted) {
			continue // what is always ignored is no part of the change's identity
		}
		values = append(values, f.Value)
		fc := FieldChange{Name: f.Name}
		if op == Added {
			fc.Have = &values[len(values)-1]
		} else {
			fc.Want = &values[len(values)-1]
		}
		c.Fields = append(c.Fields, fc)
	}
	d.out = append(d.out, c)
}

// ignoredInChanged reports whether the field would be ignored in a changed item too. Otherwise
// an added item is to list it, or accepting that item would not accept the field.
func (d *differ) ignoredInChanged(key, field string, had, wanted *inventory.Item) bool {
	d.other = d.rules.matching(d.other[:0], Changed, key, had, wanted)
	return ignored(d.other, field)
}

// changed judges an item that the machine has and the baseline either has as well,
// or (wanted nil) only has matchers for.
func (d *differ) changed(had, wanted *inventory.Item) {
	d.buf = d.rules.matching(d.buf[:0], Changed, had.Key(), had, wanted)
	c := Change{Facet: d.facet, Key: had.Key(), Op: Changed}
	rest := ""
	if wanted != nil {
		rest = wanted.Encoded()
	}
	// Both sides are sorted by name, so that one pass over each is enough.
	for h := had.Encoded(); h != ""; {
		var f, g inventory.Field
		f, h = cutField(h)
		for asserted := false; rest != "" && !asserted; {
			var after string
			if g, after = cutField(rest); g.Name > f.Name {
				break
			}
			rest, asserted = after, g.Name == f.Name
		}
		want, wrong := g.Value, g.Name == f.Name && g.Value != f.Value
		if m, known := d.governing(f.Name); !known {
			continue // another field, which could not be read, decides on what is right here
		} else if m != nil {
			want, wrong = m.text, !m.allows(had.Key(), f.Value)
		}
		if !wrong || ignored(d.buf, f.Name) {
			continue
		}
		if s := severity(d.buf, f.Name); len(c.Fields) == 0 || s > c.Severity {
			c.Severity = s
		}
		values := &[2]string{want, f.Value}
		c.Fields = append(c.Fields, FieldChange{Name: f.Name, Want: &values[0], Have: &values[1]})
	}
	if len(c.Fields) > 0 {
		d.out = append(d.out, c)
	}
}

// governing is the function governing for the difference at hand.
func (d *differ) governing(field string) (*matcher, bool) {
	if len(d.rules.matchers) == 0 {
		return nil, true
	}
	return governing(d.buf, field)
}

// cutField returns the first field of an item's encoded fields, and the rest.
func cutField(encoded string) (f inventory.Field, rest string) {
	one, rest, _ := strings.Cut(encoded, "\t")
	f.Name, f.Value, _ = strings.Cut(one, "=")
	return f, rest
}
