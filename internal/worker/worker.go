// Package worker runs the jobs of package drift on River: thin adapters, a beat by which others know that this
// process lives, and a tick by which schedules come due.
//
// No process is special. Every one of them ticks, and the database sees to it that a tick does its work once; every
// one watches the beats of the others, and gives back the jobs of one that has died.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// Options of New.
type Options struct {
	Service *drift.Service
	Crew    drift.Crew
	Nights  drift.Nights
	Pool    *pgxpool.Pool
	// Temporary reports whether an error of the database may be gone the next time.
	Temporary func(error) bool
	Log       *slog.Logger
	Version   string
	Name      string // of this host; a random suffix is added. The host's own if empty

	// Zones are the network zones whose machines are scanned here; none for a process that scans nothing.
	Zones []string
	// Slots is how many machines are scanned at once, per zone.
	Slots int
	// Timeout is the time that one machine may take.
	Timeout time.Duration
	// Reach returns how machines are reached, for one run: the configuration may be another in the next.
	Reach func(ctx context.Context) (Reach, error)

	// Again says whether and when a machine is tried again; drift.Again if nil.
	Again func(o collector.Outcome, attempt int) (time.Duration, bool)

	// Central says that this process lists sources and sends notices; the next three are for it.
	Central  bool
	List     func(ctx context.Context, s drift.Scope) (drift.Listing, error)
	Channels func() []string // names of those that are to be told of a run
	Send     func(ctx context.Context, n drift.Notice, r drift.Report) error

	// Observe is told of each machine that was scanned here and recorded, if it is not nil.
	Observe func(r collector.Result, tries int)

	// TickEvery, BeatEvery and DeadAfter are 2 s, 10 s and 45 s if they are 0: a dead worker's jobs are given back within a minute.
	TickEvery, BeatEvery, DeadAfter time.Duration
}

// A Reach makes targets of machines.
type Reach interface {
	Target(l collector.Listed) (collector.Target, error)
	Close() error
}

// A Worker is one process's part in the work.
type Worker struct {
	o      Options
	name   string
	client *river.Client[pgx.Tx]
	runs   *active
	rec    *recorder
	waits  sync.Map // job id → how long to wait for the next try

	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu      sync.Mutex
	drained bool
}

// New returns a worker that has not begun yet.
func New(o Options) (*Worker, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.TickEvery, o.BeatEvery, o.DeadAfter = cmp.Or(o.TickEvery, 2*time.Second), cmp.Or(o.BeatEvery, 10*time.Second), cmp.Or(o.DeadAfter, 45*time.Second)
	if o.Again == nil {
		o.Again = drift.Again
	}
	host := o.Name
	if host == "" {
		host, _ = os.Hostname()
	}
	w := &Worker{o: o, name: fmt.Sprintf("%.60s/%s", cmp.Or(host, "worker"), uuid.NewString()[:8])}
	w.runs = newActive(o)
	w.rec = newRecorder(o)

	workers := river.NewWorkers()
	river.AddWorker(workers, &beginWorker{w: w})
	river.AddWorker(workers, &scanWorker{w: w})
	river.AddWorker(workers, &closeWorker{w: w})
	river.AddWorker(workers, &noticeWorker{w: w})
	queues := map[string]river.QueueConfig{}
	for _, z := range o.Zones {
		queues[QueueOf(z)] = river.QueueConfig{MaxWorkers: max(o.Slots, 1)}
	}
	if o.Central {
		queues[central] = river.QueueConfig{MaxWorkers: 8}
	}
	client, err := river.NewClient(riverpgxv5.New(o.Pool), &river.Config{
		ID: w.name, Queues: queues, Workers: workers, MaxAttempts: manyTries,
		Logger:            slog.New(&quiet{o.Log.Handler()}),
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: time.Second,
		JobTimeout:        -1, // each has its own
		// Only for a job that got stuck in a process that lives: those of dead ones are given back long before.
		RescueStuckJobsAfter:        2*o.Timeout + 30*time.Minute,
		CompletedJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("make a worker: %w", err)
	}
	w.client = client
	return w, nil
}

// Name is what the worker is called in the list of workers.
func (w *Worker) Name() string { return w.name }

// Start begins the work, which goes on until Stop. ctx is only for beginning.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.beat(ctx); err != nil { // before it takes jobs, or others would take it for dead
		return err
	}
	own, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.loops.Go(func() { w.rec.run(own) })
	if err := w.client.Start(own); err != nil {
		cancel()
		w.loops.Wait()
		return fmt.Errorf("start the queue: %w", err)
	}
	w.loops.Go(func() { w.every(own, w.o.TickEvery, w.tick) })
	w.loops.Go(func() { w.every(own, w.o.BeatEvery, w.watch()) })
	w.loops.Go(func() { w.every(own, min(w.o.TickEvery, 2*time.Second), w.runs.refresh) })
	return nil
}

// Stop takes no more work and lets what is under way end, within grace; what has not ended then is given back, to be
// begun again by another worker.
func (w *Worker) Stop(grace time.Duration) error {
	w.mu.Lock()
	w.drained = true
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	_ = w.beat(ctx)
	cancel()
	soft, cancelSoft := context.WithTimeout(context.Background(), grace)
	defer cancelSoft()
	err := w.client.Stop(soft)
	if err != nil {
		hard, cancelHard := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancelHard()
		err = w.client.StopAndCancel(hard)
	}
	w.cancel()
	w.loops.Wait()
	w.runs.close()
	last, cancelLast := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancelLast()
	return errors.Join(err, w.o.Crew.Dismiss(last, w.name))
}

// every calls f now and then, at the interval, until ctx ends. What fails is tried the next time.
func (w *Worker) every(ctx context.Context, interval time.Duration, f func(context.Context) error) {
	failing := false
	for t := time.NewTicker(interval); ; {
		own, cancel := context.WithTimeout(ctx, max(interval, 30*time.Second))
		err := f(own)
		cancel()
		if err != nil && ctx.Err() == nil && !failing {
			w.o.Log.Error("cannot go on for now, and will try again", "error", err)
		} else if err == nil && failing {
			w.o.Log.Info("going on")
		}
		failing = err != nil
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func (w *Worker) tick(ctx context.Context) error {
	t, err := w.o.Service.Tick(ctx)
	for _, id := range t.Planned {
		w.o.Log.Info("run planned", "run", id)
	}
	for _, id := range t.Overdue {
		w.o.Log.Warn("run overdue: what is left of it is given up", "run", id)
	}
	return err
}

func (w *Worker) beat(ctx context.Context) error {
	w.mu.Lock()
	draining := w.drained
	w.mu.Unlock()
	zones := w.o.Zones
	if zones == nil {
		zones = []string{}
	}
	return w.o.Crew.Beat(ctx, drift.Worker{Name: w.name, Version: w.o.Version, Zones: zones, Slots: w.o.Slots, Draining: draining})
}

// watch returns a function that beats, and takes those off the list that do not any more. How long they have not is
// measured by this process's own clock, which nobody can set.
func (w *Worker) watch() func(context.Context) error {
	type sign struct {
		beats int64
		at    time.Time
	}
	signs := map[string]sign{}
	return func(ctx context.Context) error {
		if err := w.beat(ctx); err != nil {
			clear(signs) // we were away ourselves
			return err
		}
		all, err := w.o.Crew.Workers(ctx)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, other := range all {
			seen[other.Name] = true
			if s, ok := signs[other.Name]; !ok || s.beats != other.Beats {
				signs[other.Name] = sign{other.Beats, time.Now()}
			} else if time.Since(s.at) > w.o.DeadAfter && other.Name != w.name {
				w.o.Log.Warn("worker is dead: others take over its machines", "worker", other.Name, "last_seen", other.SeenAt)
				if err := w.o.Crew.Dismiss(ctx, other.Name); err != nil {
					return err
				}
			}
		}
		for name := range signs {
			if !seen[name] {
				delete(signs, name)
			}
		}
		n, err := rescue(ctx, w.o.Pool)
		if n > 0 {
			w.o.Log.Warn("jobs of dead workers given back", "jobs", n)
		}
		return err
	}
}

// quiet passes on what River says only where it concerns somebody: a machine that is tried again is no error.
type quiet struct{ slog.Handler }

func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "Job errored") || strings.Contains(r.Message, "job errored") {
		r.Level = slog.LevelDebug
		if !q.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, r)
}

func (q *quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q *quiet) WithAttrs(as []slog.Attr) slog.Handler { return &quiet{q.Handler.WithAttrs(as)} }
func (q *quiet) WithGroup(name string) slog.Handler    { return &quiet{q.Handler.WithGroup(name)} }
