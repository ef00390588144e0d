package web_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func TestARunOfAScheduleSaysHowMuchItSaw(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), testdb.New(t), store.Options{Enqueue: func(context.Context, pgx.Tx, []drift.Job) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	f := &fleet{t: t, st: st, now: time.Now()}
	f.svc = drift.New(st, func() time.Time { return f.now })
	_, err = f.svc.AddSchedule(t.Context(), "nightly", drift.ScheduleSpec{Cron: "0 2 * * *", Scope: drift.Scope{Where: "role=web"}})
	f.must(err)
	run, err := f.svc.RunNow(t.Context(), "nightly", "ann")
	f.must(err)
	f.shows("/runs", "nightly", "0 2 * * *", "role=web", "none yet", "planned", "not begun")

	machine := func(name string) collector.Listed {
		return collector.Listed{Kind: collector.Host, Machine: inventory.Machine{
			ID: inventory.MachineID{Source: "inv", NativeID: name}, Name: name, Labels: map[string]string{"role": "web"},
		}}
	}
	f.must(f.svc.Begin(t.Context(), run.ID, func(context.Context, drift.Scope) (drift.Listing, error) {
		return drift.Listing{Machines: []collector.Listed{machine("web-1"), machine("web-2")}, Notes: []string{"source vc not listed: it is down"}}, nil
	}))
	run, err = f.svc.Run(t.Context(), run.ID)
	f.must(err)
	f.shows(f.lastRun(), "running", "not yet", "source vc not listed")
	_, err = f.svc.Record(t.Context(), run, []collector.Result{
		{Machine: machine("web-1").Machine, Outcome: collector.AuthFailed, Err: errors.New("not let in as root"), Duration: 1500 * time.Millisecond},
		{Machine: machine("web-2").Machine, Outcome: collector.OK, Snapshot: inventory.Snapshot{Observations: []inventory.Observation{inventory.Observe(mustState(t))}}},
	}, "")
	f.must(err)
	_, err = f.svc.Close(t.Context(), run.ID, []string{"ops"})
	f.must(err)
	f.shows(f.lastRun(), "finished", "Alarm: it saw 1 of 2 machines, 50 %", "auth failed", "not let in as root", "1.5s", "1 machine was seen whole", "ports", "not told yet", "Nothing is open that it opened")
	f.shows("/runs", "it saw 1 of 2 machines")
	for path, want := range map[string]int{"/runs/99": http.StatusNotFound, "/runs/x": http.StatusNotFound, "/runs/-1": http.StatusNotFound, "/runs/99999999999999999999": http.StatusNotFound} {
		if got := f.get(path).Code; got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
}

func mustState(t *testing.T) *inventory.State {
	t.Helper()
	b := inventory.NewBuilder(inventory.Ports)
	b.Key("tcp/0.0.0.0:22")
	s, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
