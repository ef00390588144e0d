package baseline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

func TestWhatIsAsWantedHasNoChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		s := genState(f).Draw(t, "state")
		rules, err := CompileRules(f, Closed, readDefaultsV1().Facets[f])
		if err != nil {
			t.Fatal(err)
		}
		again, err := inventory.ParseState(f, s.Text()) // equal, but not the same memory
		if err != nil {
			t.Fatal(err)
		}
		if got := Diff(inventory.Observe(s), again, rules); len(got) > 0 {
			t.Fatalf("%v", lines(got))
		}
	})
}

func TestAfterAcceptingAllChangesThereAreNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		s := Spec{Name: "x", Defaults: rapid.SampledFrom([]string{DefaultsV1, NoDefaults}).Draw(t, "defaults")}
		s.Facets = map[inventory.Facet]FacetSpec{f: {
			Mode:  rapid.SampledFrom([]Mode{Closed, Open}).Draw(t, "mode"),
			Items: genState(f).Draw(t, "want"),
			Rules: genRules(f).Draw(t, "rules"),
		}}
		have := inventory.Observe(genState(f).Draw(t, "have"))
		before := s.Digest()
		changes := compile(t, s).Diff(have)
		accepted, err := s.Apply(changes)
		if err != nil {
			t.Fatal(err)
		}
		if rest := compile(t, accepted).Diff(have); len(rest) > 0 {
			t.Fatalf("accepted %q, still there %q", lines(changes), lines(rest))
		}
		if s.Digest() != before {
			t.Fatal("Apply changed the spec that it was called on")
		}
		if len(changes) > 0 {
			if _, err := accepted.Apply(changes); err == nil && !slices.ContainsFunc(changes, fromMatcher(s)) {
				t.Fatal("the same changes were accepted twice")
			}
		}
	})
}

// fromMatcher reports whether a change may come from a rule, not from an item.
func fromMatcher(s Spec) func(Change) bool {
	return func(c Change) bool {
		return slices.ContainsFunc(s.Facets[c.Facet].Rules, Rule.hasMatcher)
	}
}

func compile(t *rapid.T, s Spec) *Golden {
	g, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The first law: what could not be read neither opens nor closes anything. Whatever fields are
// taken away from an observation, what it then says it said before.
func TestUnknownNeverOpensAChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		rules, err := CompileRules(f, rapid.SampledFrom([]Mode{Closed, Open}).Draw(t, "mode"),
			append(slices.Clone(readDefaultsV1().Facets[f]), genRules(f).Draw(t, "rules")...))
		if err != nil {
			t.Fatal(err)
		}
		want, full := genState(f).Draw(t, "want"), genState(f).Draw(t, "have")

		partial := lessKnown(t, full)
		known := Diff(inventory.Observe(full), want, rules)
		for _, c := range Diff(partial, want, rules) {
			if c.Op == Removed && !partial.ItemsComplete {
				t.Fatalf("removed from what was not read: %v", c)
			}
			if !slices.ContainsFunc(known, c.Compatible) {
				t.Fatalf("%v is found only where less is known; all there is: %q", c, lines(known))
			}
		}
	})
}

func TestNothingReadMeansNothingFound(t *testing.T) {
	want := state(t, inventory.Users, "alice uid=1000")
	for _, s := range []inventory.Status{inventory.Denied, inventory.Failed, inventory.Unsupported} {
		if got := Diff(inventory.Observation{Facet: inventory.Users, Status: s}, want, nil); got != nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func TestTheOrderOfItemsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		items := rapid.SliceOfNDistinct(genItem(f), 0, 8, inventory.Item.Key).Draw(t, "items")
		have, want := newState(t, f, items), genState(f).Draw(t, "want")
		shuffled := newState(t, f, rapid.Permutation(items).Draw(t, "shuffled"))
		if d := cmp.Diff(Diff(inventory.Observe(have), want, nil), Diff(inventory.Observe(shuffled), want, nil)); d != "" {
			t.Fatal(d)
		}
	})
}

func newState(t *rapid.T, f inventory.Facet, items []inventory.Item) *inventory.State {
	s, err := inventory.NewState(f, items...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The merge, held against the plainest way to say the same.
func TestTheDiffWithoutRulesIsWhatComparingEveryItemFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		have, want := genState(f).Draw(t, "have"), genState(f).Draw(t, "want")
		var plain []Change
		for _, w := range want.Items() {
			c := Change{Facet: f, Key: w.Key(), Op: Removed, Severity: Medium}
			h, both := have.Get(w.Key())
			for field := range w.Fields() {
				switch v, known := h.Field(field.Name); {
				case !both:
					c.Fields = append(c.Fields, FieldChange{Name: field.Name, Want: &field.Value})
				case known && v != field.Value:
					c.Op = Changed
					c.Fields = append(c.Fields, FieldChange{Name: field.Name, Want: &field.Value, Have: &v})
				}
			}
			if !both || c.Op == Changed {
				plain = append(plain, c)
			}
		}
		for _, h := range have.Items() {
			if _, both := want.Get(h.Key()); both {
				continue
			}
			c := Change{Facet: f, Key: h.Key(), Op: Added, Severity: Medium}
			for field := range h.Fields() {
				c.Fields = append(c.Fields, FieldChange{Name: field.Name, Have: &field.Value})
			}
			plain = append(plain, c)
		}
		slices.SortFunc(plain, Change.Compare)
		if d := cmp.Diff(lines(plain), lines(Diff(inventory.Observe(have), want, nil))); d != "" {
			t.Fatal(d)
		}
	})
}

// Equal items are compared many at a time, so states are long here, and what differs is rare.
func TestEveryDifferenceOfLongStatesIsFoundAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := inventory.NewBuilder(inventory.Packages), inventory.NewBuilder(inventory.Packages)
		add := func(b *inventory.Builder, key, version string) {
			b.Key("deb/", key)
			if version != "" {
				b.Field("version", version)
			}
		}
		var expected []string
		for n := range rapid.IntRange(0, 8*stride).Draw(t, "items") {
			key := fmt.Sprintf("p%04d:amd64", n)
			version := rapid.SampledFrom([]string{"1", "1.10", ""}).Draw(t, "version")
			switch kind := rapid.IntRange(0, 60).Draw(t, "kind"); {
			case kind == 0:
				add(have, key, version)
				expected = append(expected, "added deb/"+key)
			case kind == 1:
				add(want, key, version)
				expected = append(expected, "removed deb/"+key)
			case kind == 2: // of the same length, so that all after it stands where it stood
				add(have, key, "2")
				add(want, key, "1")
				expected = append(expected, "changed deb/"+key)
			default:
				add(have, key, version)
				add(want, key, version)
			}
		}
		h, err := have.State()
		if err != nil {
			t.Fatal(err)
		}
		w, err := want.State()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range Diff(inventory.Observe(h), w, nil) {
			got = append(got, string(c.Op)+" "+c.Key)
		}
		if !slices.Equal(got, expected) {
			t.Fatalf("got %q, want %q", got, expected)
		}
	})
}
