// Package drift holds the use cases of vmdrift: record what a scan saw, compare
// it with the baseline that applies, and keep each finding's life, from the night
// it opened to the night it was gone.
//
// It owns the types of that life and the interfaces that it needs (Store, Tx). It
// knows nothing of SQL, HTTP, SSH or the terminal.
package drift

import (
	"errors"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// Row ids of the store. They mean nothing outside one database.
type (
	RunID      int64
	MachineRow int64
	StateID    int64
	RevisionID int64
	ChangeID   int64
)

// Errors that callers translate for their users.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed by somebody else meanwhile")
	ErrExists   = errors.New("exists already")
)

// A StateRef points at a stored state.
type StateRef struct {
	ID     StateID
	Digest inventory.Digest
}

// A FacetRecord is what the store knows now of one facet of one machine.
type FacetRecord struct {
	Facet         inventory.Facet
	Status        inventory.Status
	Reason        string
	Missing       []string
	ItemsComplete bool
	// State is the state observed last, kept while the facet can't be read. Its ID
	// is 0 if the facet was never observed.
	State StateRef
	// StateSince is when State was first observed in the present stretch.
	StateSince time.Time
	// StatusSince is when the present status, reason and missing fields were first reported.
	StatusSince time.Time
	// LastObserved is when State was observed last. Zero if it never was. For a
	// facet whose status is Observed it is the machine's LastObserved.
	LastObserved time.Time
}

// A MachineRecord is what the store knows now of one machine.
type MachineRecord struct {
	Row           MachineRow
	Machine       inventory.Machine
	SameAs        string    // name of the machine that stands for it; empty for a machine of its own
	GoneAt        time.Time // when its source listed it no more; zero while it does
	FirstSeen     time.Time
	LastRun       RunID             // the last run that tried it; 0 if none
	LastTried     time.Time         // its start
	LastObserved  time.Time         // start of the last run that observed anything there; zero if none
	Outcome       collector.Outcome // of the last try
	OutcomeReason string            // one sentence, canonical text; empty if OK
	Facets        []FacetRecord     // sorted by facet
	// Compared is the revision that its findings were last reconciled with, 0 if
	// none, and Baseline the name of that revision's baseline.
	Compared RevisionID
	Baseline string
}

// A FindingState is where a finding stands.
type FindingState string

const (
	Open         FindingState = "open"
	Acknowledged FindingState = "acknowledged"
	Waived       FindingState = "waived"
	Resolved     FindingState = "resolved"
)

// A Finding is a change on a machine, with a life. Its identity is the machine
// and the change (facet, key, op, fields with their values; not the severity).
type Finding struct {
	Machine    MachineRow
	ChangeID   ChangeID // 0 until stored
	Change     baseline.Change
	State      FindingState
	FirstSeen  time.Time // of its first opening
	OpenedAt   time.Time // of the last opening
	LastSeen   time.Time // when the machine was last seen to have it
	ResolvedAt time.Time // zero unless Resolved
	Reopened   int       // how often it came back
	// Acknowledged says who took it on last. It is kept when the finding is resolved and comes back,
	// which makes it Open again. Written by Tx.Acknowledge alone.
	Acknowledged Acknowledgement
}

// An Acknowledgement is somebody's word that they have seen a finding and see to it.
type Acknowledgement struct {
	By   string // empty: nobody has
	Note string // may be empty
	At   time.Time
}

// A Revision is one immutable state of a baseline.
type Revision struct {
	ID       RevisionID
	Baseline string // name
	Number   int    // 1, 2, 3…
	Author   string
	Reason   string
	At       time.Time
	Digest   inventory.Digest // of the content
	Spec     baseline.Spec
	// States are the stored states of Spec's items. Set by the store.
	States map[inventory.Facet]StateID
}

// A FindingEvent is something that befell a finding.
type FindingEvent struct {
	Finding Finding
	Kind    EventKind
	At      time.Time
	Run     RunID  // 0 if no run did it
	By      string // who, if somebody
	Note    string
	Machine string // name; set when read
}

// An EventKind says what befell a finding.
type EventKind string

const (
	EventOpened       EventKind = "opened"
	EventReopened     EventKind = "reopened"
	EventResolved     EventKind = "resolved"
	EventContinued    EventKind = "continued" // as a change that says more of the same, or less
	EventAcknowledged EventKind = "acknowledged"
	EventReleased     EventKind = "released" // nobody sees to it any more
)

// Flapping reports whether the finding comes and goes: it came back three times or more, at least once a
// week on average, and last within the week before now. It is one finding all the same, and nobody is told of it again.
func (f Finding) Flapping(now time.Time) bool {
	const often, week = 3, 7 * 24 * time.Hour
	return f.Reopened >= often && f.OpenedAt.Sub(f.FirstSeen) <= time.Duration(f.Reopened)*week && now.Sub(f.OpenedAt) <= week
}
