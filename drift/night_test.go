package drift_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// A clockwork is schedules in a real database, and the jobs that were put down.
type clockwork struct {
	t   *testing.T
	st  *store.Store
	svc *drift.Service

	mu   sync.Mutex
	jobs []drift.Job
}

func newClockwork(t *testing.T) *clockwork {
	t.Helper()
	t.Parallel()
	c := &clockwork{t: t}
	st, err := store.Open(t.Context(), testdb.New(t), store.Options{Enqueue: func(_ context.Context, _ pgx.Tx, jobs []drift.Job) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.jobs = append(c.jobs, jobs...)
		return nil
	}})
	c.ok(err)
	t.Cleanup(st.Close)
	c.st, c.svc = st, drift.New(st, nil)
	return c
}

func (c *clockwork) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *clockwork) add(name string, spec drift.ScheduleSpec) {
	c.t.Helper()
	_, err := c.svc.AddSchedule(c.t.Context(), name, spec)
	c.ok(err)
}

func (c *clockwork) exec(sql string, args ...any) {
	c.t.Helper()
	_, err := c.st.Pool().Exec(c.t.Context(), sql, args...)
	c.ok(err)
}

func (c *clockwork) tick() drift.Tick {
	c.t.Helper()
	tick, err := c.svc.Tick(c.t.Context())
	c.ok(err)
	return tick
}

func (c *clockwork) runs() []drift.Run {
	c.t.Helper()
	runs, err := c.st.ListRuns(c.t.Context(), 100)
	c.ok(err)
	return runs
}

func TestMissedNightsAreCaughtUpWithOnce(t *testing.T) {
	c := newClockwork(t)
	c.add("nightly", drift.ScheduleSpec{Cron: "0 2 * * *"})
	if tick := c.tick(); len(tick.Planned) != 0 {
		t.Fatalf("before its time: %+v", tick)
	}
	// Nobody was there for five nights.
	c.exec(`UPDATE schedules SET next_at = date_trunc('day', now()) - interval '5 days' + interval '2 hours'`)
	if tick := c.tick(); len(tick.Planned) != 1 || len(tick.Handed) != 1 {
		t.Fatalf("after five nights: %+v", tick)
	}
	for range 3 {
		if tick := c.tick(); len(tick.Planned)+len(tick.Handed) != 0 {
			t.Errorf("and again: %+v", tick)
		}
	}
	runs := c.runs()
	if len(runs) != 1 || time.Since(runs[0].DueAt) > 24*time.Hour || runs[0].DueAt.Hour() != 2 || runs[0].Schedule != "nightly" {
		t.Errorf("runs %+v", runs)
	}
	all, err := c.svc.Schedules(t.Context())
	c.ok(err)
	if next := all[0].NextAt; !next.After(time.Now()) || time.Until(next) > 24*time.Hour {
		t.Errorf("due next at %s", next)
	}
	if len(c.jobs) != 1 {
		t.Errorf("jobs %+v", c.jobs)
	}
}

func TestManyThatTickAtOncePlanOnce(t *testing.T) {
	c := newClockwork(t)
	for _, name := range []string{"a", "b", "c"} {
		c.add(name, drift.ScheduleSpec{Cron: "0 2 * * *"})
	}
	for range 4 {
		c.exec(`UPDATE schedules SET next_at = next_at - interval '1 day'`)
		c.exec(`UPDATE runs SET state = 'cancelled', finished_at = coalesce(finished_at, now()), due_at = due_at - interval '1 day'`)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := c.svc.Tick(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if runs := c.runs(); len(runs) != 12 || len(c.jobs) != 12 {
		t.Errorf("%d runs and %d jobs, want 12 of each", len(runs), len(c.jobs))
	}
}

// The database's clock goes back: what was due stays done.
func TestAClockThatIsSetBackDoublesNothing(t *testing.T) {
	c := newClockwork(t)
	c.add("hourly", drift.ScheduleSpec{Cron: "0 * * * *"})
	c.exec(`UPDATE schedules SET next_at = date_trunc('hour', now())`)
	if tick := c.tick(); len(tick.Planned) != 1 {
		t.Fatalf("%+v", tick)
	}
	c.exec(`UPDATE runs SET state = 'finished', finished_at = now()`)
	// The same due time again, as it would be after an hour back: the run of it is there.
	c.exec(`UPDATE schedules SET next_at = date_trunc('hour', now())`)
	if tick := c.tick(); len(tick.Planned) != 0 || len(c.runs()) != 1 {
		t.Errorf("planned again: %+v", tick)
	}
}

func TestRunsOfOneScheduleDoNotOverlapNorPileUp(t *testing.T) {
	c := newClockwork(t)
	c.add("nightly", drift.ScheduleSpec{Cron: "0 2 * * *"})
	due := func() { c.exec(`UPDATE schedules SET next_at = $1`, time.Now().Add(-time.Hour)) }
	due()
	first := c.tick()
	for range 3 { // three more come due while it goes on
		c.exec(`UPDATE runs SET due_at = due_at - interval '1 day' WHERE due_at IS NOT NULL`)
		due()
		if tick := c.tick(); len(tick.Handed) != 0 {
			t.Errorf("two at once: %+v", tick)
		}
	}
	if runs := c.runs(); len(runs) > 2 {
		t.Errorf("%d runs wait", len(runs)-1)
	}
	c.exec(`UPDATE runs SET state = 'finished', finished_at = now() WHERE id = $1`, int32(first.Handed[0]))
	if tick := c.tick(); len(tick.Handed) > 1 {
		t.Errorf("when it has ended: %+v", tick)
	}
}

func TestBlackoutsHoldARunBackAndNotForEver(t *testing.T) {
	c := newClockwork(t)
	now := time.Now().UTC()
	c.add("now", drift.ScheduleSpec{Cron: "0 2 * * *", Scope: drift.Scope{Blackouts: []string{"00:00-24:00"}}})
	c.exec(`UPDATE schedules SET next_at = now() - interval '1 minute'`)
	if tick := c.tick(); len(tick.Planned) != 1 || len(tick.Handed) != 0 {
		t.Errorf("in a blackout: %+v", tick)
	}
	c.exec(`UPDATE runs SET scope = '{"blackouts": ["` + now.Add(-3*time.Hour).Format("15:04") + "-" + now.Add(-2*time.Hour).Format("15:04") + `"]}'`)
	if tick := c.tick(); len(tick.Handed) != 1 {
		t.Errorf("after it: %+v", tick)
	}
	if _, err := c.svc.RunNow(t.Context(), "now", "a test"); err != nil {
		t.Fatal(err)
	}
	c.exec(`UPDATE runs SET state = 'finished', finished_at = now() WHERE state = 'planned' AND handed_at IS NOT NULL`)
	if tick := c.tick(); len(tick.Handed) != 1 {
		t.Errorf("a person who says now means now: %+v", tick)
	}
}

func TestAPausedScheduleMissesWhatItMissed(t *testing.T) {
	c := newClockwork(t)
	c.add("nightly", drift.ScheduleSpec{Cron: "0 2 * * *"})
	c.ok(c.svc.ChangeSchedule(t.Context(), "nightly", true))
	c.exec(`UPDATE schedules SET next_at = now() - interval '3 days'`)
	if tick := c.tick(); len(tick.Planned) != 0 {
		t.Errorf("paused: %+v", tick)
	}
	c.ok(c.svc.ChangeSchedule(t.Context(), "nightly", false))
	if tick := c.tick(); len(tick.Planned) != 0 {
		t.Errorf("resumed: %+v", tick)
	}
	if err := c.svc.ChangeSchedule(t.Context(), "weekly", true); !errors.Is(err, drift.ErrNotFound) || !strings.Contains(err.Error(), "schedule list") {
		t.Errorf("%v", err)
	}
}

func TestSchedulesOfTheConfigurationComeAndGo(t *testing.T) {
	c := newClockwork(t)
	sync := func(specs map[string]string) error {
		var wanted []drift.Schedule
		for name, cron := range specs {
			wanted = append(wanted, drift.Schedule{Name: name, Spec: drift.ScheduleSpec{Cron: cron}})
		}
		return c.svc.SyncSchedules(t.Context(), wanted)
	}
	names := func() (out []string) {
		all, err := c.svc.Schedules(t.Context())
		c.ok(err)
		for _, s := range all {
			out = append(out, s.Name+" "+s.Spec.Cron)
		}
		return out
	}
	c.add("mine", drift.ScheduleSpec{Cron: "0 1 * * *"})
	c.ok(sync(map[string]string{"a": "0 2 * * *", "b": "0 3 * * *"}))
	c.ok(c.svc.ChangeSchedule(t.Context(), "a", true))
	c.exec(`UPDATE schedules SET next_at = '2030-01-01' WHERE name = 'a'`)
	c.ok(sync(map[string]string{"a": "0 2 * * *", "c": "0 4 * * *"}))
	if got := names(); !slices.Equal(got, []string{"a 0 2 * * *", "c 0 4 * * *", "mine 0 1 * * *"}) {
		t.Errorf("%q", got)
	}
	all, err := c.svc.Schedules(t.Context())
	c.ok(err)
	if !all[0].Paused || all[0].NextAt.Year() != 2030 {
		t.Errorf("what was paused and due is not so any more: %+v", all[0])
	}
	c.ok(sync(map[string]string{"a": "0 5 * * *"})) // another time: due anew
	all, err = c.svc.Schedules(t.Context())
	c.ok(err)
	if len(all) != 2 || all[0].NextAt.Year() == 2030 {
		t.Errorf("%+v", all)
	}
	if err := sync(map[string]string{"mine": "0 5 * * *"}); !errors.Is(err, drift.ErrExists) {
		t.Errorf("two of one name: %v", err)
	}
	if err := c.svc.RemoveSchedule(t.Context(), "a"); err == nil {
		t.Error("one of the configuration was removed by command")
	}
	c.ok(c.svc.RemoveSchedule(t.Context(), "mine"))
}

func TestARunIsForItsScopeOnly(t *testing.T) {
	c := newClockwork(t)
	c.add("prod", drift.ScheduleSpec{Cron: "0 2 * * *", Scope: drift.Scope{Where: "env=prod", Sources: []string{"inv"}}})
	run, err := c.svc.RunNow(t.Context(), "prod", "a test")
	c.ok(err)
	listed := func(source, name, env string) collector.Listed {
		return collector.Listed{Kind: collector.Host, Machine: inventory.Machine{
			ID: inventory.MachineID{Source: source, NativeID: name}, Name: name, Address: name, Labels: map[string]string{"env": env, "name": name, "zone": env},
		}}
	}
	list := func(context.Context, drift.Scope) (drift.Listing, error) {
		return drift.Listing{Machines: []collector.Listed{
			listed("inv", "a", "prod"), listed("inv", "b", "test"), listed("other", "c", "prod"), listed("inv", "a", "prod"),
		}, Notes: []string{"source x not listed: it is down"}}, nil
	}
	c.ok(c.svc.Begin(t.Context(), run.ID, list))
	c.ok(c.svc.Begin(t.Context(), run.ID, list)) // a job that is done twice
	if len(c.jobs) != 1 {
		t.Fatalf("%d jobs, want one", len(c.jobs))
	}
	if j := c.jobs[0].(drift.ScanMachine); j.Zone != "prod" || j.Seen.Joined().Machine.Name != "a" {
		t.Errorf("%+v", j)
	}
	got, err := c.svc.Run(t.Context(), run.ID)
	c.ok(err)
	if got.Planned != 1 || got.State != drift.RunRunning || len(got.Notes) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestARunWithoutMachinesEndsWithTheAlarm(t *testing.T) {
	c := newClockwork(t)
	c.add("none", drift.ScheduleSpec{Cron: "0 2 * * *"})
	run, err := c.svc.RunNow(t.Context(), "none", "a test")
	c.ok(err)
	c.ok(c.svc.Begin(t.Context(), run.ID, func(context.Context, drift.Scope) (drift.Listing, error) { return drift.Listing{}, nil }))
	got, err := c.svc.Close(t.Context(), run.ID, nil)
	c.ok(err)
	if got.State != drift.RunFinished || got.Alarm() == "" {
		t.Errorf("%s, alarm %q", got.State, got.Alarm())
	}
}

func TestWhatBefellAFindingIsKept(t *testing.T) {
	f := newFleet(t)
	f.capture("web", "role=web", f.result("golden", "tcp/0.0.0.0:22"))
	f.night(f.result("web-1", "tcp/0.0.0.0:22", "tcp/0.0.0.0:4444"))
	fs, err := f.svc.Findings(t.Context(), drift.FindingQuery{})
	if err != nil || len(fs) != 1 {
		t.Fatalf("%v, %v", fs, err)
	}
	f.now = f.now.Add(time.Hour)
	if _, err := f.svc.Acknowledge(t.Context(), fs[0].ChangeID, []drift.MachineRow{fs[0].Machine}, drift.Acknowledgement{By: "ann", Note: "mine"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.night(f.result("web-1", "tcp/0.0.0.0:22"))
		f.night(f.result("web-1", "tcp/0.0.0.0:22", "tcp/0.0.0.0:4444"))
	}
	events, err := f.st.Events(t.Context(), fs[0].ChangeID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Backward(events) {
		got = append(got, string(e.Kind)+e.By)
	}
	want := "opened acknowledgedann resolved reopened resolved reopened resolved reopened"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	f.night(f.result("web-1", "tcp/0.0.0.0:22"), f.result("web-2", "tcp/0.0.0.0:22"), f.result("web-3", "tcp/0.0.0.0:22"))
	f.night(f.result("web-1", "tcp/0.0.0.0:22", "tcp/0.0.0.0:4444"), f.result("web-2", "tcp/0.0.0.0:22", "tcp/0.0.0.0:4444"), f.result("web-3", "tcp/0.0.0.0:22", "tcp/0.0.0.0:4444"))
	happenings, err := f.svc.Happenings(t.Context(), fs[0].ChangeID)
	if err != nil || len(happenings) != 11 {
		t.Fatalf("%d happenings, %v", len(happenings), err)
	}
	for i, want := range []string{"opened web-2 web-3", "reopened web-1", "resolved web-1"} {
		if got := string(happenings[i].Kind) + " " + strings.Join(happenings[i].Machines, " "); got != want {
			t.Errorf("happening %d: %s, want %s", i, got, want)
		}
	}
	f.night(f.result("web-2", "tcp/0.0.0.0:22"), f.result("web-3", "tcp/0.0.0.0:22"))
	fs, err = f.svc.Findings(t.Context(), drift.FindingQuery{States: drift.Live()})
	if err != nil || len(fs) != 1 || !fs[0].Flapping(f.now) || fs[0].Flapping(f.now.AddDate(0, 0, 30)) {
		t.Errorf("%d findings, %v; flapping %v", len(fs), err, fs[0].Flapping(f.now))
	}
}
