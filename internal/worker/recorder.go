package worker

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// A recorder writes results as they come, as many at once as are there: while one transaction is under way, the next
// batch gathers.
type recorder struct {
	o  Options
	in chan *entry
}

type entry struct {
	run     *activeRun
	scanned drift.Scanned
	done    chan error
}

func newRecorder(o Options) *recorder { return &recorder{o: o, in: make(chan *entry)} }

// record returns when the result is in the database, or cannot get there.
func (r *recorder) record(ctx context.Context, run *activeRun, s drift.Scanned) error {
	e := &entry{run, s, make(chan error, 1)}
	select {
	case r.in <- e:
	case <-ctx.Done():
		return ctx.Err()
	}
	// Not given up any more: it is with the database, and soon done.
	return <-e.done
}

func (r *recorder) run(ctx context.Context) {
	var waiting []*entry
	for {
		if len(waiting) == 0 {
			select {
			case e := <-r.in:
				waiting = append(waiting, e)
			case <-ctx.Done():
				return
			}
		}
		for more := true; more && len(waiting) < drift.BatchSize; {
			select {
			case e := <-r.in:
				waiting = append(waiting, e)
			default:
				more = false
			}
		}
		var batch, rest []*entry
		size := 0
		for _, e := range waiting {
			if e.run.ID == waiting[0].run.ID && (len(batch) == 0 || size < drift.BatchBytes) {
				batch, size = append(batch, e), size+drift.SizeOf(e.scanned.Result)
			} else {
				rest = append(rest, e)
			}
		}
		waiting = rest
		r.write(ctx, batch)
	}
}

// write records a batch. One machine that the database does not take keeps none of the others from being recorded.
func (r *recorder) write(ctx context.Context, batch []*entry) {
	err := r.try(ctx, batch)
	switch {
	case err == nil:
	case len(batch) > 1 && !r.temporary(err):
		for _, e := range batch {
			r.write(ctx, []*entry{e})
		}
		return
	case len(batch) == 1 && !r.temporary(err) && batch[0].scanned.Result.Outcome != collector.Broken:
		s := &batch[0].scanned
		s.Result.Outcome, s.Result.Err = collector.Broken, fmt.Errorf("what it answered cannot be stored: %w", err)
		s.Result.Snapshot.Observations = nil
		r.write(ctx, batch)
		return
	}
	for _, e := range batch {
		e.done <- err
	}
}

// try records a batch, as often as it takes while the database is away.
func (r *recorder) try(ctx context.Context, batch []*entry) error {
	scanned := make([]drift.Scanned, len(batch))
	for i, e := range batch {
		scanned[i] = e.scanned
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		// A beginning is finished even if the process is being stopped.
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		own, end := span(own, "record machines", batch[0].run.ID, attribute.Int("vmdrift.machines", len(batch)))
		err := r.o.Service.RecordScanned(own, batch[0].run.Run, scanned)
		end(err)
		cancel()
		if err == nil || !r.temporary(err) || ctx.Err() != nil {
			return err
		}
		r.o.Log.Warn("the database is away; what was scanned waits for it", "error", err, "machines", len(batch))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

func (r *recorder) temporary(err error) bool { return r.o.Temporary != nil && r.o.Temporary(err) }
