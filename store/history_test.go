package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func history(t testing.TB, s *store.Store, m drift.MachineRow, f inventory.Facet) (digests []inventory.Digest, from []time.Time) {
	t.Helper()
	all, err := s.History(t.Context(), m)
	must(t, err)
	for _, h := range all {
		if h.Facet == f {
			digests, from = append(digests, h.State.Digest), append(from, h.From)
		}
	}
	return digests, from
}

func TestHistoryHasAStretchPerChangeAndNonePerNight(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := machine("a")
	one, two := packages(t, 20, nil), packages(t, 20, map[int]string{3: "2"})
	os := stateOf(t, inventory.OS, item(t, "kernel", "value", "6.1"))
	var rec drift.MachineRecord
	for n, st := range []*inventory.State{one, one, two, two, one, one} {
		rec = observe(t, s, startRun(t, s, night(n)), m, st, os)
	}
	digests, from := history(t, s, rec.Row, inventory.Packages)
	if !slices.Equal(digests, []inventory.Digest{one.Digest(), two.Digest(), one.Digest()}) {
		t.Errorf("got %v", digests)
	}
	if !slices.EqualFunc(from, []time.Time{night(0), night(2), night(4)}, time.Time.Equal) {
		t.Errorf("got %v", from)
	}
	all, err := s.History(t.Context(), rec.Row)
	must(t, err)
	if len(all) != 4 || all[0].Facet != inventory.OS {
		t.Errorf("got %+v", all)
	}
}

func TestAClockPutBackEndsNoStretchBeforeItBegan(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := machine("a")
	var want []inventory.Digest
	var rec drift.MachineRecord
	for i, n := range []int{5, 1, 1, 7} {
		st := packages(t, 20, map[int]string{i: "x"})
		want = append(want, st.Digest())
		rec = observe(t, s, startRun(t, s, night(n)), m, st)
	}
	digests, from := history(t, s, rec.Row, inventory.Packages)
	if !slices.Equal(digests, want) {
		t.Error("the stretches are out of order")
	}
	if !slices.IsSortedFunc(from, time.Time.Compare) {
		t.Errorf("got %v", from)
	}
}

func TestAFacetThatCannotBeReadKeepsItsLastState(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	st := packages(t, 20, nil)
	rec := observe(t, s, startRun(t, s, night(0)), machine("a"), st)
	rec, err := s.Machine(t.Context(), "a")
	must(t, err)
	denied := rec.Facets[0]
	denied.Status, denied.Reason, denied.ItemsComplete = inventory.Denied, "sudo asks for a password", false
	denied.StatusSince, denied.LastObserved = night(1), night(0)
	set := drift.SetFacet{Machine: rec.Row, Record: denied, At: night(1)}
	never := drift.SetFacet{Machine: rec.Row, At: night(1), Record: drift.FacetRecord{Facet: "cloud", Status: inventory.Failed, Reason: "cut", StatusSince: night(1)}}
	for range 2 { // twice is as good as once
		inTx(t, s, func(tx drift.Tx) { must(t, tx.SetFacets(t.Context(), []drift.SetFacet{set, never})) })
	}
	got, err := s.Machine(t.Context(), "a")
	must(t, err)
	f := facetOf(got, inventory.Packages)
	if f.Status != inventory.Denied || f.Reason != denied.Reason || f.State.Digest != st.Digest() || f.ItemsComplete ||
		!f.LastObserved.Equal(night(0)) || !f.StatusSince.Equal(night(1)) || !f.StateSince.Equal(night(0)) {
		t.Errorf("got %+v", f)
	}
	if c := facetOf(got, "cloud"); c.State.ID != 0 || c.Status != inventory.Failed || !c.LastObserved.IsZero() {
		t.Errorf("got %+v", c)
	}
	if digests, _ := history(t, s, got.Row, inventory.Packages); len(digests) != 1 {
		t.Errorf("there are %d stretches", len(digests))
	}

	// Readable again, in part.
	partial := f
	partial.Status, partial.Reason, partial.Missing, partial.ItemsComplete = inventory.Partial, "no root", []string{"hold", `a"\`}, true
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.SetFacets(t.Context(), []drift.SetFacet{{Machine: rec.Row, Record: partial, At: night(2)}}))
	})
	got, err = s.Machine(t.Context(), "a")
	must(t, err)
	f = facetOf(got, inventory.Packages)
	if !slices.Equal(f.Missing, partial.Missing) || !f.LastObserved.Equal(got.LastObserved) || !f.ItemsComplete {
		t.Errorf("got %+v", f)
	}
}
