package baseline

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

func shellChange() Change {
	return Change{
		Facet: inventory.Users, Key: "alice", Op: Changed, Severity: High,
		Fields: []FieldChange{{"shell", ptr("/bin/sh"), ptr("/bin/zsh")}, {"uid", ptr("1000"), ptr("0")}},
	}
}

func TestAChangesIdentityIsWhatDiffersAndNotHowMuchItMatters(t *testing.T) {
	base := shellChange()
	calm := shellChange()
	calm.Severity = Info
	if base.Digest() != calm.Digest() {
		t.Error("another severity is another identity")
	}
	seen := map[inventory.Digest]string{base.Digest(): "base"}
	for name, edit := range map[string]func(*Change){
		"facet":                func(c *Change) { c.Facet = inventory.Groups },
		"key":                  func(c *Change) { c.Key = "alic" },
		"op":                   func(c *Change) { c.Op = Added },
		"no fields":            func(c *Change) { c.Fields = nil },
		"a field less":         func(c *Change) { c.Fields = c.Fields[:1] },
		"a field's name":       func(c *Change) { c.Fields[0].Name = "shel" },
		"wanted":               func(c *Change) { c.Fields[0].Want = ptr("/bin/ksh") },
		"had":                  func(c *Change) { c.Fields[0].Have = ptr("/bin/ksh") },
		"wanted is empty":      func(c *Change) { c.Fields[0].Want = ptr("") },
		"wanted is none":       func(c *Change) { c.Fields[0].Want = nil },
		"had is none":          func(c *Change) { c.Fields[0].Have = nil },
		"text moved to a name": func(c *Change) { c.Fields[0].Name, c.Fields[0].Want = "shell/bin", ptr("/sh") },
		"exchanged": func(c *Change) {
			c.Fields[0].Want, c.Fields[0].Have = c.Fields[0].Have, c.Fields[0].Want
		},
	} {
		c := shellChange()
		edit(&c)
		if other, twice := seen[c.Digest()]; twice {
			t.Errorf("%s has the identity of %s", name, other)
		}
		seen[c.Digest()] = name
	}
	const stored = "8d06c90d89d5c17710eebcf848592dff9acbdf296a59ad742a5abd08459d86f7"
	if got := base.Digest().String(); got != stored {
		t.Errorf("the identity of stored changes is another now: %s", got)
	}
}

func TestTwoChangesAreCompatible(t *testing.T) {
	base := shellChange()
	for _, c := range []struct {
		name string
		edit func(*Change)
		want bool
	}{
		{"if they are the same", func(*Change) {}, true},
		{"if a field became unknown", func(c *Change) { c.Fields = c.Fields[1:] }, true},
		{"whatever their severity", func(c *Change) { c.Severity = Low }, true},
		{"not if a common field differs", func(c *Change) { c.Fields[0].Have = ptr("/bin/ksh") }, false},
		{"not if a common field wants something else", func(c *Change) { c.Fields[0].Want = ptr("") }, false},
		{"not if they differ in other fields altogether", func(c *Change) { c.Fields = []FieldChange{{"gid", ptr("1"), ptr("2")}} }, false},
		{"not for another item", func(c *Change) { c.Key = "bob" }, false},
		{"not for another operation", func(c *Change) { c.Op = Removed }, false},
	} {
		d := shellChange()
		c.edit(&d)
		if base.Compatible(d) != c.want || d.Compatible(base) != c.want {
			t.Errorf("%s: %v and %v", c.name, base.Compatible(d), d.Compatible(base))
		}
	}
	bare := Change{Facet: inventory.Users, Key: "alice", Op: Added}
	full := bare
	full.Fields = []FieldChange{{"uid", nil, ptr("1000")}}
	if !bare.Compatible(full) {
		t.Error("an added item of which nothing was known is not the same with more known")
	}
}

func TestCompareIsZeroForEqualChangesOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFacet().Draw(t, "facet")
		changes := Diff(inventory.Observe(genState(f).Draw(t, "have")), genState(f).Draw(t, "want"), nil)
		for _, c := range changes {
			for _, d := range changes {
				if (c.Compare(d) == 0) != (c.Digest() == d.Digest()) || c.Compare(d) != -d.Compare(c) {
					t.Fatalf("%v and %v: %d and %d", c, d, c.Compare(d), d.Compare(c))
				}
			}
		}
		if !slices.IsSortedFunc(changes, Change.Compare) {
			t.Fatalf("out of order: %v", lines(changes))
		}
	})
}

func TestAChangeIsReadInOneLine(t *testing.T) {
	for want, c := range map[string]Change{
		"users alice changed (shell: /bin/sh → /bin/zsh, uid: 1000 → 0)": shellChange(),
		"ports tcp/[::]:22 removed":  {Facet: inventory.Ports, Key: "tcp/[::]:22", Op: Removed},
		"users bob added (uid: 7)":   {Facet: inventory.Users, Key: "bob", Op: Added, Fields: []FieldChange{{"uid", nil, ptr("7")}}},
		"users bob removed (uid: 7)": {Facet: inventory.Users, Key: "bob", Op: Removed, Fields: []FieldChange{{"uid", ptr("7"), nil}}},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestASeverityIsTextOutsideTheProgram(t *testing.T) {
	for _, s := range Severities() {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Severity
		if err := json.Unmarshal(text, &back); err != nil || back != s || string(text) != `"`+s.String()+`"` {
			t.Errorf("%s was written as %s and read as %s, %v", s, text, back, err)
		}
	}
	if _, err := json.Marshal(Severity(7)); err == nil {
		t.Error("severity 7 was written")
	}
	for _, text := range []string{`"High"`, `""`, `3`, `"severity(7)"`} {
		if err := json.Unmarshal([]byte(text), new(Severity)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
