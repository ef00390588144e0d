package drift_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

// A fleet records nights of made-up machines in a real database.
type fleet struct {
	t   *testing.T
	svc *drift.Service
	st  drift.Store
	now time.Time
}

func newFleet(t *testing.T) *fleet {
	t.Parallel()
	f := &fleet{t: t, st: testdb.Store(t), now: time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)}
	f.svc = drift.New(f.st, func() time.Time { return f.now })
	return f
}

// result is a machine with those ports and users, seen whole.
func (f *fleet) result(name string, ports ...string) collector.Result {
	m := inventory.Machine{ID: inventory.MachineID{Source: "test", NativeID: name}, Name: name, Address: "root@" + name, Labels: map[string]string{"role": "web", "name": name}}
	return collector.Result{
		Machine: m, Outcome: collector.OK,
		Snapshot: inventory.Snapshot{Machine: m, TakenAt: f.now, Privilege: "root", Observations: []inventory.Observation{
			inventory.Observe(f.state(inventory.Ports, ports...)),
			inventory.Observe(f.state(inventory.Users, "root\tshell=/bin/bash\tuid=0")),
		}},
	}
}

func (f *fleet) state(facet inventory.Facet, lines ...string) *inventory.State {
	f.t.Helper()
	var items []inventory.Item
	for _, l := range lines {
		it, err := inventory.ParseLine(l)
		if err != nil {
			f.t.Fatal(err)
		}
		items = append(items, it)
	}
	s, err := inventory.NewState(facet, items...)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// night records one run of those results, a day after the last.
func (f *fleet) night(results ...collector.Result) []drift.Recorded {
	f.t.Helper()
	return f.nightWith("", results...)
}

func (f *fleet) nightWith(use string, results ...collector.Result) []drift.Recorded {
	f.t.Helper()
	f.now = f.now.AddDate(0, 0, 1)
	run, err := f.svc.StartRun(f.t.Context(), "test", len(results))
	if err != nil {
		f.t.Fatal(err)
	}
	rec, err := f.svc.Record(f.t.Context(), run, results, use)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.svc.FinishRun(f.t.Context(), run.ID, drift.RunFinished); err != nil {
		f.t.Fatal(err)
	}
	return rec
}

// capture makes what r saw the baseline of that name, and compares all machines with it.
func (f *fleet) capture(name, selector string, r collector.Result) {
	f.t.Helper()
	spec, gaps := baseline.Capture(r.Snapshot, name, selector)
	if len(gaps) > 0 && len(spec.Facets) == 0 {
		f.t.Fatal(gaps)
	}
	if _, err := f.svc.Apply(f.t.Context(), "tester", "because", spec); err != nil {
		f.t.Fatal(err)
	}
	if err := f.svc.Compare(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// findings are told as "machine op key state since last".
func (f *fleet) findings(want ...string) {
	f.t.Helper()
	fs, err := f.svc.Findings(f.t.Context(), drift.FindingQuery{})
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, x := range fs {
		got = append(got, fmt.Sprintf("%s %s %s %s %s-%s", x.MachineName, x.Change.Op, x.Change.Key, x.State, x.FirstSeen.Format("Mon"), x.LastSeen.Format("Mon")))
	}
	if d := cmp.Diff(want, got); d != "" {
		f.t.Errorf("findings (-want +got):\n%s", d)
	}
}

const (
	sshd = "tcp/0.0.0.0:22\tprocess=sshd\tuser=root"
	nc   = "tcp/0.0.0.0:4444\tprocess=nc\tuser=root"
)

func TestDriftOpensStaysAndResolves(t *testing.T) {
	f := newFleet(t)
	first := f.result("web-1", sshd)
	if rec := f.night(first); rec[0].Unmatched == "" { // Tuesday
		t.Errorf("without a baseline: %+v", rec[0])
	}
	f.capture("web", "role=web", first)
	f.findings()
	if rec := f.night(f.result("web-1", sshd, nc)); rec[0].Baseline != "web" || rec[0].Revision != 1 || rec[0].Unmatched != "" { // Wednesday
		t.Errorf("recorded %+v", rec[0])
	}
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed")
	f.night(f.result("web-1", sshd, nc)) // Thursday
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Thu")
	f.night(f.result("web-1", sshd)) // Friday
	f.findings("web-1 added tcp/0.0.0.0:4444 resolved Wed-Thu")
	f.night(f.result("web-1", sshd, nc)) // Saturday
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Sat")
}

func TestANightThatSawNothingClosesNothing(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(f.result("web-1", nc)) // Wednesday: sshd gone, nc there
	want := []string{"web-1 removed tcp/0.0.0.0:22 open Wed-Wed", "web-1 added tcp/0.0.0.0:4444 open Wed-Wed"}
	f.findings(want...)

	off := f.result("web-1")
	off.Snapshot.Observations, off.Outcome, off.Err = nil, collector.Unreachable, errors.New("connection refused")
	f.night(off)
	f.findings(want...)

	denied := f.result("web-1", sshd)
	denied.Outcome = collector.Partly
	denied.Snapshot.Observations[0] = inventory.Observation{Facet: inventory.Ports, Status: inventory.Denied, Reason: "no way"}
	f.night(denied)
	f.findings(want...)

	cut := f.result("web-1")
	cut.Outcome = collector.Partly
	cut.Snapshot.Observations[0] = inventory.Observation{Facet: inventory.Ports, Status: inventory.Partial, State: f.state(inventory.Ports)}
	f.night(cut)
	f.findings("web-1 removed tcp/0.0.0.0:22 open Wed-Sat", "web-1 added tcp/0.0.0.0:4444 open Wed-Sat")

	m, err := f.st.Machine(t.Context(), "web-1")
	if err != nil || m.Outcome != collector.Partly || m.LastObserved.Format("Mon") != "Sat" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAnAnswerThatWasCutCountsForWhatCameBeforeTheCut(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(f.result("web-1", sshd, nc)) // Wednesday
	cut := f.result("web-1", sshd)
	cut.Outcome, cut.Err = collector.Broken, errors.New("the answer was cut short")
	cut.Snapshot.Observations = []inventory.Observation{
		{Facet: inventory.Ports, Status: inventory.Failed, Reason: "cut"},
		inventory.Observe(f.state(inventory.Users, "eve\tshell=/bin/bash\tuid=0", "root\tshell=/bin/bash\tuid=0")),
	}
	f.night(cut)
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed", "web-1 added eve open Thu-Thu")
}

func TestRecordingTheSameResultsAgainChangesNothing(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	run, err := f.svc.StartRun(t.Context(), "test", 2)
	if err != nil {
		t.Fatal(err)
	}
	results := []collector.Result{f.result("web-1", nc), f.result("web-2", sshd, nc)}
	for range 3 {
		if _, err := f.svc.Record(t.Context(), run, results, ""); err != nil {
			t.Fatal(err)
		}
	}
	f.findings(
		"web-1 removed tcp/0.0.0.0:22 open Tue-Tue", "web-1 added tcp/0.0.0.0:4444 open Tue-Tue",
		"web-2 added tcp/0.0.0.0:4444 open Tue-Tue")
	m, err := f.st.Machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if h, err := f.st.History(t.Context(), m.Row); err != nil || len(h) != 3 { // ports twice, users once
		t.Errorf("%d stretches, %v; want 3", len(h), err)
	}
}

func TestAcceptingIsARevisionAndNeedsNoScan(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(f.result("web-1", sshd, nc), f.result("web-2", sshd, nc))
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed", "web-2 added tcp/0.0.0.0:4444 open Wed-Wed")
	f.capture("web", "role=web", f.result("web-1", sshd, nc))
	f.findings("web-1 added tcp/0.0.0.0:4444 resolved Wed-Wed", "web-2 added tcp/0.0.0.0:4444 resolved Wed-Wed")
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed", "web-2 added tcp/0.0.0.0:4444 open Wed-Wed")

	applied, err := f.svc.Apply(t.Context(), "tester", "again", mustSpec(t, f))
	if err != nil || !applied[0].Unchanged || applied[0].Number != 3 {
		t.Errorf("applying what is there: %+v, %v", applied, err)
	}
}

func mustSpec(t *testing.T, f *fleet) baseline.Spec {
	t.Helper()
	r, err := f.svc.Revision(t.Context(), "web", 0)
	if err != nil {
		t.Fatal(err)
	}
	return r.Spec
}

func TestANamedBaselineSticksUntilASelectorMatches(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("special", "", f.result("web-1", sshd))
	f.nightWith("special", f.result("web-1", sshd, nc)) // Wednesday
	if rec := f.night(f.result("web-1", sshd, nc)); rec[0].Baseline != "special" {
		t.Errorf("the name did not stick: %+v", rec[0])
	}
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Thu")
	f.capture("web", "role=web", f.result("web-1", sshd, nc))
	f.findings("web-1 added tcp/0.0.0.0:4444 resolved Wed-Thu")
	if rec := f.night(f.result("web-1", sshd, nc)); rec[0].Baseline != "web" {
		t.Errorf("the selector did not win: %+v", rec[0])
	}
}

func TestTwoBaselinesThatSelectEquallyWellAreReportedNotGuessed(t *testing.T) {
	f := newFleet(t)
	r := f.result("web-1", sshd)
	f.night(r)
	f.capture("a", "role=web", r)
	f.capture("b", "role=web", r)
	if rec := f.night(f.result("web-2", sshd)); rec[0].Baseline != "" || !strings.Contains(rec[0].Unmatched, "equally well") {
		t.Errorf("a new machine: recorded %+v", rec[0])
	}
	if rec := f.night(r); rec[0].Baseline != "a" || !strings.Contains(rec[0].Unmatched, "equally well") {
		t.Errorf("one that was compared with a: recorded %+v", rec[0])
	}
}

func TestASecondBaselineThatSelectsEquallyWellClosesNothing(t *testing.T) {
	f := newFleet(t)
	r := f.result("web-1", sshd)
	f.night(r) // Tuesday
	f.capture("a", "role=web", r)
	f.night(f.result("web-1", sshd, nc)) // Wednesday
	f.capture("b", "role=web", f.result("web-1", sshd, nc))
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed")
	f.night(f.result("web-1", sshd, nc)) // Thursday
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Thu")
}

func TestTwoProcessesThatScanTheSameMachinesLoseAndDoubleNothing(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("m0", sshd))
	f.capture("web", "role=web", f.result("m0", sshd))
	f.now = f.now.AddDate(0, 0, 1)
	var wg sync.WaitGroup
	for p := range 4 {
		run, err := f.svc.StartRun(t.Context(), "test", 20)
		if err != nil {
			t.Fatal(err)
		}
		var results []collector.Result
		for i := range 20 {
			results = append(results, f.result(fmt.Sprint("m", (i*7+p*3)%20), sshd, nc))
		}
		svc := drift.New(f.st, func() time.Time { return f.now })
		wg.Go(func() {
			for i := 0; i < len(results); i += 5 {
				if _, err := svc.Record(t.Context(), run, results[i:i+5], ""); err != nil {
					t.Errorf("process %d: %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	fs, err := f.svc.Findings(t.Context(), drift.FindingQuery{States: drift.Live()})
	if err != nil || len(fs) != 20 {
		t.Fatalf("%d findings, %v; want 20", len(fs), err)
	}
	if ds := drift.Group(fs); len(ds) != 1 || len(ds[0].Findings) != 20 {
		t.Errorf("want one drift on 20 machines: %d drifts", len(ds))
	}
	for _, x := range fs {
		if x.Reopened != 0 {
			t.Errorf("%s reopened %d times", x.MachineName, x.Reopened)
		}
	}
	ms, err := f.st.ListMachines(t.Context())
	if err != nil || len(ms) != 20 {
		t.Errorf("%d machines, %v; want 20", len(ms), err)
	}
	for _, m := range ms {
		if h, err := f.st.History(t.Context(), m.Row); err != nil || len(h) > 3 {
			t.Errorf("%s: %d stretches, %v", m.Machine.Name, len(h), err)
		}
	}
}

func TestAnOlderRunTakesNothingBackThatALaterOneSaw(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	older, err := f.svc.StartRun(t.Context(), "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	f.night(f.result("web-1", sshd, nc)) // Wednesday
	want := "web-1 added tcp/0.0.0.0:4444 open Wed-Wed"
	f.findings(want)
	rec, err := f.svc.Record(t.Context(), older, []collector.Result{f.result("web-1", sshd)}, "")
	if err != nil || rec[0].Baseline != "web" {
		t.Errorf("%+v, %v", rec, err)
	}
	f.findings(want)
}

func TestHistoryAndSnapshotsAnswerForADate(t *testing.T) {
	f := newFleet(t)
	f.night(f.result("web-1", sshd))     // Tuesday
	f.night(f.result("web-1", sshd))     // Wednesday
	f.night(f.result("web-1", sshd, nc)) // Thursday
	thursday := f.now
	f.night(f.result("web-1", sshd)) // Friday
	m, err := f.st.Machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	events, err := f.svc.History(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		line := e.At.Format("Mon ") + string(e.Facet)
		for _, c := range e.Changes {
			line += fmt.Sprintf(" %s %s", c.Op, c.Key)
		}
		got = append(got, line)
	}
	want := []string{"Fri ports removed tcp/0.0.0.0:4444", "Thu ports added tcp/0.0.0.0:4444", "Tue ports", "Tue users"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	for at, want := range map[time.Time]int{{}: 1, thursday: 2, thursday.Add(-time.Second): 1} {
		s, err := f.svc.SnapshotAt(t.Context(), m, at)
		if err != nil {
			t.Fatal(err)
		}
		o, ok := s.Observation(inventory.Ports)
		if !ok || o.State.Len() != want || o.Validate() != nil {
			t.Errorf("at %s: %+v, %v", at, o, o.Validate())
		}
		q, err := drift.ParseQuery("ports port=4444")
		if err != nil {
			t.Fatal(err)
		}
		if hits, err := f.svc.Find(t.Context(), q, at); err != nil || len(hits) != want-1 {
			t.Errorf("find at %s: %d hits, %v", at, len(hits), err)
		}
	}
	if _, err := f.svc.SnapshotAt(t.Context(), m, thursday.AddDate(-1, 0, 0)); err == nil {
		t.Error("a machine had a snapshot a year before it was seen")
	}
}

func TestAFindingGoesWithItsMachineWhenThatIsFoundToBeAnother(t *testing.T) {
	f := newFleet(t)
	vm := f.result("vm-1", sshd)
	vm.Machine.ID.Source, vm.Snapshot.Machine.ID.Source = "vc", "vc"
	f.night(f.result("web-1", sshd), vm)
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(f.result("web-1", sshd, nc))
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed")
	line := collector.Listed{Kind: collector.Host, Machine: f.result("web-1").Machine}
	listed := collector.Listed{Kind: collector.VM, Machine: vm.Machine, Evidence: []collector.Evidence{{Kind: collector.SMBIOSUUID, Value: "u"}}}
	links, err := f.svc.Link(t.Context(), []drift.Sighting{
		{ID: vm.Machine.ID, Parts: []collector.Listed{listed}},
		{ID: line.Machine.ID, Parts: []collector.Listed{line}, Guest: inventory.Identity{SMBIOSUUID: "u"}},
	})
	if err != nil || len(links) != 1 {
		t.Fatal(links, err)
	}
	seen, _, err := f.svc.Register(t.Context(), []collector.Listed{line, listed}, nil)
	if err != nil || len(seen) != 1 {
		t.Fatal(seen, err)
	}
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Wed")
	both := f.result("web-1", sshd, nc)
	both.Machine, both.Snapshot.Machine = seen[0].Joined().Machine, seen[0].Joined().Machine
	f.night(both)
	f.findings("web-1 added tcp/0.0.0.0:4444 open Wed-Thu")
}
