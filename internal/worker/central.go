package worker

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// soon is when a job that failed for a reason that is not its own is tried again.
func soon() time.Time { return time.Now().Add(5 * time.Second) }

type beginWorker struct {
	river.WorkerDefaults[beginArgs]
	w *Worker
}

func (b *beginWorker) NextRetry(*river.Job[beginArgs]) time.Time { return soon() }

// Work implements river.Worker: it lists the sources and hands the machines out.
func (b *beginWorker) Work(ctx context.Context, job *river.Job[beginArgs]) error {
	own, end := span(ctx, "begin run", job.Args.Run)
	err := b.w.o.Service.Begin(own, job.Args.Run, b.w.o.List)
	end(err)
	return stopped(ctx, err)
}

type closeWorker struct {
	river.WorkerDefaults[closeArgs]
	w *Worker
}

func (c *closeWorker) NextRetry(*river.Job[closeArgs]) time.Time { return soon() }

// Work implements river.Worker: it adds up a run and makes its notices.
func (c *closeWorker) Work(ctx context.Context, job *river.Job[closeArgs]) error {
	var channels []string
	if c.w.o.Channels != nil {
		channels = c.w.o.Channels()
	}
	own, end := span(ctx, "close run", job.Args.Run)
	run, err := c.w.o.Service.Close(own, job.Args.Run, channels)
	end(err)
	if err != nil {
		return stopped(ctx, err)
	}
	if !run.State.Ended() {
		return nil
	}
	seen, of := run.Seen()
	log := c.w.o.Log.With("run", run.ID, "schedule", run.Schedule, "state", run.State, "seen", seen, "of", of,
		"opened", run.Opened, "resolved", run.Resolved, "took", run.FinishedAt.Sub(run.StartedAt).Round(time.Millisecond).String())
	if why := run.Alarm(); why != "" {
		log.Warn("run ended, with an alarm: " + why)
	} else {
		log.Info("run ended")
	}
	return nil
}

type noticeWorker struct {
	river.WorkerDefaults[noticeArgs]
	w *Worker
}

func (n *noticeWorker) NextRetry(*river.Job[noticeArgs]) time.Time { return soon() }

// Work implements river.Worker: it sends a notice, or says when to come again.
func (n *noticeWorker) Work(ctx context.Context, job *river.Job[noticeArgs]) error {
	wait, err := n.w.o.Service.Send(ctx, job.Args.Notice, n.w.o.Send)
	if err != nil {
		return stopped(ctx, err)
	}
	if wait > 0 {
		return again(wait)
	}
	return nil
}
