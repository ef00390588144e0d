package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/metrics"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func scrape(t *testing.T, nights drift.Nights, depthErr error) string {
	t.Helper()
	m := metrics.New(metrics.Options{Nights: nights, Version: "v1", Log: slog.New(slog.DiscardHandler), Depth: func(context.Context) (map[string]int, map[string]int, error) {
		return map[string]int{"zone_default": 7}, map[string]int{"zone_default": 2}, depthErr
	}})
	m.Observe(collector.Result{Outcome: collector.OK, Duration: time.Second}, 1)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsSayHowTheNightsWent(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	st := testdb.Open(t, url)
	svc := drift.New(st, nil)
	ctx := t.Context()
	if _, err := svc.AddSchedule(ctx, "nightly", drift.ScheduleSpec{Cron: "0 2 * * *"}); err != nil {
		t.Fatal(err)
	}
	run, err := svc.RunNow(ctx, "nightly", "a test")
	if err != nil {
		t.Fatal(err)
	}
	m := inventory.Machine{ID: inventory.MachineID{Source: "inv", NativeID: "m"}, Name: "m"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.InTx(ctx, func(tx drift.Tx) error {
		recs, err := tx.LockMachines(ctx, []inventory.Machine{m}, time.Now())
		must(err)
		_, _, err = tx.BeginRun(ctx, run.ID, []drift.MachineRow{recs[0].Row}, nil, time.Now())
		return err
	}))
	run, err = svc.Run(ctx, run.ID)
	must(err)
	_, err = svc.Record(ctx, run, []collector.Result{{Machine: m, Outcome: collector.AuthFailed, Err: errors.New("no way in")}}, "")
	must(err)
	_, err = svc.Close(ctx, run.ID, nil)
	must(err)
	must(st.Beat(ctx, drift.Worker{Name: "w", Zones: []string{"default"}, Slots: 50}))

	text := scrape(t, st, nil)
	for _, want := range []string{
		`vmdrift_database_up 1`, `vmdrift_schedule_last_run_coverage_ratio{schedule="nightly"} 0`, `vmdrift_schedule_last_run_alarm{schedule="nightly"} 1`,
		`vmdrift_schedule_last_run_machines{outcome="auth failed",schedule="nightly"} 1`, `vmdrift_machines{outcome="auth failed"} 1`,
		`vmdrift_schedule_next_due_timestamp_seconds{schedule="nightly"} 1`, `vmdrift_open_drifts{severity="critical"} 0`,
		`vmdrift_queue_jobs{queue="zone_default",state="waiting"} 7`, `vmdrift_workers{zone="default"} 1`, `vmdrift_worker_slots{zone="default"} 50`,
		`vmdrift_machine_scans_total{outcome="ok"} 1`, `vmdrift_machine_scan_duration_seconds_count{outcome="ok"} 1`, `vmdrift_build_info{version="v1"} 1`,
		`vmdrift_notices_waiting 0`, `go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(text, "vmdrift_schedule_last_success") {
		t.Error("a run with an alarm is a success")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	must(err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsOfADatabaseThatIsAwaySaySo(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), testdb.New(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	text := scrape(t, st, nil)
	if !strings.Contains(text, "vmdrift_database_up 0") || strings.Contains(text, "vmdrift_open_drifts") {
		t.Error(text)
	}
}
