package collector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// fake is a target that takes some time, ends as told, and counts those in flight.
type fake struct {
	name             string
	takes            time.Duration
	err              error
	panics           bool
	inFlight, atMost *atomic.Int32
}

func (f fake) Machine() inventory.Machine { return inventory.Machine{Name: f.name} }

func (f fake) Collect(ctx context.Context) (inventory.Snapshot, error) {
	if n := f.inFlight.Add(1); n > f.atMost.Load() {
		f.atMost.Store(n)
	}
	defer f.inFlight.Add(-1)
	if f.panics {
		panic("a parser's mistake")
	}
	select {
	case <-time.After(f.takes):
		return inventory.Snapshot{}, f.err
	case <-ctx.Done():
		return inventory.Snapshot{}, ctx.Err()
	}
}

func fleet(n int, takes time.Duration) ([]Target, []*fake, *atomic.Int32) {
	var inFlight, atMost atomic.Int32
	var ts []Target
	var fs []*fake
	for i := range n {
		f := &fake{name: fmt.Sprint("m", i), takes: takes, inFlight: &inFlight, atMost: &atMost}
		fs, ts = append(fs, f), append(ts, f)
	}
	return ts, fs, &atMost
}

func TestEachKeepsToItsConcurrencyAndReportsEveryTargetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, _, atMost := fleet(100, time.Second)
		seen, start := map[string]int{}, time.Now()
		Each(t.Context(), ts, Limits{Concurrency: 10, Timeout: time.Minute}, func(r Result) {
			seen[r.Machine.Name]++
			if r.Outcome != OK || r.Snapshot.Machine.Name != r.Machine.Name {
				t.Errorf("%s: %s, snapshot of %q", r.Machine.Name, r.Outcome, r.Snapshot.Machine.Name)
			}
		})
		if len(seen) != 100 || atMost.Load() != 10 {
			t.Errorf("%d machines reported, %d in flight at most; want 100 and 10", len(seen), atMost.Load())
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want 10s", took)
		}
	})
}

func TestOneSlowMachineDelaysNoOtherAndTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, fs, _ := fleet(20, time.Second)
		fs[0].takes = time.Hour
		last := ""
		Each(t.Context(), ts, Limits{Concurrency: 2, Timeout: time.Minute}, func(r Result) {
			last = r.Machine.Name
			if want := map[bool]Outcome{true: TimedOut, false: OK}[r.Machine.Name == "m0"]; r.Outcome != want {
				t.Errorf("%s: %s, want %s", r.Machine.Name, r.Outcome, want)
			}
			if r.Machine.Name == "m0" && r.Duration != time.Minute {
				t.Errorf("gave up after %s, want 1m", r.Duration)
			}
		})
		if last != "m0" {
			t.Errorf("%s was reported last: it waited for the slow one", last)
		}
	})
}

func TestCancellingEndsAtOnceAndReportsTheRestAsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, _, _ := fleet(50, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		start, n := time.Now(), 0
		time.AfterFunc(time.Second, cancel)
		Each(ctx, ts, Limits{Concurrency: 5}, func(r Result) {
			n++
			if r.Outcome != Cancelled {
				t.Errorf("%s: %s, want cancelled", r.Machine.Name, r.Outcome)
			}
		})
		if n != 50 || time.Since(start) != time.Second {
			t.Errorf("%d reported after %s, want 50 after 1s", n, time.Since(start))
		}
	})
}

func TestAPanicAndAnErrorAreOfTheirMachineAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, fs, _ := fleet(3, time.Second)
		fs[0].panics = true
		fs[1].err = &Error{Outcome: AuthFailed, Err: errors.New("no key fits")}
		want := map[string]Outcome{"m0": Broken, "m1": AuthFailed, "m2": OK}
		Each(t.Context(), ts, Limits{Concurrency: 1}, func(r Result) {
			if r.Outcome != want[r.Machine.Name] {
				t.Errorf("%s: %s (%v), want %s", r.Machine.Name, r.Outcome, r.Err, want[r.Machine.Name])
			}
		})
	})
}

func TestASnapshotWithAGapIsPartial(t *testing.T) {
	gap := inventory.Snapshot{Observations: []inventory.Observation{
		{Facet: inventory.OS, Status: inventory.Unsupported}, {Facet: inventory.Users, Status: inventory.Denied},
	}}
	if whole(gap) || !whole(inventory.Snapshot{Observations: gap.Observations[:1]}) {
		t.Error("a denied facet is a gap, an unsupported one is none")
	}
}
