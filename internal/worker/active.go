package worker

import (
	"context"
	"errors"
	"sync"

	"github.com/vmdrift/vmdrift/drift"
)

// active are the runs that this process is scanning for.
type active struct {
	o  Options
	mu sync.Mutex
	of map[drift.RunID]*activeRun
}

// An activeRun is a run with what its scans share.
type activeRun struct {
	drift.Run
	all    *active
	ctx    context.Context // ends when the run does
	cancel context.CancelFunc
	slots  chan struct{} // nil for as many as there are
	jobs   int           // under active.mu

	mu      sync.Mutex
	reached Reach
}

func newActive(o Options) *active { return &active{o: o, of: map[drift.RunID]*activeRun{}} }

// get returns a run that is running, until leave is called, or nil if it is not.
func (a *active) get(ctx context.Context, id drift.RunID) (*activeRun, error) {
	if r := a.known(id); r != nil {
		return r, nil
	}
	run, err := a.o.Nights.Run(ctx, id)
	if errors.Is(err, drift.ErrNotFound) || err == nil && run.State != drift.RunRunning {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.of[id]
	if r == nil {
		r = &activeRun{Run: run, all: a}
		r.ctx, r.cancel = context.WithCancel(context.Background())
		if run.Scope.Concurrency > 0 {
			r.slots = make(chan struct{}, run.Scope.Concurrency)
		}
		a.of[id] = r
	}
	r.jobs++
	return r, nil
}

func (a *active) known(id drift.RunID) *activeRun {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.of[id]; r != nil && r.ctx.Err() == nil {
		r.jobs++
		return r
	}
	return nil
}

func (r *activeRun) leave() {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.jobs--
}

// enter waits for a slot of the run.
func (r *activeRun) enter(ctx context.Context) bool {
	if r.slots == nil {
		return true
	}
	select {
	case r.slots <- struct{}{}:
		return true
	case <-r.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

func (r *activeRun) exit() {
	if r.slots != nil {
		<-r.slots
	}
}

// reach returns how the run's machines are reached, made once.
func (r *activeRun) reach(ctx context.Context) (Reach, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reached == nil {
		var err error
		if r.reached, err = r.all.o.Reach(ctx); err != nil {
			return nil, err
		}
	}
	return r.reached, nil
}

// refresh ends the scans of runs that have ended, and forgets runs that nobody scans for.
func (a *active) refresh(ctx context.Context) error {
	a.mu.Lock()
	var ids []drift.RunID
	for id := range a.of {
		ids = append(ids, id)
	}
	a.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	states, err := a.o.Nights.RunStates(ctx, ids)
	if err != nil {
		return err
	}
	var idle []*activeRun
	a.mu.Lock()
	for _, id := range ids {
		r := a.of[id]
		if states[id] == drift.RunRunning {
			continue
		}
		r.cancel()
		if r.jobs == 0 {
			delete(a.of, id)
			idle = append(idle, r)
		}
	}
	a.mu.Unlock()
	for _, r := range idle {
		r.close()
	}
	return nil
}

func (r *activeRun) close() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reached != nil {
		_ = r.reached.Close() // connections to jump hosts; there is nothing to lose in them
		r.reached = nil
	}
}

func (a *active) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, r := range a.of {
		r.close()
		delete(a.of, id)
	}
}
