package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// Limits bound a collection of many targets.
type Limits struct {
	Concurrency int           // machines in flight at once; at least 1
	Timeout     time.Duration // for one machine, from connect to the last byte; 0 is none
}

// Each collects every target and calls report once for each, one call at a time, in
// the order in which they end. It returns when all are reported. When ctx ends, the
// machines in flight are given up at once and the rest are reported as Cancelled.
//
// A machine that panics its parser is Broken; the others go on.
func Each(ctx context.Context, targets []Target, l Limits, report func(Result)) {
	queue := make(chan Target)
	results := make(chan Result)
	var workers sync.WaitGroup
	for range min(max(l.Concurrency, 1), len(targets)) {
		workers.Go(func() {
			for t := range queue {
				results <- Collect(ctx, t, l.Timeout)
			}
		})
	}
	go func() {
		for _, t := range targets {
			queue <- t
		}
		close(queue)
		workers.Wait()
		close(results)
	}()
	for r := range results {
		report(r)
	}
}

// Collect collects one target within a time limit, 0 being none, and says how it went. A machine that panics its
// parser is Broken.
func Collect(ctx context.Context, t Target, limit time.Duration) (r Result) {
	r.Machine, r.Started = t.Machine(), time.Now()
	defer func() {
		if p := recover(); p != nil {
			r.Outcome = Broken
			r.Err = &Error{Outcome: Broken, Err: fmt.Errorf("internal error: %v", p), Hint: "please report this as a bug of vmdrift"}
		}
		r.Duration = time.Since(r.Started)
		r.Snapshot.Machine = r.Machine
	}()
	if ctx.Err() != nil {
		r.Outcome, r.Err = Cancelled, ctx.Err()
		return r
	}
	own := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		own, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	r.Snapshot, r.Err = t.Collect(own)
	switch r.Outcome = OutcomeOf(r.Err); {
	case ctx.Err() != nil && r.Err != nil:
		r.Outcome = Cancelled
	case own.Err() != nil && r.Err != nil && r.Outcome != TimedOut:
		r.Outcome = TimedOut
		r.Err = &Error{Outcome: TimedOut, Err: fmt.Errorf("gave up after %s: %w", limit, r.Err)}
	case r.Outcome == OK && !whole(r.Snapshot):
		r.Outcome = Partly
	}
	return r
}

// whole reports whether everything there is was read.
func whole(s inventory.Snapshot) bool {
	for _, o := range s.Observations {
		if o.Status != inventory.Complete && o.Status != inventory.Unsupported {
			return false
		}
	}
	return true
}
