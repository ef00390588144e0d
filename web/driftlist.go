package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// listSize is how many rows a page of a list has.
const listSize = 100

type driftListPage struct {
	base
	Severities, Facets, Baselines, States, Ages []choice
	Label, Text, Sort, Machine                  string
	Columns                                     []column
	Rows                                        []driftRow
	Pager                                       pager
	Drifts, On                                  string
	Filtered                                    bool
	CSVHref, JSONHref                           string
	Machines                                    int // that are known at all
}

func (s *server) driftList(w http.ResponseWriter, r *http.Request) error {
	f, err := parseDriftFilter(r, s.now())
	if err != nil {
		return err
	}
	drifts, ms, err := s.drifts(r, f)
	if err != nil {
		return err
	}
	revs, err := s.read.Baselines(r.Context())
	if err != nil {
		return fmt.Errorf("read baselines: %w", err)
	}
	page := driftListPage{base: s.base("Drift", "drift"), Label: f.label, Text: f.text, Sort: f.sort, Machine: f.machine}
	page.Machines = len(here(ms))
	page.Notices = blindSpots(f.among(here(ms)), s.now())
	page.choose(f, revs)
	machines := map[drift.MachineRow]bool{}
	for _, d := range drifts {
		for _, x := range d.Findings {
			machines[x.Machine] = true
		}
	}
	page.Drifts, page.On = count(len(drifts), "drift", "drifts"), count(len(machines), "machine", "machines")
	page.Filtered = len(f.values("sort", "")) > 0
	page.CSVHref, page.JSONHref = address("/drift.csv", f.values()), address("/drift.json", f.values())
	page.Columns = columnsFor(f.sort, "severity", func(sort string) string { return address("/drift", f.values("sort", sort)) },
		sortHead{name: "severity", text: "Severity"}, sortHead{name: "facet", text: "Facet", ascending: true},
		sortHead{name: "key", text: "What", ascending: true}, sortHead{name: "machines", text: "Machines"},
		sortHead{name: "opened", text: "Since"}, sortHead{name: "seen", text: "Last seen"}, sortHead{text: "State"})
	from, to, pager := pageOf(r, len(drifts), listSize)
	page.Pager = pager
	for _, d := range drifts[from:to] {
		page.Rows = append(page.Rows, rowOf(page.clip, d, s.now()))
	}
	return s.render(w, http.StatusOK, "drift-list", page)
}

// drifts returns the drifts that match, and all machines.
func (s *server) drifts(r *http.Request, f driftFilter) ([]drift.Drift, []drift.MachineRecord, error) {
	ms, err := s.read.ListMachines(r.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("list machines: %w", err)
	}
	drifts, err := s.driftsOf(r, f, ms)
	return drifts, ms, err
}

// driftsOf returns the drifts of those machines that match.
func (s *server) driftsOf(r *http.Request, f driftFilter, ms []drift.MachineRecord) ([]drift.Drift, error) {
	findings, err := s.svc.Findings(r.Context(), f.query())
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return f.apply(findings, byName(ms)), nil
}

// selected returns the machines that a selector selects.
func selected(ms []drift.MachineRecord, s baseline.Selector) []drift.MachineRecord {
	return slices.DeleteFunc(slices.Clone(ms), func(m drift.MachineRecord) bool { return !s.Selects(m.Machine.Labels) })
}

// choose fills in the selects.
func (p *driftListPage) choose(f driftFilter, revs []drift.Revision) {
	p.Severities = choices(f.severity, "", "any severity")
	for _, v := range slices.Backward(baseline.Severities()) {
		p.Severities = append(p.Severities, choices(f.severity, v.String(), v.String())...)
		if v != baseline.Critical && v != baseline.Info {
			p.Severities = append(p.Severities, choices(f.severity, v.String()+andWorse, v.String()+" and worse")...)
		}
	}
	p.Facets = facetChoices(f.facet)
	p.Baselines = choices(f.baseline, "", "any baseline")
	known := f.baseline == ""
	for _, rev := range revs {
		p.Baselines = append(p.Baselines, choices(f.baseline, rev.Baseline, cut(visible(rev.Baseline), 60))...)
		known = known || rev.Baseline == f.baseline
	}
	if !known {
		p.Baselines = append(p.Baselines, choice{f.baseline, cut(visible(f.baseline), 60) + " (there is none)", true})
	}
	p.States = choices(f.state, "", "open or acknowledged", "open", "open", "acknowledged", "acknowledged", "resolved", "resolved", "all", "any state")
	p.Ages = choices(f.age, "", "at any time")
	for _, a := range ages {
		p.Ages = append(p.Ages, choices(f.age, a.name, a.text)...)
	}
}

func facetChoices(current string) []choice {
	out := choices(current, "", "any facet")
	for _, f := range inventory.Facets() {
		out = append(out, choices(current, string(f), string(f))...)
	}
	return out
}
