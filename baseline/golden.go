package baseline

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
	"k8s.io/apimachinery/pkg/labels"
)

// A Golden is a Spec that was found to be right, made ready to be held against
// machines. It is safe for concurrent use.
type Golden struct {
	spec     Spec
	digest   inventory.Digest
	selector labels.Selector
	rules    map[inventory.Facet]*FacetRules
}

// Compile checks all of s and returns its compiled form, or all that is wrong.
func (s Spec) Compile() (*Golden, error) {
	g := &Golden{spec: s, digest: s.Digest(), selector: labels.Nothing(), rules: make(map[inventory.Facet]*FacetRules, len(s.Facets)+1)}
	var errs []error
	if err := checkName(s.Name); err != nil {
		errs = append(errs, fmt.Errorf("name: %w", err))
	}
	if err := checkSelector(s.Selector); err != nil {
		errs = append(errs, fmt.Errorf("selector: %w", err))
	} else if s.Selector != "" {
		g.selector, _ = labels.Parse(s.Selector)
	}
	facets := withPresence(s.Facets)
	defaults, err := Defaults(s.Defaults)
	if err != nil {
		errs = append(errs, fmt.Errorf("defaults: %w", err))
	}
	for _, f := range slices.Sorted(maps.Keys(facets)) {
		fs := facets[f]
		if err := fs.check(f); err != nil {
			errs = append(errs, fmt.Errorf("facets: %s: %w", f, err))
			continue
		}
		if _, err := CompileRules(f, fs.Mode, fs.Rules); err != nil { // by themselves, so that their numbers are the file's
			for _, e := range unjoin(err) {
				errs = append(errs, fmt.Errorf("facets: %s: %w", f, e))
			}
			continue
		}
		if g.rules[f], err = CompileRules(f, fs.Mode, slices.Concat(defaults.Facets[f], fs.Rules)); err != nil {
			errs = append(errs, fmt.Errorf("facets: %s: %w", f, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return g, nil
}

func (fs FacetSpec) check(f inventory.Facet) error {
	if err := checkFacet(f); err != nil {
		return err
	}
	if fs.Items == nil {
		return errors.New("items is nil: an empty state says that nothing is wanted")
	}
	if fs.Items.Facet() != f {
		return fmt.Errorf("the items are of %s", fs.Items.Facet())
	}
	var errs []error
	for _, it := range fs.Items.Items() {
		for field := range it.Fields() {
			if err := checkField(f, field.Name); err != nil {
				errs = append(errs, fmt.Errorf("item %.200s: %w", it.Key(), err))
			}
		}
		if len(errs) == maxFaults {
			break
		}
	}
	return errors.Join(errs...)
}

// maxFaults bounds how many errors are worth telling of one file.
const maxFaults = 100

// unjoin returns the errors that errors.Join made into one.
func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// Spec returns what g was compiled from. It must not be changed.
func (g *Golden) Spec() Spec { return g.spec }

// Name returns the baseline's name.
func (g *Golden) Name() string { return g.spec.Name }

// Digest returns the identity of the Spec.
func (g *Golden) Digest() inventory.Digest { return g.digest }

// Compares reports whether g says anything of the facet.
func (g *Golden) Compares(f inventory.Facet) bool { return g.rules[f] != nil }

// Facets returns the facets that g compares, sorted.
func (g *Golden) Facets() []inventory.Facet { return slices.Sorted(maps.Keys(g.rules)) }

// Diff holds one observation against the baseline; see the function Diff. Facets
// that the baseline does not have are not compared.
func (g *Golden) Diff(have inventory.Observation) []Change {
	rules := g.rules[have.Facet]
	if rules == nil {
		return nil
	}
	return Diff(have, g.items(have.Facet), rules)
}

// items returns what is wanted of a facet that g compares.
func (g *Golden) items(f inventory.Facet) *inventory.State {
	if fs, ok := g.spec.Facets[f]; ok {
		return fs.Items
	}
	return present
}

// present is what presence is to be: a machine that can be seen from inside, and is the one it was.
var present = func() *inventory.State {
	b := inventory.NewBuilder(inventory.Presence)
	b.Key("guest")
	b.Field("seen", "yes")
	b.Key("host_key")
	b.Field("verified", "yes")
	s, err := b.State()
	if err != nil {
		panic("baseline: " + err.Error())
	}
	return s
}()

// withPresence adds presence to the facets of a baseline that does not speak of it.
func withPresence(facets map[inventory.Facet]FacetSpec) map[inventory.Facet]FacetSpec {
	if _, ok := facets[inventory.Presence]; ok {
		return facets
	}
	out := maps.Clone(facets)
	if out == nil {
		out = map[inventory.Facet]FacetSpec{}
	}
	out[inventory.Presence] = FacetSpec{Mode: Closed, Items: present}
	return out
}

// DiffAll holds observations of one machine against the baseline, and returns the
// changes sorted by facet and key.
func (g *Golden) DiffAll(obs []inventory.Observation) []Change {
	var out []Change
	for _, o := range obs {
		out = append(out, g.Diff(o)...)
	}
	slices.SortStableFunc(out, Change.Compare)
	return out
}
