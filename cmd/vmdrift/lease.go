package main

import (
	"context"
	"errors"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A leased target is collected while nobody else is in there: no night's worker, and no other scan.
type leased struct {
	collector.Target
	crew drift.Crew
}

var _ collector.Releaser = leased{}

// leaseAll returns the targets such that each is collected under a lease.
func leaseAll(targets []collector.Target, crew drift.Crew) []collector.Target {
	out := make([]collector.Target, len(targets))
	for i, t := range targets {
		out[i] = leased{t, crew}
	}
	return out
}

// Collect implements collector.Target. It waits for whoever is in there, within the time that the machine may take.
func (l leased) Collect(ctx context.Context) (inventory.Snapshot, error) {
	for {
		release, ok, err := l.crew.Lease(ctx, l.Machine().ID)
		if err != nil {
			return inventory.Snapshot{Machine: l.Machine()}, err
		}
		if ok {
			defer release()
			return l.Target.Collect(ctx)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return inventory.Snapshot{Machine: l.Machine()}, ctx.Err()
			}
			return inventory.Snapshot{Machine: l.Machine()}, &collector.Error{
				Outcome: collector.TimedOut, Err: errors.New("another run was scanning it all the time"), Hint: "vmdrift run list shows which.",
			}
		}
	}
}

// Release implements collector.Releaser.
func (l leased) Release(s inventory.Snapshot) {
	if r, ok := l.Target.(collector.Releaser); ok {
		r.Release(s)
	}
}
