package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vmdrift/vmdrift/collector"
)

// stages is the context of one connection. It ends with its parent, or when the
// stage it is in has taken too long. Deadlines of the connection itself would not
// do: a connection through a jump host has none.
type stages struct {
	context.Context
	parent context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	name  string
	limit time.Duration
	over  bool
}

func newStages(ctx context.Context) *stages {
	s := &stages{parent: ctx, name: "starting"}
	s.Context, s.cancel = context.WithCancelCause(ctx)
	return s
}

// A stageTimeout is the cause when a stage took too long.
type stageTimeout struct {
	name  string
	limit time.Duration
}

func (e *stageTimeout) Error() string { return fmt.Sprintf("timed out %s, after %s", e.name, e.limit) }

const (
	connecting     = "connecting"
	reachingJump   = "reaching the jump host"
	shakingHands   = "exchanging keys"
	authenticating = "authenticating"
	waiting        = "waiting for output"
)

// enter begins a stage. Zero is no limit but that of the whole.
func (s *stages) enter(name string, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.name, s.limit = name, limit
	switch {
	case limit == 0:
		if s.timer != nil {
			s.timer.Stop()
		}
	case s.timer == nil:
		s.timer = time.AfterFunc(limit, s.expire)
	default:
		s.timer.Reset(limit)
	}
}

// again begins the present stage anew: something came.
func (s *stages) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil && s.limit > 0 && !s.over {
		s.timer.Reset(s.limit)
	}
}

func (s *stages) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel(&stageTimeout{s.name, s.limit})
}

func (s *stages) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel(nil)
}

func (s *stages) stage() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name
}

// verdict turns what ended the work into what the caller is told. That time ran
// out shows as a closed connection further down, so it goes first; but not before
// a verdict on the host key, which stays true.
func (s *stages) verdict(err error) error {
	if err == nil {
		return nil
	}
	var write *writeError
	if errors.As(err, &write) {
		return write.err
	}
	var known *collector.Error
	if errors.As(err, &known) && (known.Outcome == collector.HostKeyChanged || known.Outcome == collector.HostKeyUnknown) {
		return known
	}
	stage := s.stage()
	var late *stageTimeout
	switch cause := context.Cause(s); {
	case errors.Is(s.parent.Err(), context.DeadlineExceeded):
		return &collector.Error{Outcome: collector.TimedOut, Err: told{"the time limit passed while " + stage, s.parent.Err()}}
	case s.parent.Err() != nil:
		return &collector.Error{Outcome: collector.Cancelled, Err: told{"stopped while " + stage, s.parent.Err()}}
	case errors.As(cause, &late) && late.name == connecting:
		return &collector.Error{Outcome: collector.Unreachable, Err: fmt.Errorf("no answer to the connection within %s", late.limit)}
	case errors.As(cause, &late):
		return &collector.Error{Outcome: collector.TimedOut, Err: late}
	case known != nil:
		return known
	}
	return &collector.Error{Outcome: collector.Broken, Err: err}
}

// told is an error that says more than its cause, whose own words tell people nothing.
type told struct {
	text  string
	cause error
}

func (e told) Error() string { return e.text }
func (e told) Unwrap() error { return e.cause }
