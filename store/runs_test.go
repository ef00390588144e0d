package store_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// see records outcomes of machines in a run.
func see(t testing.TB, s *store.Store, run drift.Run, outcomes map[string]collector.Outcome) {
	t.Helper()
	inTx(t, s, func(tx drift.Tx) {
		for name, o := range outcomes {
			recs, err := tx.LockMachines(t.Context(), []inventory.Machine{machine(name)}, run.StartedAt)
			must(t, err)
			must(t, tx.Seen(t.Context(), run.ID, run.StartedAt, []drift.SeenMachine{
				{Machine: recs[0].Row, Outcome: o, Reason: "why", Observed: o == collector.OK, Changed: recs[0].Outcome != o},
			}))
			_, err = tx.AddResults(t.Context(), run, []drift.MachineResult{{Machine: recs[0].Row, Outcome: o, Maybe: recs[0].LastRun >= run.ID}})
			must(t, err)
		}
	})
}

func runOf(t testing.TB, s *store.Store, id drift.RunID) drift.Run {
	t.Helper()
	runs, err := s.ListRuns(t.Context(), 100)
	must(t, err)
	for i, r := range runs {
		if i > 0 && r.ID >= runs[i-1].ID {
			t.Error("the runs are out of order")
		}
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("there is no run %d", id)
	return drift.Run{}
}

func TestARunIsCountedWhileItGoesOnAndAfterwards(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	run := startRun(t, s, night(0))
	see(t, s, run, map[string]collector.Outcome{"a": collector.OK, "b": collector.OK, "c": collector.AuthFailed})
	want := map[collector.Outcome]int{collector.OK: 2, collector.AuthFailed: 1}
	if got := runOf(t, s, run.ID); !maps.Equal(got.Outcomes, want) || got.State != drift.RunRunning || !got.FinishedAt.IsZero() {
		t.Errorf("got %+v", got)
	}
	// Tried again in the same run, a machine still counts once, as it ended first.
	see(t, s, run, map[string]collector.Outcome{"c": collector.OK})
	for range 2 {
		must(t, s.FinishRun(t.Context(), run.ID, drift.RunFinished, night(1)))
	}
	// A later run changes nothing for it.
	next := startRun(t, s, night(1))
	see(t, s, next, map[string]collector.Outcome{"a": collector.TimedOut})
	got := runOf(t, s, run.ID)
	if !maps.Equal(got.Outcomes, want) || got.State != drift.RunFinished || !got.FinishedAt.Equal(night(1)) {
		t.Errorf("got %+v", got)
	}
	if err := s.FinishRun(t.Context(), 4711, drift.RunFinished, night(1)); !errors.Is(err, drift.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTwoRunsOverTheSameMachinesAreBothCountedInFull(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	one, two := startRun(t, s, night(0)), startRun(t, s, night(0))
	see(t, s, one, map[string]collector.Outcome{"a": collector.OK, "b": collector.Unreachable, "c": collector.OK})
	see(t, s, two, map[string]collector.Outcome{"a": collector.OK, "b": collector.OK})
	wantOne := map[collector.Outcome]int{collector.OK: 2, collector.Unreachable: 1}
	wantTwo := map[collector.Outcome]int{collector.OK: 2}
	if got := runOf(t, s, one.ID).Outcomes; !maps.Equal(got, wantOne) {
		t.Errorf("while it goes on: %v", got)
	}
	must(t, s.FinishRun(t.Context(), one.ID, drift.RunFinished, night(0)))
	must(t, s.FinishRun(t.Context(), two.ID, drift.RunCancelled, night(0)))
	if got := runOf(t, s, one.ID).Outcomes; !maps.Equal(got, wantOne) {
		t.Errorf("the first: %v", got)
	}
	if got := runOf(t, s, two.ID); !maps.Equal(got.Outcomes, wantTwo) || got.State != drift.RunCancelled {
		t.Errorf("the second: %v", got)
	}
}

func TestARunWhoseProcessIsGoneIsFoundInterrupted(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	dying, s := testdb.Open(t, url), testdb.Open(t, url)
	gone := startRun(t, dying, night(0))
	see(t, dying, gone, map[string]collector.Outcome{"a": collector.OK})
	alive := startRun(t, s, night(0))
	other := startRun(t, s, night(0)) // in the same process: two at once are fine
	if got := runOf(t, s, gone.ID).State; got != drift.RunRunning {
		t.Errorf("while its process lives it is %s", got)
	}
	dying.Close() // as the kernel does for a process that is killed
	waitForRunLock(t, url, gone.ID)
	startRun(t, s, night(1))
	got := runOf(t, s, gone.ID)
	if got.State != drift.RunInterrupted || !got.FinishedAt.Equal(night(1)) || got.Outcomes[collector.OK] != 1 {
		t.Errorf("got %+v", got)
	}
	for _, id := range []drift.RunID{alive.ID, other.ID} {
		if got := runOf(t, s, id).State; got != drift.RunRunning {
			t.Errorf("run %d is %s", id, got)
		}
	}
	must(t, s.FinishRun(t.Context(), alive.ID, drift.RunFinished, night(1)))
	startRun(t, testdb.Open(t, url), night(1)) // looks from elsewhere
	if got := runOf(t, s, other.ID).State; got != drift.RunRunning {
		t.Errorf("run %d is %s after another one of its process finished", other.ID, got)
	}
}

// waitForRunLock waits until the server has noticed that the session is gone.
func waitForRunLock(t testing.TB, url string, id drift.RunID) {
	t.Helper()
	conn := testdb.Conn(t, url)
	_, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock(x'766d6472'::int, $1)`, int32(id))
	must(t, err)
	must(t, conn.Close(t.Context()))
	waitUntilFree(t, url, id)
}

func waitUntilFree(t testing.TB, url string, id drift.RunID) {
	t.Helper()
	conn := testdb.Conn(t, url)
	for {
		var held int
		must(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1`, int64(id)).Scan(&held))
		if held == 0 {
			return
		}
	}
}
