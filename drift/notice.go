package drift

import (
	"context"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// A NoticeID is the store's.
type NoticeID int32

// A Notice is what one channel is to be told of one run.
type Notice struct {
	ID      NoticeID
	Run     RunID
	Channel string // name, as in vmdrift.yaml
	MadeAt  time.Time
	SentAt  time.Time // zero until then
	Tries   int
	Error   string // of the last try; empty if it succeeded
	GivenUp bool
	// ClaimedUntil is until when somebody is sending it; zero if nobody is.
	ClaimedUntil time.Time
}

// Done reports whether nobody tries to send it any more.
func (n Notice) Done() bool { return n.GivenUp || !n.SentAt.IsZero() }

// A Report is what is told of a run: only what is new.
type Report struct {
	Run      Run
	Opened   []Drift // opened or reopened in it, without what only flaps
	Resolved []Drift
	Flapping int          // findings that came back and are not told of again
	Machines []RunMachine // all of the run, what needs somebody first
}

// Trouble returns the machines that were not seen, or not whole.
func (r Report) Trouble() []RunMachine {
	var out []RunMachine
	for _, m := range r.Machines {
		if m.Outcome.Trouble() {
			out = append(out, m)
		}
	}
	return out
}

// Empty reports whether there is nothing that anybody needs to know.
func (r Report) Empty() bool {
	return len(r.Opened) == 0 && len(r.Resolved) == 0 && r.Run.Alarm() == ""
}

// Report returns what is new in a run.
func (s *Service) Report(ctx context.Context, id RunID) (Report, error) {
	run, err := s.Run(ctx, id)
	if err != nil {
		return Report{}, err
	}
	out := Report{Run: run}
	opened, resolved, err := s.store.RunFindings(ctx, id)
	if err != nil {
		return out, err
	}
	var fresh []FindingRecord
	for _, f := range opened {
		if f.Flapping(run.StartedAt) {
			out.Flapping++
		} else {
			fresh = append(fresh, f)
		}
	}
	out.Opened, out.Resolved = Group(fresh), Group(resolved)
	out.Machines, err = s.RunMachines(ctx, id)
	return out, err
}

// MaxTries is how often a notice is tried before it is given up; with the waits of Wait between them that takes a day.
const MaxTries = 12

// Wait is how long to wait after that many tries.
func (n Notice) Wait() time.Duration { return min(10*time.Second<<max(n.Tries-1, 0), 4*time.Hour) }

// sendPatience is how long a sending may take, and so how long a notice stays claimed by one that died over it.
const sendPatience = time.Minute

// Send sends a notice by send and records how that went. One process at a time does: it claims the notice first, and holds no
// transaction while it sends. After a crash between the sending and the record it is sent again, with the same
// id, by which a receiver knows it.
//
// It returns after how long to come again, 0 if that is not necessary.
func (s *Service) Send(ctx context.Context, id NoticeID, send func(context.Context, Notice, Report) error) (time.Duration, error) {
	var n Notice
	var wait time.Duration
	err := s.store.InTx(ctx, func(tx Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		if n, err = tx.LockNotice(ctx, id); err != nil || n.Done() {
			return err
		}
		if wait = max(n.ClaimedUntil.Sub(now), 0); wait > 0 {
			return nil
		}
		n.Tries, n.ClaimedUntil = n.Tries+1, now.Add(sendPatience)
		return tx.PutNotice(ctx, n)
	})
	if err != nil || n.Done() || wait > 0 {
		return wait, err
	}
	report, err := s.Report(ctx, n.Run)
	if err != nil {
		return 0, err
	}
	sendCtx, cancel := context.WithTimeout(ctx, sendPatience-10*time.Second)
	defer cancel()
	failure := send(sendCtx, n, report)
	if failure != nil && ctx.Err() != nil {
		failure = nil // we were told to stop: that says nothing of the receiver
		n.Tries--
		wait = time.Second
	} else if failure != nil {
		n.Error = inventory.Escape(failure.Error())
		if n.GivenUp = n.Tries >= MaxTries; !n.GivenUp {
			wait = n.Wait()
		}
	}
	recCtx, cancelRec := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancelRec()
	err = s.store.InTx(recCtx, func(tx Tx) error {
		now, err := tx.Now(recCtx)
		if err != nil {
			return err
		}
		n.ClaimedUntil = time.Time{}
		if wait == 0 && failure == nil {
			n.SentAt, n.Error = now, ""
		}
		return tx.PutNotice(recCtx, n)
	})
	return wait, err
}

// Notices returns the notices of a run.
func (s *Service) Notices(ctx context.Context, run RunID) ([]Notice, error) {
	return s.store.Notices(ctx, run)
}
