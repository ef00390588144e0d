// Package collector says what a transport and a target are, and collects many
// targets at once: within a set concurrency and a time limit each, so that one
// slow machine delays no other.
//
// It knows nothing of what is asked of a machine (package guest), of how one is
// reached (packages ssh and local), and of what becomes of the answers.
package collector

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// A Runner is a transport to one machine: it runs one command there, feeds it
// stdin, and copies its standard output to stdout until it ends. One call is one
// connection and one exec. Standard error is discarded, or ends up in the error.
//
// Run returns at once when ctx ends, and leaves neither goroutine nor connection
// behind. Its errors are of type *Error where the outcome is known. A write error
// of stdout ends the command and is returned as it is.
type Runner interface {
	Run(ctx context.Context, command string, stdin []byte, stdout io.Writer) error
}

// A Target is one machine that can be collected.
type Target interface {
	// Machine returns what is known of the machine before it is reached.
	Machine() inventory.Machine
	// Collect reaches the machine and observes it. A snapshot that comes with an
	// error holds what was learnt before it; its unread facets are Failed.
	Collect(ctx context.Context) (inventory.Snapshot, error)
}

// A Releaser is a Target whose snapshots count against a bound until whoever collected
// them lets go of their states and says so.
type Releaser interface {
	Release(s inventory.Snapshot)
}

// An Outcome says how the collection of one machine ended.
type Outcome string

const (
	OK             Outcome = "ok"               // every facet complete, or unsupported there
	Partly         Outcome = "partial"          // reached, but some facet is partial, denied or failed
	Unreachable    Outcome = "unreachable"      // no connection: name, route, port
	AuthFailed     Outcome = "auth failed"      // reached, but no way in
	HostKeyUnknown Outcome = "host key unknown" // not in known_hosts
	HostKeyChanged Outcome = "host key changed" // not the one in known_hosts: stopped before authentication
	TimedOut       Outcome = "timed out"        // a time limit passed
	Broken         Outcome = "failed"           // reached, but what came back is no answer
	WrongMachine   Outcome = "another machine"  // whoever answered at its address is not the one that the platform lists
	Cancelled      Outcome = "cancelled"        // the scan was ended first
	SwitchedOff    Outcome = "switched off"     // the platform says so: there is nobody to answer
	NoAddress      Outcome = "no address"       // the platform does not say where it is
)

// Trouble reports whether somebody should look why the machine was not seen, or not whole.
func (o Outcome) Trouble() bool { return o != OK && o != SwitchedOff && o != Cancelled && o != "" }

// An Error is a failed collection with its outcome and, where there is one, the way out.
type Error struct {
	Outcome Outcome
	Err     error  // what happened, without the machine's name
	Hint    string // one sentence: what to do about it; may be empty
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Result is how the collection of one target went.
type Result struct {
	Machine  inventory.Machine
	Snapshot inventory.Snapshot // no observations if the machine was not reached
	Outcome  Outcome
	Err      error // nil if OK or Partly
	Started  time.Time
	Duration time.Duration
}

// OutcomeOf returns the outcome that err stands for, nil being OK.
func OutcomeOf(err error) Outcome {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Outcome
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Broken
}
