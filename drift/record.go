package drift

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// One transaction is to record that many machines at most, and no more once their states have that many bytes
// (SizeOf): what it writes is in memory several times.
const (
	BatchSize  = 100
	BatchBytes = 16 << 20
)

// SizeOf returns the bytes of a result's states.
func SizeOf(r collector.Result) int {
	n := 0
	for _, o := range r.Snapshot.Observations {
		if o.State != nil {
			n += len(o.State.Text())
		}
	}
	return n
}

// Recorded is what became of one machine's result.
type Recorded struct {
	Row      MachineRow
	Name     string // as stored: made unique
	Baseline string // that it was compared with; empty if none
	Revision int
	// Unmatched says why no baseline could be chosen; empty if one was. With a Baseline, that
	// is the one compared last: two select the machine now, and it stays until one gives way.
	Unmatched string
}

// Record writes the results of one run and compares what changed, in one
// transaction: after a crash the machines are either recorded or can be scanned
// again, and recording the same results twice changes nothing.
//
// use names the baseline to compare all of them with; the empty name lets
// selectors decide. The answers are in the order of the results. Cancelled results
// leave no trace but in the answer.
func (s *Service) Record(ctx context.Context, run Run, results []collector.Result, use string) ([]Recorded, error) {
	var out []Recorded
	err := s.store.InTx(ctx, func(tx Tx) error {
		var err error
		out, _, err = s.record(ctx, tx, run, results, use)
		return err
	})
	return out, err
}

// record also reports whether every machine that was planned has an outcome now.
func (s *Service) record(ctx context.Context, tx Tx, run Run, results []collector.Result, use string) ([]Recorded, bool, error) {
	revs, err := s.revisions(ctx, tx)
	if err != nil {
		return nil, false, err
	}
	tried := slices.DeleteFunc(slices.Clone(results), func(r collector.Result) bool { return r.Outcome == collector.Cancelled })
	machines := make([]inventory.Machine, len(tried))
	for i, r := range tried {
		machines[i] = r.Machine
	}
	records, err := tx.LockMachines(ctx, machines, run.StartedAt)
	if err != nil {
		return nil, false, fmt.Errorf("record machines: %w", err)
	}

	b := batch{tx: tx, run: run.ID, at: run.StartedAt, unseen: s.UnseenAfter}
	var late []*scanned
	for i, r := range tried {
		rev, why := revs.choose(records[i], use)
		if records[i].LastRun > run.ID {
			// Two runs overlap, and one that began later was here first. Runs are what order
			// observations, for clocks differ: what it saw is not taken back.
			late = append(late, &scanned{record: records[i], result: r, rev: rev, why: why})
			continue
		}
		b.add(records[i], r, rev, why)
	}
	if err := b.writeStates(ctx); err != nil {
		return nil, false, err
	}
	if err := b.compare(ctx); err != nil {
		return nil, false, err
	}
	if err := tx.Seen(ctx, run.ID, run.StartedAt, b.seen()); err != nil {
		return nil, false, fmt.Errorf("record the outcome: %w", err)
	}
	// Last, since it holds the run's row, which all batches want.
	all, err := tx.AddResults(ctx, run, b.results(late))
	if err != nil {
		return nil, false, fmt.Errorf("count the outcome: %w", err)
	}

	byID := map[inventory.MachineID]Recorded{}
	for _, m := range append(b.machines, late...) {
		byID[m.record.Machine.ID] = m.recorded()
	}
	out := make([]Recorded, len(results))
	for i, r := range results {
		out[i] = byID[r.Machine.ID]
		if out[i].Name == "" {
			out[i].Name = r.Machine.Name
		}
	}
	return out, all, nil
}

// A batch is the machines that one transaction records.
type batch struct {
	tx       Tx
	run      RunID // 0 if none was scanned
	at       time.Time
	unseen   time.Duration // after which a machine is missed
	machines []*scanned
}

// A scanned machine: what was known of it, what came back, and what it is held against.
type scanned struct {
	record MachineRecord
	result collector.Result
	rev    *compiled // nil if no baseline applies
	why    string    // if so, why
	sets   []SetFacet
	stale  bool // what it was last compared with, or as, is no longer true
}

func (m *scanned) recorded() Recorded {
	r := Recorded{Row: m.record.Row, Name: m.record.Machine.Name, Unmatched: m.why}
	if m.rev != nil {
		r.Baseline, r.Revision = m.rev.Baseline, m.rev.Number
	}
	return r
}

func (m *scanned) revision() RevisionID {
	if m.rev == nil {
		return 0
	}
	return m.rev.ID
}

// add works out what differs from the record; nothing is written for what does not.
func (b *batch) add(rec MachineRecord, r collector.Result, rev *compiled, why string) {
	m := &scanned{record: rec, result: r, rev: rev, why: why}
	m.stale = rec.Compared != m.revision()
	if o, told := b.presence(rec, r); told {
		r.Snapshot.Observations = append(slices.Clone(r.Snapshot.Observations), o)
		slices.SortFunc(r.Snapshot.Observations, func(a, b inventory.Observation) int { return cmp.Compare(a.Facet, b.Facet) })
		m.result.Snapshot = r.Snapshot
	}
	for _, o := range r.Snapshot.Observations {
		if !observed(r.Snapshot) && o.Facet != inventory.Presence {
			continue // the machine could not be read, not one facet or another: the outcome says so
		}
		old := rec.facet(o.Facet)
		next := FacetRecord{
			Facet: o.Facet, Status: o.Status, Reason: o.Reason, Missing: o.Missing, ItemsComplete: o.ItemsComplete,
			State: old.State, StateSince: old.StateSince, StatusSince: old.StatusSince, LastObserved: old.LastObserved,
		}
		newState := o.State != nil && (old.State.ID == 0 || old.State.Digest != o.State.Digest())
		if newState {
			next.State, next.StateSince = StateRef{Digest: o.State.Digest()}, b.at
		}
		newStatus := old.Status != o.Status || old.Reason != o.Reason || old.ItemsComplete != o.ItemsComplete ||
			!slices.Equal(old.Missing, o.Missing)
		if newStatus {
			next.StatusSince, next.LastObserved = b.at, time.Time{}
			if !o.Status.Observed() && old.Status.Observed() {
				next.LastObserved = rec.LastObserved
			} else if !o.Status.Observed() {
				next.LastObserved = old.LastObserved
			}
		}
		if newState || newStatus {
			m.sets = append(m.sets, SetFacet{Machine: rec.Row, Record: next, NewStretch: newState, At: b.at})
			m.stale = true
		}
	}
	b.machines = append(b.machines, m)
}

// facet returns what is known of f; a zero record if nothing is.
func (r MachineRecord) facet(f inventory.Facet) FacetRecord {
	for _, have := range r.Facets {
		if have.Facet == f {
			return have
		}
	}
	return FacetRecord{Facet: f}
}

// writeStates stores the states that are new and points the facets at them.
func (b *batch) writeStates(ctx context.Context) error {
	var states []NewState
	for _, m := range b.machines {
		for _, set := range m.sets {
			if !set.NewStretch {
				continue
			}
			o, _ := m.result.Snapshot.Observation(set.Record.Facet)
			near := StateID(0)
			if m.rev != nil {
				near = m.rev.States[o.Facet]
			}
			if near == 0 {
				near = m.record.facet(o.Facet).State.ID
			}
			states = append(states, NewState{State: o.State, Near: near})
		}
	}
	ids, err := b.tx.PutStates(ctx, states)
	if err != nil {
		return fmt.Errorf("store states: %w", err)
	}
	var sets []SetFacet
	for _, m := range b.machines {
		for i := range m.sets {
			ref := &m.sets[i].Record.State
			if m.sets[i].NewStretch {
				ref.ID = ids[ref.Digest]
			}
			sets = append(sets, m.sets[i])
		}
	}
	if err := b.tx.SetFacets(ctx, sets); err != nil {
		return fmt.Errorf("record facets: %w", err)
	}
	return nil
}

func (b *batch) seen() []SeenMachine {
	out := make([]SeenMachine, len(b.machines))
	for i, m := range b.machines {
		s := SeenMachine{
			Machine: m.record.Row, Outcome: m.result.Outcome, Reason: reasonOf(m.result), Observed: observed(m.result.Snapshot),
		}
		s.Changed = s.Outcome != m.record.Outcome || s.Reason != m.record.OutcomeReason
		out[i] = s
	}
	return out
}

// results are the outcomes, those of late machines too: each is one machine of the run that is done.
func (b *batch) results(late []*scanned) []MachineResult {
	var out []MachineResult
	for _, m := range slices.Concat(b.machines, late) {
		if m.record.LastRun == b.run {
			continue // it has one
		}
		out = append(out, MachineResult{
			Machine: m.record.Row, Outcome: m.result.Outcome, Took: m.result.Duration, Maybe: m.record.LastRun > b.run,
		})
	}
	return out
}

// observed reports whether anything of the machine could be read.
func observed(s inventory.Snapshot) bool {
	return slices.ContainsFunc(s.Observations, func(o inventory.Observation) bool {
		return o.Status.Observed() && o.Facet != inventory.Presence
	})
}

// reasonOf says in one sentence why the outcome is not OK.
func reasonOf(r collector.Result) string {
	if r.Err != nil {
		return inventory.Escape(r.Err.Error())
	}
	if r.Outcome != collector.Partly {
		return ""
	}
	var facets []string
	for _, o := range r.Snapshot.Observations {
		if o.Status != inventory.Complete && o.Status != inventory.Unsupported {
			facets = append(facets, string(o.Facet)+" "+string(o.Status))
		}
	}
	return strings.Join(facets, ", ")
}

// compare reconciles the findings of the machines whose state, status or baseline
// is no longer the one that they were compared with.
func (b *batch) compare(ctx context.Context) error {
	type compared struct {
		*scanned
		view    view
		changes []baseline.Change
	}
	var todo []compared
	want := map[MachineRow][]inventory.Digest{}
	reset := map[RevisionID][]MachineRow{}
	for _, m := range b.machines {
		if !m.stale {
			continue
		}
		v, err := b.viewOf(ctx, m)
		if err != nil {
			return err
		}
		var changes []baseline.Change
		if v.golden != nil {
			changes = v.golden.DiffAll(slices.Collect(maps.Values(v.facets)))
		}
		digests := make([]inventory.Digest, len(changes))
		for i, c := range changes {
			digests[i] = c.Digest()
		}
		want[m.record.Row] = digests
		todo = append(todo, compared{m, v, changes})
		if m.record.Compared != m.revision() {
			reset[m.revision()] = append(reset[m.revision()], m.record.Row)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	known, err := b.tx.FindingsOf(ctx, want)
	if err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	byMachine := map[MachineRow][]Finding{}
	for _, f := range known {
		byMachine[f.Machine] = append(byMachine[f.Machine], f)
	}

	var put []Finding
	var told []FindingEvent
	for _, m := range todo {
		p := reconcile(m.record.Row, byMachine[m.record.Row], m.changes, m.view)
		put, told = append(put, p.put...), append(told, p.told...)
		for _, r := range p.retarget {
			if err := b.tx.RetargetFinding(ctx, r.from, r.to); err != nil {
				return fmt.Errorf("write findings: %w", err)
			}
		}
	}
	if err := b.tx.PutFindings(ctx, put); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	if err := b.tx.PutEvents(ctx, b.run, b.at, told); err != nil {
		return fmt.Errorf("write what befell findings: %w", err)
	}
	for rev, ms := range reset {
		if err := b.tx.SetCompared(ctx, ms, rev); err != nil {
			return fmt.Errorf("record the comparison: %w", err)
		}
	}
	return nil
}

// viewOf returns what the machine is compared as: tonight's observations, and, where the
// baseline is another one than last time, the states observed last for the facets that
// tonight could not read. Without a baseline every finding is moot, and so everything known.
func (b *batch) viewOf(ctx context.Context, m *scanned) (view, error) {
	v := view{at: b.at, facets: map[inventory.Facet]inventory.Observation{}}
	if m.rev != nil {
		v.golden = m.rev.golden
	}
	for _, o := range m.result.Snapshot.Observations {
		if o.Status.Observed() {
			v.facets[o.Facet] = o
		}
	}
	if m.record.Compared == m.revision() {
		return v, nil
	}
	return v, addLastStates(ctx, b.tx, m.record, v.facets)
}

// addLastStates fills in, for the facets that have lacks, the states observed last.
func addLastStates(ctx context.Context, tx Tx, rec MachineRecord, have map[inventory.Facet]inventory.Observation) error {
	var ids []StateID
	for _, f := range rec.Facets {
		if _, ok := have[f.Facet]; !ok && f.State.ID != 0 {
			ids = append(ids, f.State.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	states, err := tx.States(ctx, ids)
	if err != nil {
		return fmt.Errorf("load states: %w", err)
	}
	for _, f := range rec.Facets {
		if _, ok := have[f.Facet]; ok || f.State.ID == 0 {
			continue
		}
		have[f.Facet] = inventory.Observation{
			Facet: f.Facet, Status: inventory.Partial, Missing: f.Missing, State: states[f.State.ID],
			// What is known of a facet that can't be read now is as complete as it was then,
			// which the record no longer says: so nothing is taken for absent.
			ItemsComplete: f.Status.Observed() && f.ItemsComplete,
		}
	}
	return nil
}

// Compare reconciles every machine with the baseline that applies now, from what was
// observed last; no machine is contacted.
func (s *Service) Compare(ctx context.Context) error {
	all, err := s.store.ListMachines(ctx)
	if err != nil {
		return err
	}
	var ms []inventory.Machine
	for _, m := range all {
		if m.Here() {
			ms = append(ms, m.Machine)
		}
	}
	return s.store.InTx(ctx, func(tx Tx) error {
		revs, err := s.revisions(ctx, tx)
		if err != nil {
			return err
		}
		records, err := tx.LockMachines(ctx, ms, s.now())
		if err != nil {
			return fmt.Errorf("lock machines: %w", err)
		}
		b := batch{tx: tx, at: s.now(), unseen: s.UnseenAfter}
		for _, rec := range records {
			rev, why := revs.choose(rec, "")
			b.add(rec, collector.Result{Machine: rec.Machine}, rev, why)
		}
		return b.compare(ctx)
	})
}
