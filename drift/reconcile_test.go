package drift

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

var (
	monday  = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)
)

// night is a machine's ports as a scan saw them, held against a baseline that wants sshd on 22.
func night(t *testing.T, o inventory.Observation, at time.Time) ([]baseline.Change, view) {
	t.Helper()
	spec := baseline.Spec{Name: "web", Defaults: "none", Facets: map[inventory.Facet]baseline.FacetSpec{
		inventory.Ports: {Mode: baseline.Closed, Items: state(t, item(t, "tcp/0.0.0.0:22", "process", "sshd", "user", "root"))},
	}}
	g, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	v := view{at: at, facets: map[inventory.Facet]inventory.Observation{}, golden: g}
	if o.State != nil {
		v.facets[o.Facet] = o
	}
	return g.Diff(o), v
}

func item(t *testing.T, key string, fields ...string) inventory.Item {
	t.Helper()
	var fs []inventory.Field
	for i := 0; i < len(fields); i += 2 {
		fs = append(fs, inventory.Field{Name: fields[i], Value: fields[i+1]})
	}
	it, err := inventory.NewItem(key, fs...)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func state(t *testing.T, items ...inventory.Item) *inventory.State {
	t.Helper()
	s, err := inventory.NewState(inventory.Ports, items...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scan reconciles the findings so far with one more night and returns all findings after it.
func scan(t *testing.T, known []Finding, o inventory.Observation, at time.Time) []Finding {
	t.Helper()
	changes, v := night(t, o, at)
	p := reconcile(1, known, changes, v)
	out := append([]Finding(nil), known...)
	place := func(f Finding) {
		for i := range out {
			if out[i].Change.Digest() == f.Change.Digest() {
				out[i] = f
				return
			}
		}
		out = append(out, f)
	}
	for _, r := range p.retarget {
		for i := range out {
			if out[i].Change.Digest() == r.from.Change.Digest() {
				out[i] = r.to
			}
		}
	}
	for _, f := range p.put {
		place(f)
	}
	return out
}

// brief is what the tests look at.
type brief struct {
	Key      string
	Op       baseline.Op
	State    FindingState
	Since    string
	Reopened int
	Fields   int
}

func briefs(fs []Finding) []brief {
	var out []brief
	for _, f := range fs {
		out = append(out, brief{f.Change.Key, f.Change.Op, f.State, f.FirstSeen.Format("Mon"), f.Reopened, len(f.Change.Fields)})
	}
	return out
}

func want(t *testing.T, got []Finding, want ...brief) {
	t.Helper()
	if d := cmp.Diff(want, briefs(got)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

func TestAFindingOpensStaysResolvesAndComesBack(t *testing.T) {
	ssh := item(t, "tcp/0.0.0.0:22", "process", "sshd", "user", "root")
	nc := item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root")

	fs := scan(t, nil, inventory.Observe(state(t, ssh, nc)), monday)
	open := brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Mon", 0, 2}
	want(t, fs, open)
	fs = scan(t, fs, inventory.Observe(state(t, ssh, nc)), tuesday)
	want(t, fs, open)
	fs = scan(t, fs, inventory.Observe(state(t, ssh)), tuesday)
	want(t, fs, brief{"tcp/0.0.0.0:4444", baseline.Added, Resolved, "Mon", 0, 2})
	if fs[0].ResolvedAt != tuesday {
		t.Errorf("resolved at %s, want tuesday", fs[0].ResolvedAt)
	}
	fs = scan(t, fs, inventory.Observe(state(t, ssh, nc)), tuesday)
	want(t, fs, brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Mon", 1, 2})
}

func TestAnUnreadFacetOpensAndClosesNothing(t *testing.T) {
	nc := item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root")
	fs := scan(t, nil, inventory.Observe(state(t, nc)), monday) // sshd is gone, nc is there
	before := briefs(fs)
	if len(before) != 2 {
		t.Fatalf("%d findings, want 2", len(before))
	}
	for _, s := range []inventory.Status{inventory.Denied, inventory.Failed, inventory.Unsupported} {
		fs = scan(t, fs, inventory.Observation{Facet: inventory.Ports, Status: s}, tuesday)
		want(t, fs, before...)
	}
}

func TestAnIncompleteListClosesOnlyWhatItShows(t *testing.T) {
	nc := item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root")
	fs := scan(t, nil, inventory.Observe(state(t, nc)), monday)
	part := inventory.Observation{Facet: inventory.Ports, Status: inventory.Partial, State: state(t)}
	want(t, scan(t, fs, part, tuesday), briefs(fs)...)
	part.State = state(t, item(t, "tcp/0.0.0.0:22", "process", "sshd", "user", "root"))
	want(t, scan(t, fs, part, tuesday),
		brief{"tcp/0.0.0.0:22", baseline.Removed, Resolved, "Mon", 0, 2},
		brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Mon", 0, 2})
}

func TestAFieldThatBecomesUnknownNeitherClosesNorOpens(t *testing.T) {
	ssh := item(t, "tcp/0.0.0.0:22", "process", "dropbear", "user", "mallory")
	nc := item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root")
	fs := scan(t, nil, inventory.Observe(state(t, ssh, nc)), monday)
	before := briefs(fs)

	dim := inventory.Observation{
		Facet: inventory.Ports, Status: inventory.Partial, ItemsComplete: true, Missing: []string{"process"},
		State: state(t, item(t, "tcp/0.0.0.0:22", "user", "mallory"), item(t, "tcp/0.0.0.0:4444", "user", "root")),
	}
	want(t, scan(t, fs, dim, tuesday), before...)

	// Even if nothing of the finding can be read any more.
	dim.State = state(t, item(t, "tcp/0.0.0.0:22"), item(t, "tcp/0.0.0.0:4444"))
	want(t, scan(t, fs, dim, tuesday), before...)

	// A closed port is closed, process or no process: the list is complete.
	dim.State = state(t, item(t, "tcp/0.0.0.0:22"))
	after := scan(t, fs, dim, tuesday)
	if after[0].State != Open || after[1].State != Resolved {
		t.Errorf("want 22 open and 4444 resolved: %+v", briefs(after))
	}
}

func TestAFieldThatBecomesKnownKeepsTheFindingsLife(t *testing.T) {
	dim := inventory.Observation{
		Facet: inventory.Ports, Status: inventory.Partial, ItemsComplete: true, Missing: []string{"process"},
		State: state(t, item(t, "tcp/0.0.0.0:22", "user", "root"), item(t, "tcp/0.0.0.0:4444", "user", "root")),
	}
	fs := scan(t, nil, dim, monday)
	want(t, fs, brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Mon", 0, 1})
	fs = scan(t, fs, inventory.Observe(state(t,
		item(t, "tcp/0.0.0.0:22", "process", "sshd", "user", "root"), item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root"))), tuesday)
	want(t, fs, brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Mon", 0, 2})
}

func TestAnotherValueIsAnotherFinding(t *testing.T) {
	was := inventory.Observe(state(t, item(t, "tcp/0.0.0.0:22", "process", "dropbear", "user", "root")))
	is := inventory.Observe(state(t, item(t, "tcp/0.0.0.0:22", "process", "telnetd", "user", "root")))
	fs := scan(t, scan(t, nil, was, monday), is, tuesday)
	want(t, fs,
		brief{"tcp/0.0.0.0:22", baseline.Changed, Resolved, "Mon", 0, 1},
		brief{"tcp/0.0.0.0:22", baseline.Changed, Open, "Tue", 0, 1})
}

func TestAnotherValueIsAnotherFindingEvenSeenDimly(t *testing.T) {
	fs := scan(t, nil, inventory.Observe(state(t, item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root"))), monday)
	dim := inventory.Observation{
		Facet: inventory.Ports, Status: inventory.Partial, ItemsComplete: true, Missing: []string{"process"},
		State: state(t, item(t, "tcp/0.0.0.0:4444", "user", "mallory")),
	}
	fs = scan(t, fs, dim, tuesday)
	want(t, fs,
		brief{"tcp/0.0.0.0:22", baseline.Removed, Open, "Mon", 0, 2},
		brief{"tcp/0.0.0.0:4444", baseline.Added, Resolved, "Mon", 0, 2},
		brief{"tcp/0.0.0.0:4444", baseline.Added, Open, "Tue", 0, 1})
}

func TestRecordingTheSameNightTwiceWritesNothing(t *testing.T) {
	o := inventory.Observe(state(t, item(t, "tcp/0.0.0.0:4444", "process", "nc", "user", "root")))
	fs := scan(t, nil, o, monday)
	changes, v := night(t, o, monday)
	if p := reconcile(1, fs, changes, v); len(p.put)+len(p.retarget) > 0 {
		t.Errorf("the second time writes %+v", p)
	}
}

func TestWithoutABaselineEveryFindingIsMoot(t *testing.T) {
	fs := scan(t, nil, inventory.Observe(state(t)), monday)
	p := reconcile(1, fs, nil, view{at: tuesday})
	if len(p.put) != 1 || p.put[0].State != Resolved {
		t.Errorf("want the one finding resolved: %+v", p.put)
	}
}
