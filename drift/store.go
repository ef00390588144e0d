package drift

import (
	"context"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Store keeps everything. Its methods outside a transaction only read, except
// for those of Runs. Times are truncated to microseconds, UTC.
type Store interface {
	Runs
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

	// Baselines is Reader.Baselines inside the transaction.
	Baselines(ctx context.Context) ([]Revision, error)
	// PutRevision writes the next revision of a baseline. r.Number is the number that it is to have:
	// 1 creates the baseline (ErrExists if it is there), n+1 follows n (ErrConflict if n is not the latest).
	PutRevision(ctx context.Context, r Revision) (Revision, error)
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
