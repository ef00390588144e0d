package worker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/internal/worker"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// A site is a fleet of made-up machines, a real database, and workers on it.
type site struct {
	t     testing.TB
	url   string
	st    *store.Store
	svc   *drift.Service
	list  func() []collector.Listed
	visit func(ctx context.Context, m collector.Listed) (inventory.Snapshot, error)

	mu       sync.Mutex
	visits   map[string]int
	inside   map[string]int
	twice    atomic.Int32 // times that two were in one machine at once
	sent     []string
	reports  []drift.Report
	failSend error
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, url: testdb.New(t), visits: map[string]int{}, inside: map[string]int{}}
	s.st = s.open()
	must(t, worker.Migrate(t.Context(), s.st.Pool()))
	s.svc = drift.New(s.st, nil)
	return s
}

func (s *site) open() *store.Store {
	s.t.Helper()
	q, err := worker.NewQueue()
	must(s.t, err)
	st, err := store.Open(context.Background(), s.url, store.Options{Enqueue: q.Enqueue})
	must(s.t, err)
	s.t.Cleanup(st.Close)
	return st
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machines are n machines, named m0, m1…, every one in the zone.
func (s *site) machines(n int, zone string) {
	s.list = func() []collector.Listed {
		var out []collector.Listed
		for i := range n {
			name := fmt.Sprintf("m%d", i)
			labels := map[string]string{"name": name, "n": fmt.Sprint(i % 10)}
			if zone != "" {
				labels["zone"] = zone
			}
			out = append(out, collector.Listed{Kind: collector.Host, Machine: inventory.Machine{
				ID: inventory.MachineID{Source: "inv", NativeID: name}, Name: name, Address: "root@" + name, Labels: labels,
			}})
		}
		return out
	}
}

// Target implements worker.Reach.
func (s *site) Target(l collector.Listed) (collector.Target, error) { return siteTarget{s, l}, nil }
func (s *site) Close() error                                        { return nil }

type siteTarget struct {
	s *site
	l collector.Listed
}

func (t siteTarget) Machine() inventory.Machine { return t.l.Machine }

func (t siteTarget) Collect(ctx context.Context) (inventory.Snapshot, error) {
	name := t.l.Machine.Name
	t.s.mu.Lock()
	t.s.visits[name]++
	if t.s.inside[name]++; t.s.inside[name] > 1 {
		t.s.twice.Add(1)
	}
	t.s.mu.Unlock()
	defer func() {
		t.s.mu.Lock()
		t.s.inside[name]--
		t.s.mu.Unlock()
	}()
	return t.s.visit(ctx, t.l)
}

// snapshot is a machine with those ports open.
func snapshot(t testing.TB, m inventory.Machine, ports ...string) inventory.Snapshot {
	b := inventory.NewBuilder(inventory.Ports)
	for _, p := range ports {
		b.Key(p)
		b.Field("process", "sshd")
	}
	st, err := b.State()
	must(t, err)
	return inventory.Snapshot{Machine: m, TakenAt: time.Now(), Observations: []inventory.Observation{inventory.Observe(st)}}
}

// start starts a worker that ends with the test.
func (s *site) start(o worker.Options) *worker.Worker {
	s.t.Helper()
	st := s.open()
	o.Service, o.Crew, o.Nights, o.Pool, o.Temporary = drift.New(st, nil), st, st, st.Pool(), store.Temporary
	o.Reach = func(context.Context) (worker.Reach, error) { return s, nil }
	o.List = func(context.Context, drift.Scope) (drift.Listing, error) {
		l := s.list()
		ids := []string{}
		for _, m := range l {
			ids = append(ids, m.Machine.ID.NativeID)
		}
		return drift.Listing{Machines: l, Answered: []drift.SourceAnswer{{Source: "inv", IDs: ids}}}, nil
	}
	o.Channels = func() []string { return []string{"ops"} }
	o.Send = func(_ context.Context, n drift.Notice, r drift.Report) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failSend != nil {
			return s.failSend
		}
		s.sent, s.reports = append(s.sent, fmt.Sprintf("%s/%d", n.Channel, n.Run)), append(s.reports, r)
		return nil
	}
	if o.TickEvery == 0 {
		o.TickEvery = 50 * time.Millisecond
	}
	if o.BeatEvery == 0 {
		o.BeatEvery = 100 * time.Millisecond
	}
	if o.DeadAfter == 0 {
		o.DeadAfter = 5 * time.Second
	}
	o.Timeout = 30 * time.Second
	w, err := worker.New(o)
	must(s.t, err)
	must(s.t, w.Start(s.t.Context()))
	s.t.Cleanup(func() { _ = w.Stop(time.Second) })
	return w
}

// night runs the schedule now and waits until the run has ended.
func (s *site) night(name string) drift.Run {
	s.t.Helper()
	run, err := s.svc.RunNow(s.t.Context(), name, "a test")
	must(s.t, err)
	return s.wait(run.ID, func(r drift.Run) bool { return r.State.Ended() && (r.Facets != nil || r.Recorded() == 0) })
}

func (s *site) wait(id drift.RunID, until func(drift.Run) bool) drift.Run {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := s.svc.Run(s.t.Context(), id)
		must(s.t, err)
		if until(r) {
			return r
		}
		if time.Now().After(end) {
			s.t.Fatalf("run %d is %s with %v of %d", id, r.State, r.Outcomes, r.Planned)
		}
	}
}

func (s *site) schedule(name string, spec drift.ScheduleSpec) {
	s.t.Helper()
	if spec.Cron == "" {
		spec.Cron = "0 2 1 1 *"
	}
	_, err := s.svc.AddSchedule(s.t.Context(), name, spec)
	must(s.t, err)
}

// waitSent waits until that many notices were sent.
func (s *site) waitSent(n int) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		have := len(s.sent)
		s.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d notices, want %d", have, n)
		}
	}
}

func TestNightsAreScannedByAllWorkersAndTellWhatIsNewOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(40, "")
	var open atomic.Bool
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		time.Sleep(10 * time.Millisecond)
		ports := []string{"tcp/0.0.0.0:22"}
		if open.Load() && l.Machine.Labels["n"] == "3" {
			ports = append(ports, "tcp/0.0.0.0:4444")
		}
		return snapshot(t, l.Machine, ports...), nil
	}
	spec := baseline.Spec{Name: "all", Defaults: "none", Selector: "name", Facets: map[inventory.Facet]baseline.FacetSpec{
		inventory.Ports: {Mode: baseline.Closed, Items: snapshot(t, inventory.Machine{}, "tcp/0.0.0.0:22").Observations[0].State},
	}}
	_, err := s.svc.Apply(t.Context(), "tester", "what is right", spec)
	must(t, err)
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 4})
	s.start(worker.Options{Zones: []string{drift.DefaultZone}, Slots: 4})

	first := s.night("nightly")
	if first.State != drift.RunFinished || first.Outcomes[collector.OK] != 40 || first.Planned != 40 || first.Opened != 0 || first.Alarm() != "" {
		t.Errorf("a quiet night: %+v, alarm %q", first, first.Alarm())
	}
	if len(first.Facets) != 1 || first.Facets[0].Status[inventory.Complete] != 40 {
		t.Errorf("facets %+v", first.Facets)
	}
	open.Store(true)
	second := s.night("nightly")
	if second.Opened != 4 {
		t.Errorf("%d findings opened, want 4", second.Opened)
	}
	third := s.night("nightly") // the same still: nothing new
	open.Store(false)
	fourth := s.night("nightly")
	if third.Opened+third.Resolved != 0 || fourth.Resolved != 4 {
		t.Errorf("then %d and %d, and %d resolved", third.Opened, third.Resolved, fourth.Resolved)
	}
	s.waitSent(4)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sent) != 4 {
		t.Errorf("sent %v", s.sent)
	}
	if r := s.reports[1]; len(r.Opened) != 1 || len(r.Opened[0].Findings) != 4 {
		t.Errorf("the second night tells %+v", r)
	}
	if r := s.reports[2]; !r.Empty() {
		t.Errorf("the third night tells %+v", r)
	}
	if n := len(s.visits); n != 40 || s.twice.Load() != 0 {
		t.Errorf("%d machines visited, %d times two at once", n, s.twice.Load())
	}
	// Each machine has one outcome in each run, and each time somebody was inside once.
	for _, r := range []drift.Run{first, second, third, fourth} {
		ms, err := s.svc.RunMachines(t.Context(), r.ID)
		must(t, err)
		for _, m := range ms {
			if m.Outcome != collector.OK || m.Took < 10*time.Millisecond {
				t.Errorf("run %d: %+v", r.ID, m)
			}
		}
	}
	for name, n := range s.visits {
		if n != 4 {
			t.Errorf("%s was visited %d times", name, n)
		}
	}
}

func TestMachinesAreTriedAgainByKindOfErrorAndCountOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(20, "")
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		s.mu.Lock()
		tries := s.visits[l.Machine.Name]
		s.mu.Unlock()
		switch n := l.Machine.Labels["n"]; {
		case n == "1" && tries < 3: // comes up late
			return inventory.Snapshot{}, &collector.Error{Outcome: collector.Unreachable, Err: errors.New("no route")}
		case n == "2":
			return inventory.Snapshot{}, &collector.Error{Outcome: collector.Unreachable, Err: errors.New("no route")}
		case n == "3":
			return inventory.Snapshot{}, &collector.Error{Outcome: collector.AuthFailed, Err: errors.New("no way in")}
		case n == "4":
			panic("a machine that panics its parser")
		case n == "5":
			return inventory.Snapshot{}, &collector.Error{Outcome: collector.SwitchedOff, Err: errors.New("so it says")}
		}
		return snapshot(t, l.Machine, "tcp/0.0.0.0:22"), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 8, Again: func(o collector.Outcome, n int) (time.Duration, bool) {
		_, ok := drift.Again(o, n)
		return 20 * time.Millisecond, ok
	}})
	run := s.night("nightly")
	want := map[collector.Outcome]int{collector.OK: 12, collector.Unreachable: 2, collector.AuthFailed: 2, collector.Broken: 2, collector.SwitchedOff: 2}
	if !maps.Equal(run.Outcomes, want) || run.State != drift.RunFinished {
		t.Errorf("%s: %v, want %v", run.State, run.Outcomes, want)
	}
	if seen, of := run.Seen(); seen != 12 || of != 18 || run.Alarm() == "" {
		t.Errorf("seen %d of %d, alarm %q", seen, of, run.Alarm())
	}
	for name, want := range map[string]int{"m1": 3, "m2": 3, "m3": 1, "m4": 2, "m5": 1, "m0": 1} {
		if s.visits[name] != want {
			t.Errorf("%s was visited %d times, want %d", name, s.visits[name], want)
		}
	}
	ms, err := s.svc.RunMachines(t.Context(), run.ID)
	must(t, err)
	if ms[0].Outcome != collector.AuthFailed || ms[0].Reason != "no way in" || len(ms) != 20 {
		t.Errorf("first %+v of %d", ms[0], len(ms))
	}
}

func TestAZoneIsScannedByItsOwnWorkersOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(5, "dmz")
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		return snapshot(t, l.Machine, "tcp/0.0.0.0:22"), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 4})
	run, err := s.svc.RunNow(t.Context(), "nightly", "a test")
	must(t, err)
	s.wait(run.ID, func(r drift.Run) bool { return r.State == drift.RunRunning })
	time.Sleep(300 * time.Millisecond)
	if r := s.wait(run.ID, func(drift.Run) bool { return true }); r.Recorded() != 0 {
		t.Fatalf("%d machines were scanned from the wrong zone", r.Recorded())
	}
	s.start(worker.Options{Zones: []string{"dmz"}, Slots: 4})
	if r := s.wait(run.ID, func(r drift.Run) bool { return r.State.Ended() }); r.Outcomes[collector.OK] != 5 {
		t.Errorf("%v", r.Outcomes)
	}
}

// A label may hold anything: no zone's name keeps a run from beginning, and no two zones share their machines.
func TestAnyNameOfAZoneHasAQueueOfItsOwn(t *testing.T) {
	t.Parallel()
	zones := []string{"DMZ", "dmz", "a.b", "a_b", "a-b", "-", "Zürich\x1b[2J", strings.Repeat("z", 300), strings.Repeat("z", 301), "a--b", "x y"}
	queues := map[string]string{}
	for _, z := range zones {
		q := worker.QueueOf(z)
		if other, taken := queues[q]; taken {
			t.Errorf("%q and %q share %s", z, other, q)
		}
		queues[q] = z
	}
	s := newSite(t)
	s.list = func() (out []collector.Listed) {
		for i, z := range zones {
			name := fmt.Sprintf("m%d", i)
			out = append(out, collector.Listed{Kind: collector.Host, Machine: inventory.Machine{
				ID: inventory.MachineID{Source: "inv", NativeID: name}, Name: name, Labels: map[string]string{"name": name, "zone": z},
			}})
		}
		return out
	}
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		return snapshot(t, l.Machine), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: zones, Slots: 2})
	if r := s.night("nightly"); r.Outcomes[collector.OK] != len(zones) {
		t.Errorf("%s: %v", r.State, r.Outcomes)
	}
}

func TestACancelledRunStopsAtOnceAndGoesOnWhenResumed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(10, "")
	hang := make(chan struct{})
	s.visit = func(ctx context.Context, l collector.Listed) (inventory.Snapshot, error) {
		if l.Machine.Labels["n"] > "4" {
			select {
			case <-hang:
			case <-ctx.Done():
				return inventory.Snapshot{}, ctx.Err()
			}
		}
		return snapshot(t, l.Machine, "tcp/0.0.0.0:22"), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 20})
	run, err := s.svc.RunNow(t.Context(), "nightly", "a test")
	must(t, err)
	s.wait(run.ID, func(r drift.Run) bool { return r.Recorded() == 5 })
	must(t, s.svc.CancelRun(t.Context(), run.ID))
	if err := s.svc.CancelRun(t.Context(), run.ID); err == nil {
		t.Error("it was cancelled twice")
	}
	inside := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, k := range s.inside {
			n += k
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); inside() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("workers are still inside machines of a cancelled run")
		}
	}
	r := s.wait(run.ID, func(r drift.Run) bool { return true })
	if r.State != drift.RunCancelled || r.Outcomes[collector.OK] != 5 || r.Recorded() != 5 || r.Alarm() == "" {
		t.Errorf("%+v", r)
	}
	close(hang)
	must(t, s.svc.ResumeRun(t.Context(), run.ID))
	r = s.wait(run.ID, func(r drift.Run) bool { return r.State.Ended() })
	if r.State != drift.RunFinished || r.Outcomes[collector.OK] != 10 {
		t.Errorf("%s, %v", r.State, r.Outcomes)
	}
	for name, n := range s.visits {
		if most := 1; s.visits[name] > most && name < "m5" {
			t.Errorf("%s was visited %d times: it had been seen", name, n)
		}
	}
	if err := s.svc.ResumeRun(t.Context(), run.ID); err == nil {
		t.Error("a finished run was resumed")
	}
}

func TestARunPastItsDeadlineGivesUpWhatIsLeftAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(4, "")
	s.visit = func(ctx context.Context, l collector.Listed) (inventory.Snapshot, error) {
		if l.Machine.Name == "m0" {
			return snapshot(t, l.Machine), nil
		}
		<-ctx.Done()
		return inventory.Snapshot{}, ctx.Err()
	}
	s.schedule("nightly", drift.ScheduleSpec{Scope: drift.Scope{Deadline: 2 * time.Second}})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 4})
	r := s.night("nightly")
	if r.State != drift.RunOverdue || r.Recorded() != 1 || r.Alarm() == "" {
		t.Errorf("%s, %v, alarm %q", r.State, r.Outcomes, r.Alarm())
	}
	ms, err := s.svc.RunMachines(t.Context(), r.ID)
	must(t, err)
	if len(ms) != 4 || ms[0].Outcome != "" && ms[1].Outcome != "" {
		t.Errorf("%+v", ms)
	}
	s.waitSent(1)
}

func TestTwoRunsAreNeverInOneMachineAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(6, "")
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		time.Sleep(300 * time.Millisecond)
		return snapshot(t, l.Machine), nil
	}
	s.schedule("one", drift.ScheduleSpec{})
	s.schedule("two", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 10})
	s.start(worker.Options{Zones: []string{drift.DefaultZone}, Slots: 10})
	one, err := s.svc.RunNow(t.Context(), "one", "a test")
	must(t, err)
	two, err := s.svc.RunNow(t.Context(), "two", "a test")
	must(t, err)
	for _, id := range []drift.RunID{one.ID, two.ID} {
		if r := s.wait(id, func(r drift.Run) bool { return r.State.Ended() }); r.Outcomes[collector.OK] != 6 {
			t.Errorf("run %d: %v", id, r.Outcomes)
		}
	}
	if s.twice.Load() != 0 {
		t.Errorf("two were in one machine at once, %d times", s.twice.Load())
	}
}

func TestAWorkerThatStopsGivesBackWhatItHas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(6, "")
	var stuck atomic.Bool
	stuck.Store(true)
	s.visit = func(ctx context.Context, l collector.Listed) (inventory.Snapshot, error) {
		if stuck.Load() {
			<-ctx.Done()
			return inventory.Snapshot{}, ctx.Err()
		}
		return snapshot(t, l.Machine), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true})
	w := s.start(worker.Options{Zones: []string{drift.DefaultZone}, Slots: 10})
	run, err := s.svc.RunNow(t.Context(), "nightly", "a test")
	must(t, err)
	for len(func() map[string]int { s.mu.Lock(); defer s.mu.Unlock(); return maps.Clone(s.visits) }()) < 6 {
		time.Sleep(10 * time.Millisecond)
	}
	must(t, w.Stop(100*time.Millisecond))
	ws, err := s.st.Workers(t.Context())
	must(t, err)
	for _, other := range ws {
		if other.Name == w.Name() {
			t.Error("it is still on the list")
		}
	}
	stuck.Store(false)
	s.start(worker.Options{Zones: []string{drift.DefaultZone}, Slots: 10})
	if r := s.wait(run.ID, func(r drift.Run) bool { return r.State.Ended() }); r.Outcomes[collector.OK] != 6 {
		t.Errorf("%v", r.Outcomes)
	}
}

func TestANoticeIsTriedAgainAndSentOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(1, "")
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		return snapshot(t, l.Machine), nil
	}
	s.failSend = errors.New("the receiver is down")
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 1})
	run := s.night("nightly")
	for {
		ns, err := s.svc.Notices(t.Context(), run.ID)
		must(t, err)
		if len(ns) == 1 && ns[0].Tries == 1 && ns[0].Error != "" && ns[0].ClaimedUntil.IsZero() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.mu.Lock()
	s.failSend = nil
	s.mu.Unlock()
	s.waitSent(1) // ten seconds later
	// Told again to send it, by whatever accident, it does not.
	for wait := time.Hour; wait != 0; time.Sleep(20 * time.Millisecond) { // until it is written down that it was sent
		var err error
		wait, err = s.svc.Send(t.Context(), 1, func(context.Context, drift.Notice, drift.Report) error {
			t.Error("it was sent again")
			return nil
		})
		must(t, err)
	}
}

// Written by hand as the database has them: what a worker that was killed leaves behind.
func TestJobsOfADeadWorkerAreGivenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.machines(3, "")
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		return snapshot(t, l.Machine), nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	central := s.start(worker.Options{Central: true, DeadAfter: 500 * time.Millisecond})
	run, err := s.svc.RunNow(t.Context(), "nightly", "a test")
	must(t, err)
	s.wait(run.ID, func(r drift.Run) bool { return r.State == drift.RunRunning })
	must(t, s.st.Beat(t.Context(), drift.Worker{Name: "dead", Zones: []string{"default"}}))
	_, err = s.st.Pool().Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}' WHERE kind = 'scan_machine'`)
	must(t, err)
	s.start(worker.Options{Zones: []string{drift.DefaultZone}, Slots: 2, DeadAfter: 500 * time.Millisecond})
	if r := s.wait(run.ID, func(r drift.Run) bool { return r.State.Ended() }); r.Outcomes[collector.OK] != 3 {
		t.Errorf("%v", r.Outcomes)
	}
	ws, err := s.st.Workers(t.Context())
	must(t, err)
	for _, w := range ws {
		if w.Name == "dead" {
			t.Errorf("the dead one is still on the list, beside %s", central.Name())
		}
	}
}
