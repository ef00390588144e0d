package store_test

import (
	"context"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// A writes is what was written to tables.
type writes struct{ inserted, updated, inPlace, deleted int }

func countWrites(t testing.TB, url string) writes {
	t.Helper()
	conn := testdb.Conn(t, url)
	defer conn.Close(context.Background())
	var w writes
	must(t, conn.QueryRow(context.Background(), `
		SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_tup_del) FROM pg_stat_user_tables`).
		Scan(&w.inserted, &w.updated, &w.inPlace, &w.deleted))
	return w
}

func (w writes) minus(o writes) writes {
	return writes{w.inserted - o.inserted, w.updated - o.updated, w.inPlace - o.inPlace, w.deleted - o.deleted}
}

// A store that is closed has told the server's statistics everything it did.
func withStore(t testing.TB, url string, f func(s *store.Store)) {
	t.Helper()
	s, err := store.Open(context.Background(), url, store.Options{})
	must(t, err)
	defer func() {
		s.Close()
		waitForBackends(t, url)
	}()
	f(s)
}

// waitForBackends waits until the sessions that were closed are gone: they hand in their counts last.
func waitForBackends(t testing.TB, url string) {
	t.Helper()
	conn := testdb.Conn(t, url)
	defer conn.Close(context.Background())
	for {
		var n int
		must(t, conn.QueryRow(context.Background(), `
			SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'vmdrift' AND pid <> pg_backend_pid()`).Scan(&n))
		if n == 0 {
			return
		}
	}
}

// Not in parallel: a transaction of another test, even in another database, keeps the
// server from clearing the old rows away, whose room the new ones take.
func TestAnUnchangedMachineCostsOneUpdateInPlace(t *testing.T) {
	url := testdb.New(t)
	const machines = 200
	fleet := simfleet.New(1, machines)
	withStore(t, url, func(s *store.Store) { recordNight(t, s, 0, fleet.Machines()) })
	for n := 1; n < 5; n++ {
		before := countWrites(t, url)
		withStore(t, url, func(s *store.Store) { recordNight(t, s, n, fleet.Machines()) })
		got := countWrites(t, url).minus(before)
		// And for the whole night: the run, its results, its end, its counts.
		want := writes{inserted: 3, updated: machines + 2, inPlace: got.inPlace, deleted: 0}
		if got != want {
			t.Errorf("night %d wrote %+v, want %+v", n, got, want)
		}
		if got.inPlace < machines {
			t.Errorf("night %d: only %d of %d updates were in place", n, got.inPlace, got.updated)
		}
	}
}

func TestAMachineUnreachableAgainCostsOneUpdateToo(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	m := machine("a")
	down := func(s *store.Store, n int, changed bool) {
		run := startRun(t, s, night(n))
		inTx(t, s, func(tx drift.Tx) {
			recs, err := tx.LockMachines(t.Context(), []inventory.Machine{m}, night(n))
			must(t, err)
			must(t, tx.Seen(t.Context(), run.ID, night(n), []drift.SeenMachine{
				{Machine: recs[0].Row, Outcome: collector.Unreachable, Reason: "no route", Changed: changed},
			}))
		})
	}
	withStore(t, url, func(s *store.Store) { down(s, 0, true) })
	before := countWrites(t, url)
	withStore(t, url, func(s *store.Store) { down(s, 1, false) })
	got := countWrites(t, url).minus(before)
	// The run begins, and ends the one whose store was closed: a row and an update.
	if want := (writes{inserted: 1, updated: 2, inPlace: got.inPlace}); got != want {
		t.Errorf("wrote %+v, want %+v", got, want)
	}
}

func TestOutcomesComeAndGo(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	row := observe(t, s, startRun(t, s, night(0)), machine("a"), packages(t, 10, nil)).Row
	see := func(n int, o collector.Outcome, reason string, observed bool) drift.MachineRecord {
		run := startRun(t, s, night(n))
		inTx(t, s, func(tx drift.Tx) {
			must(t, tx.Seen(t.Context(), run.ID, night(n), []drift.SeenMachine{{Machine: row, Outcome: o, Reason: reason, Observed: observed, Changed: true}}))
		})
		rec, err := s.Machine(t.Context(), "a")
		must(t, err)
		return rec
	}
	if rec := see(1, collector.Unreachable, "no route", false); rec.Outcome != collector.Unreachable || rec.OutcomeReason != "no route" ||
		!rec.LastTried.Equal(night(1)) || !rec.LastObserved.Equal(night(0)) {
		t.Errorf("got %+v", rec)
	}
	if rec := see(2, collector.TimedOut, "slow", false); rec.Outcome != collector.TimedOut || rec.OutcomeReason != "slow" {
		t.Errorf("got %+v", rec)
	}
	if rec := see(3, collector.OK, "", true); rec.Outcome != collector.OK || rec.OutcomeReason != "" || !rec.LastObserved.Equal(night(3)) {
		t.Errorf("got %+v", rec)
	}
	var stretches int
	must(t, testdb.Conn(t, url).QueryRow(t.Context(), `SELECT count(*) FROM machine_problems WHERE until_run IS NOT NULL`).Scan(&stretches))
	if stretches != 2 {
		t.Errorf("%d problems are remembered", stretches)
	}
}

func TestTheFleetStaysSmall(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	fleet := simfleet.New(1, 200)
	changed := 0
	for n := range 5 {
		if n > 0 {
			changed += len(fleet.Night())
		}
		recordNight(t, s, n, fleet.Machines())
	}
	count := func(table string) (n int) {
		must(t, testdb.Conn(t, url).QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
		return n
	}
	if n := count("machine_seen"); n != 200 {
		t.Errorf("machine_seen has %d rows", n)
	}
	if n := count("machine_facets"); n != 200*6 {
		t.Errorf("machine_facets has %d rows", n)
	}
	if n := count("state_history"); n == 0 || n > changed {
		t.Errorf("state_history has %d rows, and %d machines changed", n, changed)
	}
	if n := count("states"); n > 200+20*6+changed {
		t.Errorf("there are %d states", n)
	}
	if n := count("states WHERE base_id IS NULL AND facet_id = 3"); n > simfleet.Images {
		t.Errorf("%d states of packages are whole, and there are %d images", n, simfleet.Images)
	}
	for _, m := range fleet.Machines() {
		rec, err := s.Machine(t.Context(), m.Name)
		must(t, err)
		for i, f := range rec.Facets {
			if f.State.Digest != m.States[i].Digest() {
				t.Fatalf("%s is not as it was last seen", m.Name)
			}
		}
	}
}
