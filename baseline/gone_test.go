package baseline

import (
	"slices"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

// The first law, the other half: what could not be read closes nothing.
func TestUnknownNeverClosesAChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		g := compile(t, Spec{Name: "x", Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{f: {
			Mode:  rapid.SampledFrom([]Mode{Closed, Open}).Draw(t, "mode"),
			Items: genState(f).Draw(t, "want"),
			Rules: genRules(f).Draw(t, "rules"),
		}}})
		full := genState(f).Draw(t, "have")
		partial := lessKnown(t, full)
		for _, c := range g.Diff(inventory.Observe(full)) {
			if g.Gone(c, partial) {
				t.Fatalf("%v is closed by %+v", c, partial)
			}
		}
	})
}

func TestWhatACompleteObservationDoesNotShowIsGone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		g := compile(t, Spec{Name: "x", Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{f: {
			Mode:  rapid.SampledFrom([]Mode{Closed, Open}).Draw(t, "mode"),
			Items: genState(f).Draw(t, "want"),
			Rules: genRules(f).Draw(t, "rules"),
		}}})
		before := genState(f).Draw(t, "before")
		after := allKnown(t, genState(f).Draw(t, "after"))
		now := g.Diff(inventory.Observe(after))
		for _, c := range g.Diff(inventory.Observe(before)) {
			still := slices.ContainsFunc(now, c.Compatible)
			if gone := g.Gone(c, inventory.Observe(after)); gone == still {
				t.Fatalf("%v: gone %v, but there is now %q", c, gone, lines(now))
			}
		}
	})
}

// allKnown gives every item of s every field.
func allKnown(t *rapid.T, s *inventory.State) *inventory.State {
	var items []inventory.Item
	for _, it := range s.Items() {
		fields := slices.Collect(it.Fields())
		for _, name := range s.Facet().Fields() {
			if _, known := it.Field(name); !known {
				fields = append(fields, inventory.Field{Name: name, Value: genValue(name).Draw(t, name)})
			}
		}
		full, err := inventory.NewItem(it.Key(), fields...)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, full)
	}
	return newState(t, s.Facet(), items)
}

// lessKnown is an observation of s in which some fields, and perhaps some items, could not be read.
func lessKnown(t *rapid.T, s *inventory.State) inventory.Observation {
	o := inventory.Observation{Facet: s.Facet(), Status: inventory.Partial, ItemsComplete: rapid.Bool().Draw(t, "items complete")}
	var items []inventory.Item
	for _, it := range s.Items() {
		if !o.ItemsComplete && rapid.IntRange(0, 3).Draw(t, "unseen") == 0 {
			continue
		}
		var fields []inventory.Field
		for field := range it.Fields() {
			if rapid.Bool().Draw(t, "known") {
				fields = append(fields, field)
			}
		}
		it, err := inventory.NewItem(it.Key(), fields...)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	o.State = newState(t, s.Facet(), items)
	return o
}
