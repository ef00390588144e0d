package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/inventory"
)

// benchMachines is a fleet that a benchmark can make in seconds.
const benchMachines = 2000

// BenchmarkPages shows how long each page takes over a fleet of 2,000 machines after ten nights, of which every
// image has a baseline.
func BenchmarkPages(b *testing.B) {
	f := newFleet(b)
	sim := simfleet.New(1, benchMachines)
	results := func(ms []*simfleet.Machine) []collector.Result {
		var out []collector.Result
		for _, m := range ms {
			r := collector.Result{Machine: m.Machine, Outcome: collector.OK, Snapshot: inventory.Snapshot{Machine: m.Machine, TakenAt: f.now, Privilege: "root"}}
			for _, st := range m.States {
				r.Snapshot.Observations = append(r.Snapshot.Observations, inventory.Observe(st))
			}
			out = append(out, r)
		}
		return out
	}
	night := func() {
		f.now = f.now.AddDate(0, 0, 1)
		run, err := f.svc.StartRun(b.Context(), "scan", benchMachines)
		f.must(err)
		all := results(sim.Machines())
		for len(all) > 0 {
			n := min(len(all), 500)
			_, err = f.svc.Record(b.Context(), run, all[:n], "")
			f.must(err)
			all = all[n:]
		}
		f.must(f.svc.FinishRun(b.Context(), run.ID, drift.RunFinished))
	}
	night()
	var specs []baseline.Spec
	seen := map[int]bool{}
	for _, m := range sim.Machines() {
		if !seen[m.Image] {
			seen[m.Image] = true
			spec, _ := baseline.Capture(results([]*simfleet.Machine{m})[0].Snapshot, m.Labels["role"]+"-"+m.Labels["os"], "role="+m.Labels["role"]+",os="+m.Labels["os"])
			specs = append(specs, spec)
		}
	}
	_, err := f.svc.Apply(b.Context(), "ann", "captured", specs...)
	f.must(err)
	f.must(f.svc.Compare(b.Context()))
	for range 10 {
		sim.Night()
		night()
	}
	findings, err := f.svc.Findings(b.Context(), drift.FindingQuery{})
	f.must(err)
	h := f.handler()
	name := url.PathEscape(sim.Machines()[0].Name)
	for _, p := range []struct{ name, path string }{
		{"overview", "/"},
		{"drift", "/drift"},
		{"one", "/drift/" + findings[0].Change.Digest().String()[:10]},
		{"machines", "/machines"},
		{"drifted", "/machines?standing=drifted"},
		{"machine", "/machines/" + name + "?facet=packages"},
		{"baselines", "/baselines"},
		{"runs", "/runs"},
		{"text", "/search?q=openssl"},
		{"items", "/search?q=" + url.QueryEscape("ports port=8080")},
	} {
		b.Run(p.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, p.path, nil))
				if w.Code != http.StatusOK {
					b.Fatalf("GET %s: %d", p.path, w.Code)
				}
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "page-bytes")
			b.ReportMetric(float64(len(findings)), "findings")
		})
	}
}
