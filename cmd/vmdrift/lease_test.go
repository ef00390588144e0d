package main

import (
	"context"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

// A busy target says whether it was collected.
type busy struct{ collected *int }

func (b busy) Machine() inventory.Machine {
	return inventory.Machine{ID: inventory.MachineID{Source: "test", NativeID: "m"}, Name: "m"}
}

func (b busy) Collect(context.Context) (inventory.Snapshot, error) {
	*b.collected++
	return inventory.Snapshot{}, nil
}

func TestAScanWaitsForWhoIsInTheMachine(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	other, st := testdb.Open(t, url), testdb.Open(t, url)
	n := 0
	target := leaseAll([]collector.Target{busy{&n}}, st)[0]
	release, ok, err := other.Lease(t.Context(), target.Machine().ID)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if r := collector.Collect(t.Context(), target, 500*time.Millisecond); r.Outcome != collector.TimedOut || n != 0 {
		t.Errorf("%s, %v, collected %d times", r.Outcome, r.Err, n)
	}
	time.AfterFunc(300*time.Millisecond, release)
	if r := collector.Collect(t.Context(), target, time.Minute); r.Outcome != collector.OK || n != 1 {
		t.Errorf("%s, %v, collected %d times", r.Outcome, r.Err, n)
	}
	// It is free again.
	if release, ok, err = other.Lease(t.Context(), target.Machine().ID); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	// And so when the process that has it ends.
	other.Close()
	release()
	if r := collector.Collect(t.Context(), target, time.Minute); r.Outcome != collector.OK || n != 2 {
		t.Errorf("%s, %v, collected %d times", r.Outcome, r.Err, n)
	}
}
