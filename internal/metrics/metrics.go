// Package metrics exposes how vmdrift itself is doing, in Prometheus' form and by its naming conventions. What concerns the
// fleet is read from the database, so that every process says the same, and at most every few seconds, however
// often it is asked; what concerns the process is counted in it.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// fresh is for how long an answer of the database is given again.
const fresh = 10 * time.Second

// patience is how long the database may take to answer one scrape.
const patience = 10 * time.Second

// Options of New.
type Options struct {
	Nights  drift.Nights
	Depth   func(ctx context.Context) (waiting, running map[string]int, err error) // of the queues
	Version string
	Log     *slog.Logger
}

// Metrics are the process's.
type Metrics struct {
	o        Options
	registry *prometheus.Registry
	scans    *prometheus.CounterVec
	took     *prometheus.HistogramVec

	mu   sync.Mutex
	last []prometheus.Metric
	at   time.Time
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vmdrift_"+name, help, labels, nil)
}

var (
	up          = desc("database_up", "Whether the database answered. If it is 0, what is read from it is left out.")
	lastSuccess = desc("schedule_last_success_timestamp_seconds", "When a run of the schedule last finished and saw what it should.", "schedule")
	nextDue     = desc("schedule_next_due_timestamp_seconds", "When the schedule is due next.", "schedule")
	paused      = desc("schedule_paused", "Whether the schedule is paused.", "schedule")
	lastEnd     = desc("schedule_last_run_end_timestamp_seconds", "When the last run of the schedule ended.", "schedule")
	lastTook    = desc("schedule_last_run_duration_seconds", "How long the last run of the schedule took.", "schedule")
	lastCover   = desc("schedule_last_run_coverage_ratio", "The share of machines that the last run of the schedule saw, of those that are not switched off.", "schedule")
	lastAlarm   = desc("schedule_last_run_alarm", "Whether the last run of the schedule saw less than it should.", "schedule")
	lastOutcome = desc("schedule_last_run_machines", "Machines of the last run of the schedule, by how they ended.", "schedule", "outcome")
	lastFacet   = desc("schedule_last_run_facet_machines", "Machines that the last run of the schedule saw, by facet and how well it was seen.", "schedule", "facet", "status")
	lastOpened  = desc("schedule_last_run_findings_opened", "Findings that the last run of the schedule opened.", "schedule")
	lastClosed  = desc("schedule_last_run_findings_resolved", "Findings that the last run of the schedule resolved.", "schedule")
	findings    = desc("open_findings", "Findings that are open or acknowledged, by severity: one per change and machine.", "severity")
	drifts      = desc("open_drifts", "Drifts that are open or acknowledged, by severity: one per change.", "severity")
	machines    = desc("machines", "Machines that are there, by how they ended last.", "outcome")
	queueJobs   = desc("queue_jobs", "Jobs in the queue.", "queue", "state")
	workers     = desc("workers", "Workers that live, by the zone that they scan.", "zone")
	slots       = desc("worker_slots", "Machines that the workers of a zone can scan at once.", "zone")
	waiting     = desc("notices_waiting", "Notices that are still to be sent.")
	givenUp     = desc("notices_given_up", "Notices that could not be sent, and are not tried any more.")
	build       = desc("build_info", "The version that is running.", "version")
)

// New returns the metrics of a process.
func New(o Options) *Metrics {
	m := &Metrics{
		o: o, registry: prometheus.NewRegistry(),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vmdrift_machine_scans_total", Help: "Machines that this process scanned and recorded, by how they ended.",
		}, []string{"outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vmdrift_machine_scan_duration_seconds", Help: "How long this process was in a machine, by how that ended.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m, m.scans, m.took, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts a machine that was scanned.
func (m *Metrics) Observe(r collector.Result, _ int) {
	m.scans.WithLabelValues(string(r.Outcome)).Inc()
	m.took.WithLabelValues(string(r.Outcome)).Observe(r.Duration.Seconds())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * patience})
}

// Describe implements prometheus.Collector. None: which there are depends on the schedules.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) > fresh {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		found, err := m.read(ctx)
		cancel()
		answered := 1.0
		if err != nil {
			m.o.Log.Warn("metrics: the database does not answer", "error", err)
			answered, found = 0, nil
		}
		m.last, m.at = append(found, gauge(up, answered), gauge(build, 1, m.o.Version)), time.Now()
	}
	for _, v := range m.last {
		ch <- v
	}
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// read asks the database.
func (m *Metrics) read(ctx context.Context) ([]prometheus.Metric, error) {
	var out []prometheus.Metric
	add := func(d *prometheus.Desc, v float64, labels ...string) { out = append(out, gauge(d, v, labels...)) }
	schedules, err := m.o.Nights.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range schedules {
		add(paused, truth(s.Paused), s.Name)
		if !s.NextAt.IsZero() && !s.Paused {
			add(nextDue, seconds(s.NextAt), s.Name)
		}
		if s.LastSuccess != nil {
			add(lastSuccess, seconds(s.LastSuccess.FinishedAt), s.Name)
		}
		if r := s.Last; r != nil {
			add(lastEnd, seconds(r.FinishedAt), s.Name)
			add(lastTook, r.FinishedAt.Sub(r.StartedAt).Seconds(), s.Name)
			add(lastCover, r.Coverage(), s.Name)
			add(lastAlarm, truth(r.Alarm() != ""), s.Name)
			add(lastOpened, float64(r.Opened), s.Name)
			add(lastClosed, float64(r.Resolved), s.Name)
			for o, n := range r.Outcomes {
				add(lastOutcome, float64(n), s.Name, string(o))
			}
			for _, f := range r.Facets {
				for status, n := range f.Status {
					add(lastFacet, float64(n), s.Name, string(f.Facet), string(status))
				}
			}
		}
	}
	totals, err := m.o.Nights.Totals(ctx)
	if err != nil {
		return nil, err
	}
	for s := baseline.Info; s <= baseline.Critical; s++ {
		add(findings, float64(totals.Findings[s]), s.String())
		add(drifts, float64(totals.Drifts[s]), s.String())
	}
	for o, n := range totals.Machines {
		name := string(o)
		if name == "" {
			name = "never tried"
		}
		add(machines, float64(n), name)
	}
	add(waiting, float64(totals.NoticesWaiting))
	add(givenUp, float64(totals.NoticesGivenUp))
	crew, err := m.o.Nights.Workers(ctx)
	if err != nil {
		return nil, err
	}
	byZone, slotsOf := map[string]int{}, map[string]int{}
	for _, w := range crew {
		for _, z := range w.Zones {
			byZone[z]++
			slotsOf[z] += w.Slots
		}
	}
	for z, n := range byZone {
		add(workers, float64(n), z)
		add(slots, float64(slotsOf[z]), z)
	}
	wait, run, err := m.o.Depth(ctx)
	if err != nil {
		return nil, err
	}
	for q, n := range wait {
		add(queueJobs, float64(n), q, "waiting")
	}
	for q, n := range run {
		add(queueJobs, float64(n), q, "running")
	}
	return out, nil
}
