package inventory

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func item(t *testing.T, key string, fields ...Field) Item {
	t.Helper()
	it, err := NewItem(key, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestItems(t *testing.T) {
	it := item(t, "alice", Field{"uid", "1000"}, Field{"home", "/home/alice"}, Field{"groups", ""})
	if it.Line() != "alice\tgroups=\thome=/home/alice\tuid=1000" {
		t.Errorf("%q", it.Line())
	}
	if v, ok := it.Field("groups"); !ok || v != "" {
		t.Error("an empty field is a known one")
	}
	if _, ok := it.Field("shell"); ok {
		t.Error("a field that is not there is known")
	}
	back, err := ParseLine(it.Line())
	if err != nil || back != it {
		t.Errorf("%v: %q", err, back.Line())
	}
	if bare, err := ParseLine("bare"); err != nil || bare.Line() != "bare" {
		t.Errorf("%v: %q", err, bare.Line())
	}
	for _, bad := range []string{"", "k\t", "k\tb=1\ta=2", "k\ta=1\ta=1", "k\tA=1", "k\ta", "k\ta=\x1b", "k\\q", "\ta=1", "k\ta=1\t"} {
		if _, err := ParseLine(bad); err == nil {
			t.Errorf("%q is an item", bad)
		}
	}
	for name, fields := range map[string][]Field{
		"": {{"a", "1"}}, "k": {{"a", "1"}, {"a", "2"}}, "k2": {{"A", "1"}}, "k3": {{"a", "\n"}}, "k\n": nil,
	} {
		if _, err := NewItem(name, fields...); err == nil {
			t.Errorf("%q %v is an item", name, fields)
		}
	}
}

func TestParseStateRefusesWhatIsNotCanonical(t *testing.T) {
	for _, bad := range []string{"a", "b\na\n", "a\na\n", "\n", "a\n\n", "a\tx=1\n\x00\n"} {
		if _, err := ParseState(Users, bad); err == nil {
			t.Errorf("%q is a state", bad)
		}
	}
	s, err := ParseState(Users, "")
	if err != nil || s.Len() != 0 {
		t.Errorf("an empty state: %v", err)
	}
}

func TestTheDigestNamesFacetVersionAndText(t *testing.T) {
	a, _ := ParseState(Users, "x\n")
	b, _ := ParseState(Groups, "x\n")
	c, _ := ParseState(Users, "y\n")
	if a.Digest() == b.Digest() || a.Digest() == c.Digest() {
		t.Error("two states have one digest")
	}
	// Digests are stored: a build that computes another one for the same state would see every machine change.
	const want = "e7297dfeb9329adf"
	if got := a.Digest().String(); len(got) != 64 || !strings.HasPrefix(got, want) {
		t.Errorf("the digest of users x is %s", got)
	}
	var d Digest
	if err := d.UnmarshalText([]byte(a.Digest().String())); err != nil || d != a.Digest() {
		t.Error(err)
	}
	if err := d.UnmarshalText([]byte("12")); err == nil {
		t.Error("two digits are a digest")
	}
}

func TestNewStateRefusesTwins(t *testing.T) {
	a := item(t, "a", Field{"uid", "1"})
	if _, err := NewState(Users, a, item(t, "a", Field{"uid", "2"})); err == nil {
		t.Error("two items of one key are a state")
	}
	if _, err := NewState(Users, a, a); err == nil {
		t.Error("an item twice is a state")
	}
}

func TestFieldsOfEveryFacetAreSorted(t *testing.T) {
	for _, f := range slices.Concat(GuestFacets(), PlatformFacets()) {
		if !f.Known() || len(f.Fields()) == 0 {
			t.Errorf("%s is not known", f)
		}
		for i, name := range f.Fields() {
			if i > 0 && f.Fields()[i-1] >= name || !f.HasField(name) || !validName(name) {
				t.Errorf("%s: field %s", f, name)
			}
		}
	}
}

func TestSnapshotsSurviveJSON(t *testing.T) {
	state, err := NewState(Users, item(t, "alice", Field{"uid", "1000"}, Field{"groups", ""}), item(t, `b\x1b`))
	if err != nil {
		t.Fatal(err)
	}
	in := Snapshot{
		Machine: Machine{ID: MachineID{"hosts", "web-3"}, Name: "web-3", Labels: map[string]string{"role": "web"}},
		TakenAt: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), Probe: "abc", Privilege: "sudo",
		Observations: []Observation{
			{Facet: Packages, Status: Failed, Reason: `it said "no"`},
			{Facet: Users, Status: Partial, Missing: []string{"password"}, ItemsComplete: true, Reason: "no root", State: state},
		},
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out Snapshot
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(out)
	if err != nil || string(again) != string(text) {
		t.Errorf("%v\n got %s\nwant %s", err, again, text)
	}
	o, ok := out.Observation(Users)
	if !ok || o.State.Digest() != state.Digest() {
		t.Error("the state is another one")
	}
	if _, ok := out.Observation(Ports); ok {
		t.Error("there is an observation of ports")
	}
}

func TestSnapshotsThatContradictThemselvesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"schema":       `{"schema":"vmdrift.snapshot/v9","observations":{}}`,
		"field":        `{"schema":"vmdrift.snapshot/v1","surprise":1}`,
		"null":         `{"schema":"vmdrift.snapshot/v1","observations":{"users":null}}`,
		"status":       `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"fine","items_complete":false}}}`,
		"missing":      `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"complete","items_complete":true,"missing":["uid"]}}}`,
		"escape":       `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"complete","items_complete":true,"items":{"a\u001b":{}}}}}`,
		"field name":   `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"complete","items_complete":true,"items":{"a":{"B":"1"}}}}}`,
		"failed state": `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"failed","items_complete":true}}}`,
		"no items":     `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"complete","items_complete":true}}}`,
		"facet name":   `{"schema":"vmdrift.snapshot/v1","observations":{"us\u001b[2J":{"status":"failed"}}}`,
		"a name":       `{"schema":"vmdrift.snapshot/v1","machine":{"id":{"source":"s","native_id":"n"},"name":"m\u001b[2J"},"observations":{}}`,
		"a label":      `{"schema":"vmdrift.snapshot/v1","machine":{"id":{"source":"s","native_id":"n"},"name":"m","labels":{"a":"\u009b1m"}},"observations":{}}`,
		"missing name": `{"schema":"vmdrift.snapshot/v1","observations":{"users":{"status":"partial","missing":["\u001b"],"items":{}}}}`,
		"privilege":    `{"schema":"vmdrift.snapshot/v1","privilege":"\u001b","observations":{}}`,
		"more":         `{"schema":"vmdrift.snapshot/v1","observations":{}} {}`,
	} {
		var s Snapshot
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAnEmptyStateSurvivesJSONAsAnEmptyList(t *testing.T) {
	s, err := NewState(Groups)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(Snapshot{Machine: Machine{Name: `DOMAIN\web`}, Observations: []Observation{Observe(s)}})
	if err != nil {
		t.Fatal(err)
	}
	var out Snapshot
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if o, _ := out.Observation(Groups); o.State == nil || o.State.Digest() != s.Digest() {
		t.Errorf("the state is another one: %s", text)
	}
}

func TestValidateFindsContradictions(t *testing.T) {
	s, _ := NewState(Users)
	for name, o := range map[string]Observation{
		"complete, nothing":     {Facet: Users, Status: Complete, ItemsComplete: true},
		"failed, a state":       {Facet: Users, Status: Failed, State: s},
		"failed, all items":     {Facet: Users, Status: Failed, ItemsComplete: true},
		"another facet's state": {Facet: Groups, Status: Complete, ItemsComplete: true, State: s},
		"complete, not all":     {Facet: Users, Status: Complete, State: s},
		"reason":                {Facet: Users, Status: Denied, Reason: "a\nb"},
	} {
		if o.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
	if err := Observe(s).Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzParseState(f *testing.F) {
	f.Add("alice\tgid=1\tuid=1\nbob\tuid=2\n")
	f.Add("a\nb\n")
	f.Add("a\\x1b\tx=\\u{202e}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseState(Users, text)
		if err != nil {
			return
		}
		b := NewBuilder(Users)
		for _, it := range s.Items() {
			b.Add(it)
			if again, err := ParseLine(it.Line()); err != nil || again != it {
				t.Fatal(err)
			}
		}
		built, err := b.State()
		if err != nil || built.Text() != text || built.Digest() != s.Digest() {
			t.Fatalf("%v: built again, it is %q", err, built.Text())
		}
	})
}

func FuzzSnapshotJSON(f *testing.F) {
	f.Add([]byte(`{"schema":"vmdrift.snapshot/v1","machine":{"id":{"source":"a","native_id":"b"},"name":"c"},"taken_at":"2026-11-23T00:00:00Z","observations":{"users":{"status":"complete","items_complete":true,"items":{"a":{"uid":"1"}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Snapshot
		if json.Unmarshal(text, &s) != nil {
			return
		}
		once, err := json.Marshal(s)
		if err != nil {
			return // a year that RFC 3339 has no form for
		}
		var again Snapshot
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatal(err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%v: %s\n%s", err, once, twice)
		}
	})
}

func BenchmarkParseState(b *testing.B) {
	bld := NewBuilder(Packages)
	for i := range 2000 {
		bld.Key("deb/libexample", string(rune('a'+i%26)), time.Duration(i).String(), ":amd64")
		bld.Field("hold", "no")
		bld.Field("source", "example")
		bld.Field("state", "installed")
		bld.Field("version", "1:2.3.4-5+deb12u1")
	}
	s, err := bld.State()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(s.Text())))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseState(Packages, s.Text()); err != nil {
			b.Fatal(err)
		}
	}
}
