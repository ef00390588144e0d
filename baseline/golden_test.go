package baseline

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
)

func mustCompile(t *testing.T, s Spec) *Golden {
	t.Helper()
	g, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCompileTellsEverythingThatIsWrong(t *testing.T) {
	_, err := Spec{
		Name: "-x", Selector: "role in", Defaults: "v7",
		Facets: map[inventory.Facet]FacetSpec{
			"ports":    {Mode: "half", Items: state(t, inventory.Ports), Rules: []Rule{{}}},
			"users":    {Mode: Closed},
			"groups":   {Mode: Closed, Items: state(t, inventory.Users)},
			"packages": {Mode: Closed, Items: state(t, inventory.Packages, "deb/a versoin=1")},
			"prots":    {Mode: Closed, Items: state(t, "prots")},
		},
	}.Compile()
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	for i, want := range []string{
		`name: "-x" is not a name`,
		`selector: "role in" is not a label selector`,
		`defaults: "v7" is no built-in set of rules`,
		`facets: groups: the items are of users`,
		`facets: packages: item deb/a: "versoin" is no field of packages: did you mean version?`,
		`facets: ports: rules[0]: the rule does nothing`,
		`facets: ports: "half" is no mode`,
		`facets: prots: "prots" is no facet: did you mean ports?`,
		`facets: users: items is nil`,
	} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Fatalf("error %d is not %q in\n%s", i+1, want, err)
		}
	}
}

func TestABaselineComparesItsFacetsOnly(t *testing.T) {
	g := mustCompile(t, Spec{Name: "x", Defaults: NoDefaults, Facets: map[inventory.Facet]FacetSpec{
		inventory.Users:  {Mode: Closed, Items: state(t, inventory.Users)},
		inventory.Groups: {Mode: Closed, Items: state(t, inventory.Groups)},
	}})
	got := g.DiffAll([]inventory.Observation{
		inventory.Observe(state(t, inventory.Users, "alice uid=1")),
		inventory.Observe(state(t, inventory.Packages, "deb/a version=1")),
		inventory.Observe(state(t, inventory.Groups, "games gid=1")),
	})
	want := []string{"medium: groups games added (gid: 1)", "medium: users alice added (uid: 1)"}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Error(d)
	}
	if !g.Compares(inventory.Users) || g.Compares(inventory.OS) || !slices.Equal(g.Facets(), []inventory.Facet{inventory.Groups, inventory.Presence, inventory.Users}) {
		t.Errorf("it compares %v", g.Facets())
	}
}

func TestTheDefaultRulesComeBeforeTheBaselinesOwn(t *testing.T) {
	g := mustCompile(t, Spec{Name: "x", Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{
		inventory.Ports: {
			Mode: Closed, Items: state(t, inventory.Ports),
			Rules: []Rule{{Match: "tcp/*:8080", Severity: ptr(Info)}, {Match: "udp/*", Ignore: ptr(false)}},
		},
	}})
	got := g.Diff(inventory.Observe(state(t, inventory.Ports, "tcp/0.0.0.0:8080", "tcp/0.0.0.0:8081", "udp/0.0.0.0:40000 ephemeral=yes")))
	want := []string{"info: ports tcp/0.0.0.0:8080 added", "high: ports tcp/0.0.0.0:8081 added", "high: ports udp/0.0.0.0:40000 added (ephemeral: yes)"}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Error(d)
	}
}

func TestADigestCoversAllThatABaselineSays(t *testing.T) {
	base := func() Spec {
		return Spec{Name: "x", Selector: "a=b", Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{
			inventory.Users: {
				Mode: Closed, Items: state(t, inventory.Users, "alice uid=1"),
				Rules: []Rule{{Match: "a", Ignore: ptr(true)}, {Field: "uid", OneOf: []string{"1", "2"}}},
			},
		}}
	}
	facet := func(edit func(*FacetSpec)) func(*Spec) {
		return func(s *Spec) {
			fs := s.Facets[inventory.Users]
			edit(&fs)
			s.Facets[inventory.Users] = fs
		}
	}
	rule := func(i int, edit func(*Rule)) func(*Spec) {
		return facet(func(fs *FacetSpec) { edit(&fs.Rules[i]) })
	}
	first, again := base(), base()
	if first.Digest() != again.Digest() {
		t.Fatal("the same content has two identities")
	}
	seen := map[inventory.Digest]string{first.Digest(): "base"}
	for name, edit := range map[string]func(*Spec){
		"name":     func(s *Spec) { s.Name = "y" },
		"selector": func(s *Spec) { s.Selector = "" },
		"defaults": func(s *Spec) { s.Defaults = NoDefaults },
		"no facet": func(s *Spec) { s.Facets = nil },
		"facet": func(s *Spec) {
			s.Facets[inventory.Groups] = FacetSpec{Mode: Closed, Items: state(t, inventory.Groups)}
		},
		"mode":            facet(func(fs *FacetSpec) { fs.Mode = Open }),
		"items":           facet(func(fs *FacetSpec) { fs.Items = state(t, inventory.Users, "alice uid=2") }),
		"a rule less":     facet(func(fs *FacetSpec) { fs.Rules = fs.Rules[:1] }),
		"rules exchanged": facet(func(fs *FacetSpec) { fs.Rules[0], fs.Rules[1] = fs.Rules[1], fs.Rules[0] }),
		"match":           rule(0, func(r *Rule) { r.Match = "b" }),
		"where":           rule(0, func(r *Rule) { r.Where = map[string]string{"uid": "1"} }),
		"was":             rule(0, func(r *Rule) { r.Was = map[string]string{"uid": "1"} }),
		"gained":          rule(0, func(r *Rule) { r.Gained = "1" }),
		"ops":             rule(0, func(r *Rule) { r.Ops = []Op{Added} }),
		"field":           rule(0, func(r *Rule) { r.Field = "uid" }),
		"not ignored":     rule(0, func(r *Rule) { r.Ignore = ptr(false) }),
		"ignore unsaid":   rule(0, func(r *Rule) { r.Ignore = nil }),
		"severity":        rule(0, func(r *Rule) { r.Severity = ptr(Info) }),
		"any":             rule(0, func(r *Rule) { r.Any = true }),
		"one of":          rule(1, func(r *Rule) { r.OneOf = []string{"12"} }),
		"regexp":          rule(0, func(r *Rule) { r.Regexp = "1" }),
		"at least":        rule(0, func(r *Rule) { r.AtLeast = "1" }),
		"below":           rule(0, func(r *Rule) { r.Below = "1" }),
	} {
		s := base()
		edit(&s)
		if other, twice := seen[s.Digest()]; twice {
			t.Errorf("%s has the identity of %s", name, other)
		}
		seen[s.Digest()] = name
	}
}

func TestTheMostSpecificBaselineApplies(t *testing.T) {
	golden := func(name, selector string) *Golden {
		return mustCompile(t, Spec{Name: name, Selector: selector, Defaults: NoDefaults})
	}
	all := []*Golden{
		golden("named-only", ""), golden("web", "role=web"), golden("web-prod", "role=web,env=prod"),
		golden("db", "role in (db,cache)"), golden("db-too", "role=db"), golden("not-legacy", "!legacy,os"),
	}
	for _, c := range []struct {
		labels map[string]string
		want   string
		err    string
	}{
		{map[string]string{"role": "web"}, "web", ""},
		{map[string]string{"role": "web", "env": "prod"}, "web-prod", ""},
		{map[string]string{"role": "cache"}, "db", ""},
		{map[string]string{"role": "db"}, "", "baselines db and db-too select the machine equally well"},
		{map[string]string{"os": "debian"}, "not-legacy", ""},
		{map[string]string{"os": "debian", "legacy": "yes"}, "", ErrNoMatch.Error()},
		{nil, "", ErrNoMatch.Error()},
	} {
		g, err := Select(all, c.labels)
		switch {
		case c.err == "" && (err != nil || g.Name() != c.want):
			t.Errorf("%v: %v, %v", c.labels, g, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%v: %v, want %s", c.labels, err, c.err)
		}
	}
	var tie *TieError
	if _, err := Select(all, map[string]string{"role": "db"}); !errors.As(err, &tie) || !slices.Equal(tie.Names, []string{"db", "db-too"}) {
		t.Errorf("%v", err)
	}
}
