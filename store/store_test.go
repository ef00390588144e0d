package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

var t0 = time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)

// night returns the time of the nth night.
func night(n int) time.Time { return t0.AddDate(0, 0, n) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func item(t testing.TB, key string, fields ...string) inventory.Item {
	t.Helper()
	var fs []inventory.Field
	for i := 0; i < len(fields); i += 2 {
		fs = append(fs, inventory.Field{Name: fields[i], Value: fields[i+1]})
	}
	it, err := inventory.NewItem(key, fs...)
	must(t, err)
	return it
}

func stateOf(t testing.TB, f inventory.Facet, items ...inventory.Item) *inventory.State {
	t.Helper()
	s, err := inventory.NewState(f, items...)
	must(t, err)
	return s
}

// packages returns a state with n packages in version 1, except for those named with another.
func packages(t testing.TB, n int, other map[int]string) *inventory.State {
	t.Helper()
	var items []inventory.Item
	for i := range n {
		v := "1"
		if o, ok := other[i]; ok {
			v = o
		}
		if v != "" {
			items = append(items, item(t, fmt.Sprintf("deb/p%03d:amd64", i), "version", v))
		}
	}
	return stateOf(t, inventory.Packages, items...)
}

func machine(name string) inventory.Machine {
	return inventory.Machine{ID: inventory.MachineID{Source: "hosts", NativeID: name}, Name: name, Address: "ops@" + name + ":22"}
}

func inTx(t testing.TB, s *store.Store, f func(tx drift.Tx)) {
	t.Helper()
	must(t, s.InTx(context.Background(), func(tx drift.Tx) error {
		f(tx)
		return nil
	}))
}

func startRun(t testing.TB, s *store.Store, at time.Time) drift.Run {
	t.Helper()
	run, err := s.StartRun(context.Background(), "test", 1, at)
	must(t, err)
	return run
}

// observe records that a run saw a machine with those states.
func observe(t testing.TB, s *store.Store, run drift.Run, m inventory.Machine, states ...*inventory.State) drift.MachineRecord {
	t.Helper()
	var rec drift.MachineRecord
	inTx(t, s, func(tx drift.Tx) {
		recs, err := tx.LockMachines(t.Context(), []inventory.Machine{m}, run.StartedAt)
		must(t, err)
		rec = recs[0]
		var put []drift.NewState
		for _, st := range states {
			put = append(put, drift.NewState{State: st})
		}
		ids, err := tx.PutStates(t.Context(), put)
		must(t, err)
		var sets []drift.SetFacet
		for _, st := range states {
			old := facetOf(rec, st.Facet())
			if old.State.Digest == st.Digest() {
				continue
			}
			sets = append(sets, drift.SetFacet{
				Machine: rec.Row, NewStretch: true, At: run.StartedAt,
				Record: drift.FacetRecord{
					Facet: st.Facet(), Status: inventory.Complete, ItemsComplete: true, StateSince: run.StartedAt, StatusSince: run.StartedAt,
					State: drift.StateRef{ID: ids[st.Digest()], Digest: st.Digest()},
				},
			})
		}
		must(t, tx.SetFacets(t.Context(), sets))
		must(t, tx.Seen(t.Context(), run.ID, run.StartedAt, []drift.SeenMachine{
			{Machine: rec.Row, Outcome: collector.OK, Observed: true, Changed: rec.Outcome != collector.OK},
		}))
	})
	return rec
}

func facetOf(rec drift.MachineRecord, f inventory.Facet) drift.FacetRecord {
	for _, r := range rec.Facets {
		if r.Facet == f {
			return r
		}
	}
	return drift.FacetRecord{}
}

func TestAMachineIsKnownAsItWasSeen(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := machine("web-1")
	m.Labels = map[string]string{"role": "web", "note": `a "quoted" \ näme`}
	os := stateOf(t, inventory.OS, item(t, "distribution", "id", "debian"))
	run := startRun(t, s, night(0))
	observe(t, s, run, m, packages(t, 10, nil), os)

	got, err := s.Machine(t.Context(), "web-1")
	must(t, err)
	if got.Machine.Labels["note"] != m.Labels["note"] || got.Machine.ID != m.ID || got.Machine.Address != m.Address {
		t.Errorf("got %+v", got.Machine)
	}
	if !got.FirstSeen.Equal(night(0)) || !got.LastTried.Equal(night(0)) || !got.LastObserved.Equal(night(0)) || got.Outcome != collector.OK {
		t.Errorf("got %+v", got)
	}
	if len(got.Facets) != 2 || got.Facets[0].Facet != inventory.OS || got.Facets[0].State.Digest != os.Digest() ||
		!got.Facets[0].LastObserved.Equal(night(0)) || !got.Facets[1].StateSince.Equal(night(0)) {
		t.Errorf("got %+v", got.Facets)
	}
	states, err := s.States(t.Context(), []drift.StateID{got.Facets[0].State.ID})
	must(t, err)
	if states[got.Facets[0].State.ID].Text() != os.Text() {
		t.Error("the state reads otherwise than it was written")
	}
}
