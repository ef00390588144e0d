package drift

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A RunState is where a run stands.
type RunState string

const (
	RunPlanned     RunState = "planned" // due, and not begun
	RunRunning     RunState = "running"
	RunFinished    RunState = "finished"
	RunCancelled   RunState = "cancelled"
	RunOverdue     RunState = "overdue"     // its deadline passed with machines left
	RunInterrupted RunState = "interrupted" // its process died; found so by a later one
)

// Ended reports whether nothing more is scanned.
func (s RunState) Ended() bool { return s != RunPlanned && s != RunRunning }

// A Run is one scan of a scope.
type Run struct {
	ID         RunID
	Trigger    string    // "scan", "demo", "schedule nightly", …: what started it
	StartedAt  time.Time // of a planned run, when it was planned
	FinishedAt time.Time // zero until it has ended
	State      RunState
	Planned    int                       // machines in scope
	Outcomes   map[collector.Outcome]int // machines per outcome, those seen so far

	// Queued says that workers scan it, wherever they are; else the process that began it does. What follows is of
	// queued runs only.
	Queued    bool
	Schedule  string    // name; empty if none asked for it, or it is gone
	DueAt     time.Time // by the schedule
	NotBefore time.Time // DueAt and the schedule's jitter
	HandedAt  time.Time // when the queue got it; zero before
	Deadline  time.Time // when what is left is given up; zero before HandedAt
	Scope     Scope
	// Notes are sentences on what went wrong that concerns no one machine: a source that did not answer.
	Notes []string
	// Opened and Resolved count findings, and Facets says how well each facet was seen. Set at its end.
	Opened, Resolved int
	Facets           []FacetCoverage
}

// Recorded returns how many machines have an outcome.
func (r Run) Recorded() int {
	n := 0
	for _, k := range r.Outcomes {
		n += k
	}
	return n
}

// Seen returns how many machines somebody was inside, or, where there is no inside, their platform
// told of; and how many of the planned ones could have been: a machine that is switched off is not missed tonight.
func (r Run) Seen() (seen, of int) {
	return r.Outcomes[collector.OK] + r.Outcomes[collector.Partly], r.Planned - r.Outcomes[collector.SwitchedOff]
}

// Coverage is the share of machines that were seen, of those that could be, from 0 to 1.
func (r Run) Coverage() float64 {
	seen, of := r.Seen()
	if of <= 0 {
		return 1
	}
	return float64(seen) / float64(of)
}

// DefaultMinCoverage is the share below which a run raises the alarm.
const DefaultMinCoverage = 0.9

// Alarm returns why the run says less of its scope than it should; empty if it does not. A
// run that goes on has no alarm yet.
func (r Run) Alarm() string {
	least := r.Scope.MinCoverage
	if least == 0 {
		least = DefaultMinCoverage
	}
	switch {
	case !r.State.Ended():
		return ""
	case r.Queued && r.Planned == 0:
		return "it found no machine to scan"
	case r.Coverage() < least:
		seen, of := r.Seen()
		return fmt.Sprintf("it saw %d of %d machines, %.0f %%, and at least %.0f %% are wanted", seen, of, 100*r.Coverage(), 100*least)
	case len(r.Notes) > 0:
		return "a source did not list all its machines"
	}
	return ""
}

// A Scope says which machines a run scans, and within which bounds.
type Scope struct {
	Where       string        `json:"where,omitempty"`        // a label selector; empty is all
	Sources     []string      `json:"sources,omitempty"`      // names; empty is all
	Concurrency int           `json:"concurrency,omitempty"`  // machines of the run in flight at once in one worker; 0 is as many as it has slots
	Deadline    time.Duration `json:"deadline,omitempty"`     // how long the run may take; 0 is DefaultDeadline
	MinCoverage float64       `json:"min_coverage,omitempty"` // 0 to 1; 0 is DefaultMinCoverage
	// TimeZone and Blackouts are when nothing is scanned, as internal/cron reads them.
	TimeZone  string   `json:"time_zone,omitempty"`
	Blackouts []string `json:"blackouts,omitempty"`
}

// DefaultDeadline is how long a run may take.
const DefaultDeadline = 12 * time.Hour

// Wants reports whether the source's machines are in the scope, whatever their labels.
func (s Scope) Wants(source string) bool {
	return len(s.Sources) == 0 || slices.Contains(s.Sources, source)
}

// A FacetCoverage is how well a facet was seen in a run, in machines.
type FacetCoverage struct {
	Facet  inventory.Facet          `json:"facet"`
	Status map[inventory.Status]int `json:"status"` // of the machines that were seen
}

// A RunMachine is how a machine ended in a run.
type RunMachine struct {
	Row     MachineRow
	Name    string
	Labels  map[string]string
	Outcome collector.Outcome // empty: not tried, or not yet
	Reason  string            // as recorded; empty if there was none
	Took    time.Duration     // to a millisecond
}

// byTrouble sorts machines such that what needs somebody comes first.
func byTrouble(a, b RunMachine) int {
	rank := func(m RunMachine) int {
		switch m.Outcome {
		case collector.OK:
			return 3
		case collector.SwitchedOff, "":
			return 2
		case collector.Partly:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Name, b.Name))
}
