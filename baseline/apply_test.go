package baseline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
)

func usersSpec(t *testing.T, rules []Rule, lines ...string) Spec {
	return Spec{Name: "x", Defaults: NoDefaults, Facets: map[inventory.Facet]FacetSpec{
		inventory.Users: {Mode: Closed, Items: state(t, inventory.Users, lines...), Rules: rules},
	}}
}

func TestAcceptingAChangeMakesItWanted(t *testing.T) {
	s := usersSpec(t, nil, "alice shell=/bin/sh uid=1", "carol uid=3")
	have := inventory.Observe(state(t, inventory.Users, "alice shell=/bin/zsh uid=1", "bob uid=2"))
	s, err := s.Apply(mustCompile(t, s).Diff(have))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(have.State.Text(), s.Facets[inventory.Users].Items.Text()); d != "" {
		t.Error(d)
	}
}

func TestAcceptingWhatARuleRefusesMakesAnExceptionForThatItem(t *testing.T) {
	s := usersSpec(t, []Rule{{Field: "shell", OneOf: []string{"/bin/sh"}}}, "a*b shell=/bin/sh", "axb shell=/bin/sh")
	for _, shell := range []string{"/bin/zsh", "/bin/ksh"} { // the second widens what the first made
		var err error
		if s, err = s.Apply(mustCompile(t, s).Diff(inventory.Observe(state(t, inventory.Users, "a*b shell="+shell, "axb shell=/bin/sh")))); err != nil {
			t.Fatal(err)
		}
	}
	want := []Rule{{Field: "shell", OneOf: []string{"/bin/sh"}}, {Match: `a\*b`, Field: "shell", OneOf: []string{"/bin/zsh", "/bin/ksh"}}}
	if d := cmp.Diff(want, s.Facets[inventory.Users].Rules); d != "" {
		t.Error(d)
	}
	got := mustCompile(t, s).Diff(inventory.Observe(state(t, inventory.Users, "a*b shell=/bin/zsh", "axb shell=/bin/zsh")))
	if d := cmp.Diff([]string{"medium: users axb changed (shell: one of /bin/sh → /bin/zsh)"}, lines(got)); d != "" {
		t.Error(d)
	}
}

func TestAChangeThatTheBaselineHasMovedAwayFromIsAConflict(t *testing.T) {
	s := usersSpec(t, nil, "alice shell=/bin/sh uid=1")
	field := func(name string, want, have *string) []FieldChange { return []FieldChange{{name, want, have}} }
	for _, c := range []struct {
		name   string
		change Change
		want   string
	}{
		{"added, and there already", Change{Facet: "users", Key: "alice", Op: Added}, "is in the baseline already"},
		{"removed, and not there", Change{Facet: "users", Key: "bob", Op: Removed}, "is not in the baseline"},
		{"removed, and there as something else", Change{Facet: "users", Key: "alice", Op: Removed, Fields: field("uid", ptr("2"), nil)}, "the baseline wants 1, the change says 2"},
		{"changed, and not there", Change{Facet: "users", Key: "bob", Op: Changed, Fields: field("uid", ptr("1"), ptr("2"))}, "is not in the baseline"},
		{"changed from something else", Change{Facet: "users", Key: "alice", Op: Changed, Fields: field("uid", ptr("7"), ptr("2"))}, "the baseline wants 1, the change says 7"},
		{"changed in a field that is not compared any more", Change{Facet: "users", Key: "alice", Op: Changed, Fields: field("gid", ptr("7"), ptr("2"))}, "the baseline says nothing of it"},
		{"of a facet that is not compared any more", Change{Facet: "ports", Key: "tcp/1", Op: Added}, "ports: the baseline does not compare it"},
	} {
		good := Change{Facet: "users", Key: "dave", Op: Added, Fields: field("uid", nil, ptr("4"))}
		got, err := s.Apply([]Change{good, c.change})
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got.Facets != nil {
			t.Errorf("%s: something was applied", c.name)
		}
	}
}

func TestAChangeThatNoDiffMakesIsRefused(t *testing.T) {
	s := usersSpec(t, nil, "alice uid=1")
	for _, c := range []Change{
		{Facet: "users", Key: "bob", Op: "deleted"},
		{Facet: "users", Key: "bob\n", Op: Added},
		{Facet: "users", Key: "bob", Op: Added, Fields: []FieldChange{{"uid", ptr("1"), nil}}},
		{Facet: "users", Key: "alice", Op: Removed, Fields: []FieldChange{{"uid", nil, ptr("1")}}},
		{Facet: "users", Key: "alice", Op: Changed, Fields: []FieldChange{{"uid", nil, ptr("1")}}},
	} {
		if _, err := s.Apply([]Change{c}); err == nil {
			t.Errorf("%+v was applied", c)
		}
	}
}

// Found by the property: the field was left out of the added item, so that
// accepting the item could not accept its value.
func TestAFieldThatIsIgnoredInAddedItemsOnlyIsAcceptedWithThem(t *testing.T) {
	s := usersSpec(t, []Rule{
		{Field: "shell", Ignore: ptr(true), Regexp: "/bin/sh"},
		{Ops: []Op{Changed}, Ignore: ptr(false)},
	})
	have := inventory.Observe(state(t, inventory.Users, "alice shell=/bin/zsh"))
	s, err := s.Apply(mustCompile(t, s).Diff(have))
	if err != nil {
		t.Fatal(err)
	}
	if got := mustCompile(t, s).Diff(have); len(got) > 0 {
		t.Errorf("%q", lines(got))
	}
}
