package drift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Job is work for whoever comes first, put down in the transaction that makes it necessary. Doing one twice does no
// more than doing it once.
type Job interface{ job() }

// The jobs there are.
type (
	// BeginRun lists the sources of a planned run and hands out its machines.
	BeginRun struct {
		Run RunID `json:"run"`
	}
	// ScanMachine scans one machine for a run.
	ScanMachine struct {
		Run     RunID      `json:"run"`
		Machine MachineRow `json:"machine"`
		// Zone is the network zone whose workers can reach it.
		Zone string `json:"-"`
		// Seen is where it is listed. What its platform knows of it is in Platform, not in the parts.
		Seen     Sighting      `json:"seen"`
		Platform []PlatformRef `json:"platform,omitempty"`
	}
	// CloseRun adds up a run that has ended, and makes its notices.
	CloseRun struct {
		Run RunID `json:"run"`
	}
	// SendNotice sends one notice.
	SendNotice struct {
		Notice NoticeID `json:"notice"`
	}
)

func (BeginRun) job()    {}
func (ScanMachine) job() {}
func (CloseRun) job()    {}
func (SendNotice) job()  {}

// A PlatformRef is an observation whose state stands in the store.
type PlatformRef struct {
	Facet         inventory.Facet  `json:"facet"`
	Status        inventory.Status `json:"status"`
	Reason        string           `json:"reason,omitempty"`
	Missing       []string         `json:"missing,omitempty"`
	ItemsComplete bool             `json:"items_complete,omitempty"`
	State         StateID          `json:"state,omitempty"`
}

// DefaultZone is the zone of machines without a label zone, and of workers that name none.
const DefaultZone = "default"

// ZoneOf returns the network zone in which a machine with those labels is.
func ZoneOf(labels map[string]string) string {
	if z := labels["zone"]; z != "" {
		return z
	}
	return DefaultZone
}

// A Tick is what one look at the schedules did.
type Tick struct {
	Planned, Handed, Overdue []RunID
}

// Tick plans the runs that are due, hands those to the queue whose time has come, and ends those whose deadline
// has passed. Any number of processes may do so at any time: what one did, another finds done. The
// database's clock counts, and no due time comes twice, whichever way that clock is set.
func (s *Service) Tick(ctx context.Context) (Tick, error) {
	var out Tick
	err := s.store.InTx(ctx, func(tx Tx) error {
		out = Tick{}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		schedules, err := tx.LockSchedules(ctx)
		if err != nil {
			return fmt.Errorf("read schedules: %w", err)
		}
		runs, err := tx.LockUnended(ctx)
		if err != nil {
			return fmt.Errorf("read runs: %w", err)
		}
		for _, sched := range schedules {
			if sched.Paused || sched.NextAt.IsZero() || sched.NextAt.After(now) {
				continue
			}
			due, next := sched.Spec.latest(sched.NextAt, now)
			sched.NextAt = next
			if err := tx.PutSchedule(ctx, sched); err != nil {
				return err
			}
			if slices.ContainsFunc(runs, func(r Run) bool { return r.Schedule == sched.Name && r.State == RunPlanned }) {
				continue // one that has not begun yet will do for this time too
			}
			run := sched.run(now)
			run.DueAt, run.NotBefore = due, due.Add(sched.Spec.jitter(sched.Name, due))
			id, fresh, err := tx.PlanRun(ctx, run, sched.ID)
			if err != nil {
				return err
			}
			if run.ID = id; fresh {
				out.Planned = append(out.Planned, id)
				runs = append(runs, run)
			}
		}
		for i, r := range runs {
			switch {
			case !r.Deadline.IsZero() && now.After(r.Deadline):
				if err := tx.EndRun(ctx, r.ID, RunOverdue, now); err != nil {
					return err
				}
				if err := tx.Enqueue(ctx, CloseRun{r.ID}); err != nil {
					return err
				}
				out.Overdue = append(out.Overdue, r.ID)
			case r.mayBegin(runs, now):
				runs[i].HandedAt = now
				if err := tx.HandRun(ctx, r.ID, now, now.Add(r.Scope.deadline())); err != nil {
					return err
				}
				if err := tx.Enqueue(ctx, BeginRun{r.ID}); err != nil {
					return err
				}
				out.Handed = append(out.Handed, r.ID)
			}
		}
		return nil
	})
	return out, err
}

// mayBegin reports whether the run's time has come: no blackout holds, and no other of its schedule goes on.
func (r Run) mayBegin(all []Run, now time.Time) bool {
	if r.State != RunPlanned || !r.HandedAt.IsZero() || r.NotBefore.After(now) || !r.Scope.free(now).Equal(now) {
		return false
	}
	return r.Schedule == "" || !slices.ContainsFunc(all, func(o Run) bool {
		return o.ID != r.ID && o.Schedule == r.Schedule && !o.HandedAt.IsZero()
	})
}

func (s Scope) deadline() time.Duration {
	if s.Deadline > 0 {
		return s.Deadline
	}
	return DefaultDeadline
}

// run is a run of the schedule, planned now.
func (s Schedule) run(now time.Time) Run {
	return Run{Trigger: "schedule " + s.Name, Schedule: s.Name, State: RunPlanned, Queued: true, StartedAt: now, Scope: s.Spec.Scope}
}

// RunNow plans a run of a schedule at once, whatever its times and blackouts say, paused or not.
func (s *Service) RunNow(ctx context.Context, name, by string) (Run, error) {
	var run Run
	err := s.withSchedule(ctx, name, func(tx Tx, sched Schedule) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		run = sched.run(now)
		run.Trigger += ", by " + inventory.Escape(by)
		run.Scope.Blackouts = nil
		run.ID, _, err = tx.PlanRun(ctx, run, sched.ID)
		return err
	})
	return run, err
}

// A Listing is what sources list for a run.
type Listing struct {
	Machines []collector.Listed
	Answered []SourceAnswer // of the sources that listed all they have
	Notes    []string       // a sentence for each that did not
}

// Begin lists the machines of a run and hands them out, a job each. A run that is not planned any more, because
// it was cancelled or another process was faster, is left alone.
func (s *Service) Begin(ctx context.Context, id RunID, list func(context.Context, Scope) (Listing, error)) error {
	run, err := s.store.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.State != RunPlanned {
		return nil
	}
	selector, err := baseline.ParseSelector(run.Scope.Where)
	if err != nil {
		return fmt.Errorf("run %d: where: %w", id, err)
	}
	listing, err := list(ctx, run.Scope)
	if err != nil {
		return err
	}
	sightings, empty, err := s.Register(ctx, listing.Machines, listing.Answered)
	if err != nil {
		return err
	}
	listing.Notes = append(listing.Notes, empty...)
	var jobs []ScanMachine
	var machines []inventory.Machine
	var observations [][]inventory.Observation
	for _, sight := range sightings {
		joined := sight.Joined()
		wanted := slices.ContainsFunc(sight.Parts, func(p collector.Listed) bool { return run.Scope.Wants(p.Machine.ID.Source) })
		if !wanted || !selector.Selects(joined.Machine.Labels) {
			continue
		}
		machines = append(machines, joined.Machine)
		observations = append(observations, joined.Observations)
		sight.Parts = slices.Clone(sight.Parts)
		for i := range sight.Parts {
			sight.Parts[i].Observations = nil
		}
		jobs = append(jobs, ScanMachine{Run: id, Zone: ZoneOf(joined.Machine.Labels), Seen: sight})
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		records, err := tx.LockMachines(ctx, machines, now)
		if err != nil {
			return fmt.Errorf("record machines: %w", err)
		}
		refs, err := platformRefs(ctx, tx, records, observations)
		if err != nil {
			return err
		}
		rows := make([]MachineRow, len(records))
		for i, r := range records {
			rows[i] = r.Row
			jobs[i].Machine, jobs[i].Platform = r.Row, refs[i]
		}
		left, begun, err := tx.BeginRun(ctx, id, rows, listing.Notes, now)
		if err != nil || !begun {
			return err
		}
		todo := make(map[MachineRow]bool, len(left))
		for _, m := range left {
			todo[m] = true
		}
		// In the order in which the store keeps them: those that are recorded together stand together.
		slices.SortFunc(jobs, func(a, b ScanMachine) int { return cmp.Compare(a.Machine, b.Machine) })
		var out []Job
		for _, j := range jobs {
			if todo[j.Machine] {
				out = append(out, j)
			}
		}
		if len(out) == 0 {
			out = append(out, CloseRun{id})
		}
		return tx.Enqueue(ctx, out...)
	})
}

// platformRefs stores the states that platforms tell of.
func platformRefs(ctx context.Context, tx Tx, records []MachineRecord, observations [][]inventory.Observation) ([][]PlatformRef, error) {
	var states []NewState
	for i, os := range observations {
		for _, o := range os {
			if o.State != nil {
				states = append(states, NewState{State: o.State, Near: records[i].facet(o.Facet).State.ID})
			}
		}
	}
	ids, err := tx.PutStates(ctx, states)
	if err != nil {
		return nil, fmt.Errorf("store states: %w", err)
	}
	out := make([][]PlatformRef, len(observations))
	for i, os := range observations {
		for _, o := range os {
			ref := PlatformRef{Facet: o.Facet, Status: o.Status, Reason: o.Reason, Missing: o.Missing, ItemsComplete: o.ItemsComplete}
			if o.State != nil {
				ref.State = ids[o.State.Digest()]
			}
			out[i] = append(out[i], ref)
		}
	}
	return out, nil
}

// Listed returns the machine of a job as its sources list it, with what its platform knew of it then.
func (s *Service) Listed(ctx context.Context, j ScanMachine) (collector.Listed, error) {
	l := j.Seen.Joined()
	var ids []StateID
	for _, p := range j.Platform {
		if p.State != 0 {
			ids = append(ids, p.State)
		}
	}
	if len(j.Platform) == 0 {
		return l, nil
	}
	states, err := s.store.States(ctx, ids)
	if err != nil {
		return l, fmt.Errorf("load states: %w", err)
	}
	for _, p := range j.Platform {
		l.Observations = append(l.Observations, inventory.Observation{
			Facet: p.Facet, Status: p.Status, Reason: p.Reason, Missing: p.Missing, ItemsComplete: p.ItemsComplete, State: states[p.State],
		})
	}
	return l, nil
}

// Again returns after how long a machine that ended so is tried again in the same run, attempt being how often it was
// tried, and false if it is not: who refused us once will do so again, and may lock the account.
func Again(o collector.Outcome, attempt int) (time.Duration, bool) {
	switch o {
	case collector.Unreachable, collector.TimedOut:
		waits := []time.Duration{30 * time.Second, 2 * time.Minute}
		if attempt <= len(waits) {
			return waits[attempt-1], true
		}
	case collector.Broken:
		return 10 * time.Second, attempt == 1
	}
	return 0, false
}

// A Scanned machine is the result of a job.
type Scanned struct {
	Job    ScanMachine
	Result collector.Result
}

// RecordScanned records results of one queued run as Record does, and closes the run with its last machine.
func (s *Service) RecordScanned(ctx context.Context, run Run, scanned []Scanned) error {
	results := make([]collector.Result, len(scanned))
	seen := make([]Sighting, len(scanned))
	for i, sc := range scanned {
		results[i], seen[i] = sc.Result, sc.Job.Seen
		seen[i].Guest = sc.Result.Snapshot.Identity
		seen[i].Stranger = sc.Result.Outcome == collector.WrongMachine
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		if err := tx.PutSightings(ctx, run.ID, seen); err != nil {
			return fmt.Errorf("record sightings: %w", err)
		}
		_, all, err := s.record(ctx, tx, run, results, "")
		if err != nil {
			return err
		}
		if all {
			return tx.Enqueue(ctx, CloseRun{run.ID})
		}
		return nil
	})
}

// Close adds up a run whose machines all have an outcome, or that was ended before, links the machines that were
// found to be one, and puts down a notice for each channel. Done again it changes nothing.
func (s *Service) Close(ctx context.Context, id RunID, channels []string) (Run, error) {
	seen, err := s.store.Sightings(ctx, id)
	if err != nil {
		return Run{}, err
	}
	links, err := s.Link(ctx, seen)
	if err != nil {
		return Run{}, err
	}
	err = s.store.InTx(ctx, func(tx Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		if err := tx.CloseRun(ctx, id, now); err != nil {
			return err
		}
		notices, err := tx.PutNotices(ctx, id, channels, now)
		if err != nil {
			return err
		}
		var jobs []Job
		for _, n := range notices {
			jobs = append(jobs, SendNotice{n})
		}
		return tx.Enqueue(ctx, jobs...)
	})
	if err != nil {
		return Run{}, err
	}
	if len(links) > 0 { // what was two is one from now on, and so are its findings
		if err := s.Compare(ctx); err != nil {
			return Run{}, err
		}
	}
	return s.store.Run(ctx, id)
}

// Run returns a run, or ErrNotFound.
func (s *Service) Run(ctx context.Context, id RunID) (Run, error) {
	r, err := s.store.Run(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return r, missing(fmt.Sprintf("there is no run %d; vmdrift run list shows the latest", id))
	}
	return r, err
}

// RunMachines returns how every machine of a run ended, what needs somebody first.
func (s *Service) RunMachines(ctx context.Context, id RunID) ([]RunMachine, error) {
	ms, err := s.store.RunMachines(ctx, id)
	slices.SortStableFunc(ms, byTrouble)
	return ms, err
}

// CancelRun ends a queued run that has not ended; what was scanned stays recorded.
func (s *Service) CancelRun(ctx context.Context, id RunID) error {
	return s.changeRun(ctx, id, func(tx Tx, r Run, now time.Time) error {
		if r.State.Ended() {
			return fmt.Errorf("run %d is %s already", id, r.State)
		}
		if err := tx.EndRun(ctx, id, RunCancelled, now); err != nil {
			return err
		}
		return tx.Enqueue(ctx, CloseRun{id})
	})
}

// ResumeRun lets a cancelled or overdue run go on with the machines that it has no outcome of.
func (s *Service) ResumeRun(ctx context.Context, id RunID) error {
	return s.changeRun(ctx, id, func(tx Tx, r Run, _ time.Time) error {
		if r.State != RunCancelled && r.State != RunOverdue {
			return fmt.Errorf("run %d is %s; one that was cancelled or is overdue can be resumed", id, r.State)
		}
		return tx.ReopenRun(ctx, id)
	})
}

func (s *Service) changeRun(ctx context.Context, id RunID, f func(Tx, Run, time.Time) error) error {
	r, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	if !r.Queued {
		return fmt.Errorf("run %d is no run of a schedule; end it where it was started (%s)", id, r.Trigger)
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		r, err := tx.LockRun(ctx, id)
		if err != nil {
			return err
		}
		return f(tx, r, now)
	})
}
