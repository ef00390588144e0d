package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// mostDeaths is how often a worker may die over one machine before it is no longer scanned in that run.
const mostDeaths = 6

type scanWorker struct {
	river.WorkerDefaults[scanArgs]
	w *Worker
}

// NextRetry implements river.Worker.
func (s *scanWorker) NextRetry(job *river.Job[scanArgs]) time.Time {
	if wait, ok := s.w.waits.LoadAndDelete(job.ID); ok {
		return time.Now().Add(wait.(time.Duration))
	}
	return time.Now().Add(5 * time.Second)
}

// Work implements river.Worker: it scans one machine and returns when that is recorded. A crash at any point leaves the
// machine either recorded, which the next try notices, or to be scanned again.
func (s *scanWorker) Work(ctx context.Context, job *river.Job[scanArgs]) (failure error) {
	w, j := s.w, job.Args.ScanMachine
	run, err := w.runs.get(ctx, j.Run)
	if err != nil {
		return stopped(ctx, err)
	}
	if run == nil { // it has ended
		return nil
	}
	defer run.leave()
	if job.Attempt > 1 {
		if done, err := w.o.Nights.HasResult(ctx, run.Run, j.Machine); err != nil || done {
			return stopped(ctx, err)
		}
	}
	if wait := run.Scope.Closed(time.Now()); wait > 0 {
		return again(wait)
	}
	if !run.enter(ctx) {
		return stopped(ctx, run.ctx.Err())
	}
	defer run.exit()
	release, ok, err := w.o.Crew.Lease(ctx, j.Seen.ID)
	if err != nil {
		return stopped(ctx, err)
	}
	if !ok { // another run is in there
		return again(3 * time.Second)
	}
	defer release()
	ctx, end := span(ctx, "scan machine", j.Run, attribute.String("vmdrift.machine", j.Seen.Joined().Machine.Name), attribute.Int("vmdrift.try", job.Attempt))
	defer func() { end(failure) }()

	var r collector.Result
	if job.Attempt > mostDeaths {
		r = collector.Result{Machine: j.Seen.Joined().Machine, Outcome: collector.Broken, Started: time.Now(), Err: errors.New("the workers that scanned it ended over it, again and again")}
	} else {
		var letGo func()
		if r, letGo, err = s.collect(ctx, run, j); err != nil {
			return stopped(ctx, err)
		}
		defer letGo()
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("vmdrift.outcome", string(r.Outcome)))
	if r.Outcome == collector.Cancelled {
		return stopped(ctx, run.ctx.Err())
	}
	if wait, ok := w.o.Again(r.Outcome, job.Attempt); ok && time.Now().Add(wait).Before(run.Deadline) {
		w.waits.Store(job.ID, wait)
		return fmt.Errorf("%s: %s", r.Outcome, inventory.Escape(r.Err.Error()))
	}
	if err := w.rec.record(ctx, run, drift.Scanned{Job: j, Result: r}); err != nil {
		return stopped(ctx, err)
	}
	if w.o.Observe != nil {
		w.o.Observe(r, job.Attempt)
	}
	return nil
}

// collect goes into the machine. Its answers count against a bound until letGo is called.
func (s *scanWorker) collect(ctx context.Context, run *activeRun, j drift.ScanMachine) (r collector.Result, letGo func(), err error) {
	letGo = func() {}
	listed, err := s.w.o.Service.Listed(ctx, j)
	if err != nil {
		return r, letGo, err
	}
	var target collector.Target
	reach, err := run.reach(ctx)
	if err == nil {
		target, err = reach.Target(listed)
	}
	if err != nil { // of this worker's keys and files, which somebody has to look at
		return collector.Result{Machine: listed.Machine, Outcome: collector.Broken, Err: err, Started: time.Now()}, letGo, nil
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(run.ctx, cancel)()
	r = collector.Collect(own, target, s.w.o.Timeout)
	if t, ok := target.(collector.Releaser); ok {
		snap := r.Snapshot
		letGo = func() { t.Release(snap) }
	}
	return r, letGo, nil
}

// stopped says what becomes of a job that could not be done: it is tried again, at once by another worker if this one
// is being stopped.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return again(0)
	}
	if errors.Is(err, context.Canceled) {
		return nil // the run was ended
	}
	return err
}
