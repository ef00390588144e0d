package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func text(s string) *string { return &s }

func change(key string, fields ...baseline.FieldChange) baseline.Change {
	return baseline.Change{Facet: inventory.Packages, Key: key, Op: baseline.Changed, Fields: fields, Severity: baseline.Low}
}

func opened(m drift.MachineRow, c baseline.Change, n int) drift.Finding {
	return drift.Finding{Machine: m, Change: c, State: drift.Open, FirstSeen: night(n), OpenedAt: night(n), LastSeen: night(n)}
}

func findingsOf(t testing.TB, s *store.Store, q drift.FindingQuery) []drift.FindingRecord {
	t.Helper()
	fs, err := s.Findings(t.Context(), q)
	must(t, err)
	return fs
}

func TestAFindingReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := observe(t, s, startRun(t, s, night(0)), machine("a"), packages(t, 5, nil))
	want := opened(m.Row, change("deb/ssl", baseline.FieldChange{Name: "hold", Want: nil, Have: text("")},
		baseline.FieldChange{Name: "version", Want: text(`1"'\x00`), Have: text("日本")}), 0)
	for range 2 {
		inTx(t, s, func(tx drift.Tx) { must(t, tx.PutFindings(t.Context(), []drift.Finding{want})) })
	}
	got := findingsOf(t, s, drift.FindingQuery{})
	if len(got) != 1 {
		t.Fatalf("there are %d", len(got))
	}
	want.ChangeID = got[0].ChangeID
	if d := cmp.Diff(drift.FindingRecord{Finding: want, MachineName: "a"}, got[0]); d != "" {
		t.Error(d)
	}
	if got[0].Change.Digest() != want.Change.Digest() {
		t.Error("the change has another digest")
	}
}

func TestAnOpenFindingIsSeenAsLongAsItsFacetIs(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	st := packages(t, 5, nil)
	m := observe(t, s, startRun(t, s, night(0)), machine("a"), st)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.PutFindings(t.Context(), []drift.Finding{opened(m.Row, change("deb/x"), 0)}))
	})
	lastSeen := func() time.Time { return findingsOf(t, s, drift.FindingQuery{})[0].LastSeen }
	observe(t, s, startRun(t, s, night(1)), machine("a"), st)
	if got := lastSeen(); !got.Equal(night(1)) {
		t.Errorf("after a quiet night: %v", got)
	}
	// The machine is seen, its packages are not.
	rec, err := s.Machine(t.Context(), "a")
	must(t, err)
	failed := rec.Facets[0]
	failed.Status, failed.ItemsComplete, failed.StatusSince = inventory.Failed, false, night(2)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.SetFacets(t.Context(), []drift.SetFacet{{Machine: rec.Row, Record: failed, At: night(2)}}))
		must(t, tx.Seen(t.Context(), startRun(t, s, night(2)).ID, night(2), []drift.SeenMachine{
			{Machine: rec.Row, Outcome: collector.Partly, Observed: true, Changed: true},
		}))
	})
	if got := lastSeen(); !got.Equal(night(1)) {
		t.Errorf("after a night on which it could not be read: %v", got)
	}
	resolved := findingsOf(t, s, drift.FindingQuery{})[0].Finding
	resolved.State, resolved.ResolvedAt = drift.Resolved, night(3)
	inTx(t, s, func(tx drift.Tx) { must(t, tx.PutFindings(t.Context(), []drift.Finding{resolved})) })
	observe(t, s, startRun(t, s, night(4)), machine("a"), st)
	got := findingsOf(t, s, drift.FindingQuery{})[0]
	if !got.LastSeen.Equal(night(1)) || !got.ResolvedAt.Equal(night(3)) || got.State != drift.Resolved {
		t.Errorf("after it was resolved: %+v", got.Finding)
	}
}

func TestFindingsAreSelectedAndSorted(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	a := observe(t, s, startRun(t, s, night(0)), machine("a")).Row
	b := observe(t, s, startRun(t, s, night(0)), machine("b")).Row
	port := baseline.Change{Facet: inventory.Ports, Key: "tcp/0.0.0.0:1", Op: baseline.Added}
	gone := opened(b, change("deb/x"), 0)
	gone.State, gone.ResolvedAt = drift.Resolved, night(1)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.PutFindings(t.Context(), []drift.Finding{opened(b, port, 0), opened(a, port, 0), opened(a, change("deb/z"), 0), opened(a, change("deb/Y"), 0), gone}))
	})
	list := func(q drift.FindingQuery) (out []string) {
		for _, f := range findingsOf(t, s, q) {
			out = append(out, f.MachineName+" "+f.Change.Key)
		}
		return out
	}
	for _, c := range []struct {
		q    drift.FindingQuery
		want []string
	}{
		{drift.FindingQuery{}, []string{"a deb/Y", "a deb/z", "a tcp/0.0.0.0:1", "b deb/x", "b tcp/0.0.0.0:1"}},
		{drift.FindingQuery{Machines: []string{"b", "c"}}, []string{"b deb/x", "b tcp/0.0.0.0:1"}},
		{drift.FindingQuery{States: []drift.FindingState{drift.Open}, Facets: []inventory.Facet{inventory.Packages}}, []string{"a deb/Y", "a deb/z"}},
		{drift.FindingQuery{Machines: []string{"c"}}, nil},
	} {
		if got := list(c.q); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.q, got, c.want)
		}
	}

	// FindingsOf: all that are not resolved, and the resolved ones asked for.
	inTx(t, s, func(tx drift.Tx) {
		fs, err := tx.FindingsOf(t.Context(), map[drift.MachineRow][]inventory.Digest{a: nil, b: {change("deb/z").Digest()}})
		must(t, err)
		if len(fs) != 4 {
			t.Errorf("got %d, want 4", len(fs))
		}
		fs, err = tx.FindingsOf(t.Context(), map[drift.MachineRow][]inventory.Digest{b: {change("deb/x").Digest()}})
		must(t, err)
		if len(fs) != 2 || fs[0].State != drift.Resolved {
			t.Errorf("got %+v", fs)
		}
		fs, err = tx.FindingsOf(t.Context(), nil)
		must(t, err)
		if len(fs) != 0 {
			t.Errorf("got %+v", fs)
		}
	})
}

func TestARetargetedFindingKeepsItsLife(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := observe(t, s, startRun(t, s, night(0)), machine("a")).Row
	less := change("deb/x", baseline.FieldChange{Name: "version", Want: text("1"), Have: text("2")})
	more := change("deb/x", baseline.FieldChange{Name: "hold", Want: text("no"), Have: text("yes")}, less.Fields[0])
	more.Severity = baseline.High
	old := opened(m, less, 3)
	old.State, old.Reopened = drift.Waived, 2
	// The fuller change was there once, and went.
	before := opened(m, more, 1)
	before.State, before.ResolvedAt = drift.Resolved, night(2)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.PutFindings(t.Context(), []drift.Finding{old, before}))
		to := old
		to.Change = more
		must(t, tx.RetargetFinding(t.Context(), old, to))
	})
	got := findingsOf(t, s, drift.FindingQuery{})
	if len(got) != 1 || got[0].Change.Digest() != more.Digest() || got[0].State != drift.Waived || got[0].Change.Severity != baseline.High ||
		!got[0].OpenedAt.Equal(night(3)) || !got[0].FirstSeen.Equal(night(1)) || got[0].Reopened != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestAnAcknowledgementIsKeptUntilItIsTakenBack(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	run := startRun(t, s, night(0))
	a, b := observe(t, s, run, machine("a")).Row, observe(t, s, run, machine("b")).Row
	c := change("deb/x", baseline.FieldChange{Name: "version", Want: text("1"), Have: text("2")})
	gone := opened(b, change("deb/y", baseline.FieldChange{Name: "version", Want: text("1"), Have: text("2")}), 1)
	gone.State, gone.ResolvedAt = drift.Resolved, night(2)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.PutFindings(t.Context(), []drift.Finding{opened(a, c, 1), opened(b, c, 1), gone}))
	})
	ids := map[string]drift.ChangeID{}
	for _, f := range findingsOf(t, s, drift.FindingQuery{}) {
		ids[f.Change.Key] = f.ChangeID
	}
	both := []drift.MachineRow{a, b}
	word := drift.Acknowledgement{By: "ann", Note: "rolled back on Monday", At: night(3)}
	ack := func(id drift.ChangeID, machines []drift.MachineRow, w drift.Acknowledgement, want int) {
		t.Helper()
		inTx(t, s, func(tx drift.Tx) {
			n, err := tx.Acknowledge(t.Context(), id, machines, w)
			must(t, err)
			if n != want {
				t.Errorf("%d findings, not %d", n, want)
			}
		})
	}
	is := func(want ...string) {
		t.Helper()
		var got []string
		for _, f := range findingsOf(t, s, drift.FindingQuery{}) {
			got = append(got, f.MachineName+" "+f.Change.Key+" "+string(f.State)+" "+f.Acknowledged.By)
			if f.Acknowledged.By != "" && f.Acknowledged != word {
				t.Errorf("got %+v", f.Acknowledged)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	ack(ids["deb/x"], []drift.MachineRow{a}, word, 1)
	ack(ids["deb/y"], both, word, 0) // it is over
	is("a deb/x acknowledged ann", "b deb/x open ", "b deb/y resolved ")
	ack(ids["deb/x"], both, word, 2)
	is("a deb/x acknowledged ann", "b deb/x acknowledged ann", "b deb/y resolved ")

	// It comes back: open, and who looked at it last is known.
	again := opened(b, c, 5)
	again.Reopened = 1
	inTx(t, s, func(tx drift.Tx) { must(t, tx.PutFindings(t.Context(), []drift.Finding{again})) })
	is("a deb/x acknowledged ann", "b deb/x open ann", "b deb/y resolved ")

	ack(ids["deb/x"], both, drift.Acknowledgement{}, 1)
	is("a deb/x open ", "b deb/x open ann", "b deb/y resolved ")
}
