package baseline

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// ErrConflict is what Apply's errors wrap: the baseline is no longer what the
// change was found against.
var ErrConflict = errors.New("the baseline has changed meanwhile")

// Apply returns the Spec that wants what the changes say the machine has: added items are in
// it, removed ones are not, changed fields have their new values. Where a rule's matcher refused a
// value, a rule for this one item allows it. s itself stays as it is.
//
// What a change says is wanted must be what s wants; otherwise nothing is
// applied, and the error names every such change and wraps ErrConflict.
func (s Spec) Apply(changes []Change) (Spec, error) {
	out := s
	out.Facets = maps.Clone(s.Facets)
	byFacet := map[inventory.Facet][]Change{}
	for _, c := range changes {
		byFacet[c.Facet] = append(byFacet[c.Facet], c)
	}
	var errs []error
	for _, f := range slices.Sorted(maps.Keys(byFacet)) {
		fs, ok := s.Facets[f]
		if !ok || fs.Items == nil {
			errs = append(errs, fmt.Errorf("%s: the baseline does not compare it: %w", f, ErrConflict))
			continue
		}
		e := facetEdit{facet: f, items: make(map[string]inventory.Item, fs.Items.Len()), rules: slices.Clone(fs.Rules)}
		for _, it := range fs.Items.Items() {
			e.items[it.Key()] = it
		}
		for _, c := range byFacet[f] {
			if err := e.apply(c); err != nil {
				errs = append(errs, fmt.Errorf("%s %.200s: %w", f, c.Key, err))
			}
		}
		st, err := inventory.NewState(f, slices.Collect(maps.Values(e.items))...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out.Facets[f] = FacetSpec{Mode: fs.Mode, Items: st, Rules: e.rules}
	}
	if len(errs) > 0 {
		return Spec{}, errors.Join(errs...)
	}
	return out, nil
}

// A facetEdit is a facet's part of a baseline being edited.
type facetEdit struct {
	facet inventory.Facet
	items map[string]inventory.Item
	rules []Rule
}

func (e *facetEdit) apply(c Change) error {
	it, wanted := e.items[c.Key]
	switch c.Op {
	case Added:
		if wanted {
			return fmt.Errorf("is in the baseline already: %w", ErrConflict)
		}
		var fields []inventory.Field
		for _, f := range c.Fields {
			if f.Have == nil || f.Want != nil {
				return fmt.Errorf("%s: not the field of an added item", f.Name)
			}
			fields = append(fields, inventory.Field{Name: f.Name, Value: *f.Have})
		}
		if err := e.put(c.Key, fields); err != nil {
			return err
		}
		return e.allowAdded(c)
	case Removed:
		if !wanted {
			return fmt.Errorf("is not in the baseline: %w", ErrConflict)
		}
		for _, f := range c.Fields {
			if f.Want == nil || f.Have != nil {
				return fmt.Errorf("%s: not the field of a removed item", f.Name)
			}
			if err := same(it, f); err != nil {
				return err
			}
		}
		delete(e.items, c.Key)
		return nil
	case Changed:
		return e.change(c, it, wanted)
	}
	return checkOp(c.Op)
}

func (e *facetEdit) change(c Change, it inventory.Item, wanted bool) error {
	fields := slices.Collect(it.Fields())
	for _, f := range c.Fields {
		if f.Want == nil || f.Have == nil {
			return fmt.Errorf("%s: not the field of a changed item", f.Name)
		}
		if e.demands(c.Key, f) {
			if err := e.allow(c.Key, f); err != nil {
				return err
			}
			continue
		}
		if !wanted {
			return fmt.Errorf("is not in the baseline: %w", ErrConflict)
		}
		if err := same(it, f); err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(g inventory.Field) bool { return g.Name == f.Name })
		fields[i].Value = *f.Have
	}
	if !wanted {
		return nil
	}
	return e.put(c.Key, fields)
}

func (e *facetEdit) put(key string, fields []inventory.Field) error {
	it, err := inventory.NewItem(key, fields...)
	if err != nil {
		return err
	}
	e.items[key] = it
	return nil
}

// same returns an error if the item does not have the value that the change says is wanted.
func same(it inventory.Item, f FieldChange) error {
	switch v, ok := it.Field(f.Name); {
	case !ok:
		return fmt.Errorf("%s: the baseline says nothing of it: %w", f.Name, ErrConflict)
	case v != *f.Want:
		return fmt.Errorf("%s: the baseline wants %.200s, the change says %.200s: %w", f.Name, v, *f.Want, ErrConflict)
	}
	return nil
}

// demands reports whether what the change says is wanted is what a rule's matcher demands of that item.
func (e *facetEdit) demands(key string, f FieldChange) bool {
	for _, r := range e.rules {
		if r.Field != f.Name || !r.hasMatcher() {
			continue
		}
		c := r.compile()
		if c.matcher != nil && c.matcher.text == *f.Want && c.match.match(key) {
			return true
		}
	}
	return false
}

// allowAdded makes exceptions for the values of an item that was added: as one of the
// baseline's own it is now held against the rules' matchers.
func (e *facetEdit) allowAdded(c Change) error {
	it := e.items[c.Key]
	for _, f := range c.Fields {
		for _, r := range e.rules {
			if r.Field != f.Name || !r.hasMatcher() {
				continue
			}
			cr := r.compile()
			if cr.matcher != nil && cr.judge(Changed, c.Key, &it, &it) != no && !cr.matcher.allows(c.Key, *f.Have) {
				if err := e.allow(c.Key, f); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// allow adds a rule, after all others, by which the item may have the value that
// the change says it has. An exception that a former acceptance made is widened.
func (e *facetEdit) allow(key string, f FieldChange) error {
	exact := escapeGlob(key)
	if len(exact) > maxGlob {
		return fmt.Errorf("%s: the key is too long for a rule of its own", f.Name)
	}
	for i, r := range e.rules {
		only := Rule{Match: exact, Field: f.Name, OneOf: r.OneOf}
		if len(r.OneOf) > 0 && r.equal(only) && e.lastFor(i, key, f.Name) {
			r.OneOf = append(slices.Clone(r.OneOf), *f.Have)
			e.rules[i] = r
			return nil
		}
	}
	e.rules = append(e.rules, Rule{Match: exact, Field: f.Name, OneOf: []string{*f.Have}})
	return nil
}

// lastFor reports whether no rule after i has a matcher for the field of that item.
func (e *facetEdit) lastFor(i int, key, field string) bool {
	for _, r := range e.rules[i+1:] {
		if r.Field == field && r.hasMatcher() && r.compile().match.match(key) {
			return false
		}
	}
	return true
}
