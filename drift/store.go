package drift

import (
	"context"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Store keeps everything. Its methods outside a transaction only read, except
// for those of Runs. Times are truncated to microseconds, UTC.
type Store interface {
	Runs
	Nights
	Reader
	// InTx runs f in one transaction, again if it lost against another one
	// (serialization failure, deadlock), so f must be free of other effects.
	// Everything f did happens, or nothing.
	InTx(ctx context.Context, f func(tx Tx) error) error
}

// Runs keeps the record of scans.
type Runs interface {
	// StartRun records a run that is beginning now, and marks as interrupted the
	// running ones whose process is gone. A run counts as alive while the session
	// that started it holds its advisory lock, which FinishRun lets go.
	StartRun(ctx context.Context, trigger string, planned int, at time.Time) (Run, error)
	// FinishRun records how the run ended. Counting outcomes is the store's work.
	FinishRun(ctx context.Context, id RunID, state RunState, at time.Time) error
	// ListRuns returns the latest runs, newest first.
	ListRuns(ctx context.Context, limit int) ([]Run, error)
}

// Nights answers for schedules and the runs that workers scan. It only reads.
type Nights interface {
	// Schedules returns all, sorted by name, with their last runs.
	Schedules(ctx context.Context) ([]Schedule, error)
	// Run returns a run, or ErrNotFound.
	Run(ctx context.Context, id RunID) (Run, error)
	// RunMachines returns all machines of a run, those planned and not tried too.
	RunMachines(ctx context.Context, id RunID) ([]RunMachine, error)
	// Sightings returns where the machines of a run were seen, those that were recorded so far.
	Sightings(ctx context.Context, id RunID) ([]Sighting, error)
	// RunFindings returns the findings that the run opened or reopened, and those that it resolved.
	RunFindings(ctx context.Context, id RunID) (opened, resolved []FindingRecord, err error)
	// Events returns what befell the findings of a change, newest first; no machines are all.
	Events(ctx context.Context, change ChangeID, machines []MachineRow) ([]FindingEvent, error)
	// Notices returns those of a run.
	Notices(ctx context.Context, run RunID) ([]Notice, error)
	// RunStates returns where runs stand.
	RunStates(ctx context.Context, ids []RunID) (map[RunID]RunState, error)
	// HasResult reports whether the machine has an outcome in the run.
	HasResult(ctx context.Context, run Run, m MachineRow) (bool, error)
	// Workers returns those that are on the list, by name.
	Workers(ctx context.Context) ([]Worker, error)
	// Totals adds up what stands open now.
	Totals(ctx context.Context) (Totals, error)
}

// Totals is how things stand.
type Totals struct {
	Findings map[baseline.Severity]int // open or acknowledged
	Drifts   map[baseline.Severity]int // the same, each change once
	Machines map[collector.Outcome]int // by the outcome of the last try; the empty outcome: never tried
	// NoticesWaiting are still to be sent, NoticesGivenUp could not be.
	NoticesWaiting, NoticesGivenUp int
}

// Crew is the list of the processes that scan, and who scans what.
type Crew interface {
	// Beat says that a worker lives, and puts it on the list if it is not there.
	Beat(ctx context.Context, w Worker) error
	Workers(ctx context.Context) ([]Worker, error)
	// Dismiss takes a worker off the list.
	Dismiss(ctx context.Context, name string) error
	// Lease says that this process is scanning a machine, until release is called or the process ends. ok is
	// false if somebody is already.
	Lease(ctx context.Context, m inventory.MachineID) (release func(), ok bool, err error)
}

// A Worker is a process that scans.
type Worker struct {
	Name      string // as the queue knows it
	Version   string
	Zones     []string // network zones whose machines it scans; none if it only plans and tells
	Slots     int      // machines at once, per zone
	Draining  bool     // it finishes what it has, and takes no more
	Beats     int64    // grows while it lives
	StartedAt time.Time
	SeenAt    time.Time // by the database's clock
}

// Reader answers questions.
type Reader interface {
	// ListMachines returns all machines, sorted by name.
	ListMachines(ctx context.Context) ([]MachineRecord, error)
	// Machine returns the machine with that name, or ErrNotFound.
	Machine(ctx context.Context, name string) (MachineRecord, error)
	// States returns the states with those ids. An id that does not exist is ErrNotFound.
	States(ctx context.Context, ids []StateID) (map[StateID]*inventory.State, error)
	// Aliases returns the rows that are not machines of their own, because another one stands for them.
	Aliases(ctx context.Context) ([]Alias, error)
	// History returns the stretches of equal state of a machine's facets, oldest
	// first, facet by facet in order.
	History(ctx context.Context, m MachineRow) ([]Stretch, error)
	// Findings returns findings that match, sorted by machine name, facet, key, op.
	Findings(ctx context.Context, q FindingQuery) ([]FindingRecord, error)
	// Baselines returns the latest revision of every baseline, sorted by name.
	Baselines(ctx context.Context) ([]Revision, error)
	// Revisions returns all revisions of a baseline, newest first, or ErrNotFound.
	Revisions(ctx context.Context, name string) ([]Revision, error)
	// FindItems returns which machines have, or at that time had, an item of the facet
	// whose key begins with one of the prefixes (no prefixes: any key) and that
	// matches. Zero at means now: the state observed last.
	// Sorted by machine name, then key.
	FindItems(ctx context.Context, f inventory.Facet, prefixes []string, match func(inventory.Item) bool, at time.Time) ([]Hit, error)
}

// A Stretch is the time in which a machine's facet had one state.
type Stretch struct {
	Facet inventory.Facet
	State StateRef
	From  time.Time // first observed; the stretch ends where the facet's next one begins
}

// A FindingQuery selects findings. Zero values select everything.
type FindingQuery struct {
	Machines []string       // names
	States   []FindingState // any of these
	Facets   []inventory.Facet
}

// A FindingRecord is a finding with what is needed to show it.
type FindingRecord struct {
	Finding
	MachineName string
	Baseline    string // name of the baseline that it was last compared with
	Revision    int    // and its revision's number
}

// A Hit is an item on a machine.
type Hit struct {
	Machine string // name
	Item    inventory.Item
	Since   time.Time // from when the machine's facet had the state that holds the item
}

// A Tx is one transaction.
type Tx interface {
	// LockMachines creates the machines that are new (by MachineID; a name that another
	// machine has is made unique by the suffix "~2", "~3"…), brings name, address
	// and labels up to date, and those back that were gone, locks them until the end of the transaction in an order
	// that excludes deadlocks, and returns their records in the order given.
	LockMachines(ctx context.Context, ms []inventory.Machine, at time.Time) ([]MachineRecord, error)
	// PutStates stores states that may or may not be stored already and returns their
	// ids. near, if not 0, is a stored state of the same facet that s probably
	// resembles (the machine's golden or last one).
	PutStates(ctx context.Context, states []NewState) (map[inventory.Digest]StateID, error)
	// States is Reader.States inside the transaction.
	States(ctx context.Context, ids []StateID) (map[StateID]*inventory.State, error)
	// SetFacets records facets whose status or state is no longer what the record
	// says. A new state begins a new stretch of history.
	SetFacets(ctx context.Context, sets []SetFacet) error
	// Seen records that the run tried the machines, and how it went. For a machine
	// whose outcome is as last time this writes one narrow row, in place, and nothing else.
	Seen(ctx context.Context, run RunID, at time.Time, seen []SeenMachine) error
	// FindingsOf returns the findings of those machines: all that are not resolved, and those
	// resolved ones whose change (by Change.Digest) is given for the machine (so that they reopen).
	FindingsOf(ctx context.Context, want map[MachineRow][]inventory.Digest) ([]Finding, error)
	// AddResults counts machines of a run that are done, each once, however often it is given, and reports
	// whether all that were planned are.
	AddResults(ctx context.Context, run Run, results []MachineResult) (all bool, err error)
	// PutEvents writes what befell findings, in a run or, with 0, outside of one.
	PutEvents(ctx context.Context, run RunID, at time.Time, told []FindingEvent) error
	// PutFindings writes findings, new or known. ChangeID is set by the store from Change.
	PutFindings(ctx context.Context, fs []Finding) error
	// RetargetFinding points a finding at a change that says more of the same (a
	// field that was unknown is known now), keeping its life.
	RetargetFinding(ctx context.Context, old Finding, to Finding) error
	// Acknowledge makes the findings of the change on those machines Acknowledged that are
	// Open, and renews the word of those that are Acknowledged; with a word of nobody it makes them Open
	// again. It returns how many findings that changed. The machines are locked meanwhile.
	Acknowledge(ctx context.Context, change ChangeID, machines []MachineRow, a Acknowledgement) (int, error)
	// SetListed records what a source lists now, all of it, by native id: what it had and lists no
	// more is gone, what it lists again is back, and what was one machine with one that is gone is
	// not any more. It returns how many machines are gone since. Nothing is written where nothing changed.
	SetListed(ctx context.Context, source string, ids []string, at time.Time) (int, error)
	// Forget makes machines gone that no source takes away. What is known of them stays, and what was one
	// machine with one of them is not any more.
	Forget(ctx context.Context, ms []MachineRow, at time.Time) error
	// Link makes two machines one: From is an alias of Into from now on, and its findings are Into's.
	// It does nothing if one of the two is not there, or they are one already.
	Link(ctx context.Context, l Link) error
	// Unlink makes aliases machines of their own again. Findings stay where they are.
	Unlink(ctx context.Context, ids []inventory.MachineID) error
	// SetCompared records which revision the machines were compared with, 0 for none.
	SetCompared(ctx context.Context, ms []MachineRow, rev RevisionID) error

	NightTx

	// Baselines is Reader.Baselines inside the transaction.
	Baselines(ctx context.Context) ([]Revision, error)
	// PutRevision writes the next revision of a baseline. r.Number is the number that it is to have:
	// 1 creates the baseline (ErrExists if it is there), n+1 follows n (ErrConflict if n is not the latest).
	PutRevision(ctx context.Context, r Revision) (Revision, error)
}

// NightTx is what schedules and queued runs need of a transaction.
type NightTx interface {
	// Now is the time of the database, at the transaction's beginning: one clock for all processes.
	Now(ctx context.Context) (time.Time, error)
	// Enqueue puts jobs down, to be done once the transaction is committed.
	Enqueue(ctx context.Context, jobs ...Job) error
	// LockSchedules returns all schedules, sorted by name, without their runs, and keeps others from changing them.
	LockSchedules(ctx context.Context) ([]Schedule, error)
	// PutSchedule writes a schedule: a new one if its ID is 0.
	PutSchedule(ctx context.Context, s Schedule) error
	DeleteSchedule(ctx context.Context, id ScheduleID) error
	// LockUnended returns the queued runs that are planned or running, by id, but for those that another transaction holds.
	LockUnended(ctx context.Context) ([]Run, error)
	// LockRun returns a run and keeps others from changing it, or ErrNotFound.
	LockRun(ctx context.Context, id RunID) (Run, error)
	// PlanRun writes a planned run. fresh is false if there is one of that schedule and due time.
	PlanRun(ctx context.Context, r Run, schedule ScheduleID) (id RunID, fresh bool, err error)
	// HandRun records that a planned run was given to the queue.
	HandRun(ctx context.Context, id RunID, at, deadline time.Time) error
	// BeginRun makes a planned run running over those machines, and returns which of them have no outcome yet. A run that
	// is resumed stays with the machines that it had. begun is false if the run is not planned any more.
	BeginRun(ctx context.Context, id RunID, machines []MachineRow, notes []string, at time.Time) (left []MachineRow, begun bool, err error)
	// EndRun ends a run that has not ended, as that.
	EndRun(ctx context.Context, id RunID, state RunState, at time.Time) error
	// CloseRun ends a running run as finished, and writes down what it opened, resolved, and saw of each facet.
	CloseRun(ctx context.Context, id RunID, at time.Time) error
	// ReopenRun makes a cancelled or overdue run planned again, with the outcomes that it has.
	ReopenRun(ctx context.Context, id RunID) error
	// PutSightings records where machines were seen in a run.
	PutSightings(ctx context.Context, id RunID, seen []Sighting) error
	// PutNotices writes a notice of the run for each channel that has none, and returns those.
	PutNotices(ctx context.Context, id RunID, channels []string, at time.Time) ([]NoticeID, error)
	// LockNotice returns a notice and keeps others from sending it, or ErrNotFound.
	LockNotice(ctx context.Context, id NoticeID) (Notice, error)
	PutNotice(ctx context.Context, n Notice) error
}

// A MachineResult is how a machine ended in a run.
type MachineResult struct {
	Machine MachineRow
	Outcome collector.Outcome
	Took    time.Duration
	Maybe   bool // it may have a result in this run already
}

// A NewState is a state to store.
type NewState struct {
	State *inventory.State
	Near  StateID
}

// A SetFacet is what is to be recorded of one facet of one machine.
type SetFacet struct {
	Machine MachineRow
	Record  FacetRecord
	// NewStretch says that Record.State differs from the state observed before.
	NewStretch bool
	At         time.Time
}

// A SeenMachine is how a run found one machine.
type SeenMachine struct {
	Machine  MachineRow
	Outcome  collector.Outcome
	Reason   string
	Observed bool // at least one facet was observed
	// Changed says that outcome or reason differ from the record.
	Changed bool
}
