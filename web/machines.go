package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
)

type machinesPage struct {
	base
	Text, Label, Sort   string
	Outcomes, Standings []choice
	Gaps, Gone          bool
	Columns             []column
	Rows                []machineRow
	Pager               pager
	Count               string
	Known               int // machines that are known at all
	Filtered            bool
}

// A machineRow is a machine in a list.
type machineRow struct {
	Name, Href string
	Labels     string
	Standing   string
	Class      string // of its colour
	Outcome    string
	Reason     string
	Gaps       string // what could not be read; empty if nothing
	LastSeen   moment
	Old        bool
	Baseline   string
	BaseHref   string
	Drift      []severityCount // worst first
	Open       string
	DriftHref  string
	Address    string
}

type severityCount struct{ Severity, Count string }

// A machineFilter is what a list of machines shows, as its URL says it.
type machineFilter struct {
	text, label, outcome, standing, sort string
	gaps, gone                           bool
	selector                             baseline.Selector
}

func parseMachineFilter(r *http.Request) (machineFilter, error) {
	q := r.URL.Query()
	f := machineFilter{
		text: typed(q.Get("q")), label: visible(strings.TrimSpace(q.Get("label"))), outcome: visible(q.Get("outcome")), standing: q.Get("standing"),
		sort: q.Get("sort"), gaps: q.Get("gaps") != "", gone: q.Get("gone") != "",
	}
	wrong := func(sentence string) (machineFilter, error) {
		return f, unreadable(sentence, "/machines", "All machines")
	}
	if !slices.Contains([]standing{"", inSync, drifted, notSeen, noBaseline}, standing(f.standing)) {
		return wrong("There is no such standing: it is in sync, drifted, not seen or no baseline.")
	}
	if !slices.Contains([]string{"", "name", "seen", "drift"}, strings.TrimPrefix(f.sort, "-")) {
		return wrong("There is no such order.")
	}
	var err error
	if f.selector, err = parseSelector(f.label); err != nil {
		return wrong(err.Error() + ".")
	}
	return f, nil
}

// needsFindings reports whether the drift of all machines has to be known before it is known which are on the page.
func (f machineFilter) needsFindings() bool {
	return f.standing == string(drifted) || f.standing == string(inSync) || strings.TrimPrefix(f.sort, "-") == "drift"
}

func (f machineFilter) shows(m drift.MachineRecord, findings int) bool {
	return (f.gone || m.Here()) &&
		(f.text == "" || contains(strings.ToLower(f.text), visible(m.Machine.Name), visible(m.Machine.Address), visible(m.Machine.ID.NativeID), labelText(m.Machine.Labels))) &&
		(f.outcome == "" || m.Here() && string(m.Outcome) == f.outcome) &&
		(f.standing == "" || m.Here() && string(standingOf(m, findings)) == f.standing) &&
		(!f.gaps || m.Here() && readInPart(m)) &&
		f.selector.Selects(m.Machine.Labels)
}

func (f machineFilter) order(a, b drift.MachineRecord, findings map[drift.MachineRow]tally) int {
	name, turned := strings.CutPrefix(f.sort, "-")
	n := 0
	switch name {
	case "seen": // who was not seen for longest comes first
		n = a.LastObserved.Compare(b.LastObserved)
	case "drift":
		x, y := findings[a.Row], findings[b.Row]
		for v := len(x) - 1; v >= 0 && n == 0; v-- {
			n = y[v] - x[v]
		}
	case "name":
		n = cmp.Compare(a.Machine.Name, b.Machine.Name)
	}
	if turned {
		n = -n
	}
	return cmp.Or(n, cmp.Compare(a.Machine.Name, b.Machine.Name))
}

func (s *server) machines(w http.ResponseWriter, r *http.Request) error {
	f, err := parseMachineFilter(r)
	if err != nil {
		return err
	}
	all, err := s.read.ListMachines(r.Context())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	findings := map[drift.MachineRow]tally{}
	if f.needsFindings() {
		if findings, err = s.liveBySeverity(r, nil); err != nil {
			return err
		}
	}
	shown := slices.DeleteFunc(slices.Clone(all), func(m drift.MachineRecord) bool { return !f.shows(m, findings[m.Row].total()) })
	slices.SortStableFunc(shown, func(a, b drift.MachineRecord) int { return f.order(a, b, findings) })

	page := machinesPage{base: s.base("Machines", "machines"), Text: f.text, Label: f.label, Sort: f.sort, Gaps: f.gaps, Gone: f.gone, Known: len(all)}
	page.Notices = blindSpots(selected(here(all), f.selector), s.now())
	page.Count = count(len(shown), "machine", "machines")
	page.Filtered = f.text+f.label+f.outcome+f.standing != "" || f.gaps
	page.Standings = choices(f.standing, "", "any standing", string(drifted), "drifted", string(inSync), "in sync", string(notSeen), "not seen", string(noBaseline), "no baseline")
	page.Outcomes = choices(f.outcome, "", "any outcome")
	outcomes := map[string]bool{f.outcome: f.outcome != ""}
	for _, m := range all {
		if m.Here() && m.Outcome != "" {
			outcomes[string(m.Outcome)] = true
		}
	}
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		if o != "" {
			page.Outcomes = append(page.Outcomes, choices(f.outcome, o, cut(visible(o), 40))...)
		}
	}
	there := func(sort string) string {
		v := r.URL.Query()
		v.Del("page")
		v.Set("sort", sort)
		return address("/machines", v)
	}
	page.Columns = columnsFor(f.sort, "name", there, sortHead{name: "name", text: "Machine", ascending: true}, sortHead{text: "Standing"},
		sortHead{name: "seen", text: "Last seen", ascending: true}, sortHead{text: "Last try"}, sortHead{text: "Baseline"}, sortHead{name: "drift", text: "Open drift"})
	from, to, pager := pageOf(r, len(shown), listSize)
	page.Pager = pager
	onPage := shown[from:to]
	if !f.needsFindings() && len(onPage) > 0 {
		if findings, err = s.liveBySeverity(r, onPage); err != nil {
			return err
		}
	}
	for _, m := range onPage {
		page.Rows = append(page.Rows, machineRowOf(page.clip, m, findings[m.Row], s.now()))
	}
	return s.render(w, http.StatusOK, "machines", page)
}

// liveBySeverity counts the live findings of those machines, or of all.
func (s *server) liveBySeverity(r *http.Request, ms []drift.MachineRecord) (map[drift.MachineRow]tally, error) {
	q := drift.FindingQuery{States: drift.Live()}
	for _, m := range ms {
		q.Machines = append(q.Machines, m.Machine.Name)
	}
	findings, err := s.svc.Findings(r.Context(), q)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	out := map[drift.MachineRow]tally{}
	for _, f := range findings {
		t := out[f.Machine]
		t[f.Change.Severity]++
		out[f.Machine] = t
	}
	return out, nil
}

func machineRowOf(clip *clipper, m drift.MachineRecord, findings tally, now time.Time) machineRow {
	row := machineRow{
		Name: clip.line(m.Machine.Name, 80), Href: link("/machines", m.Machine.Name), Labels: clip.line(labelText(m.Machine.Labels), 120),
		Standing: string(standingOf(m, findings.total())), Outcome: clip.line(outcomeText(m), 60), Reason: clip.line(m.OutcomeReason, 120),
		LastSeen: at(m.LastObserved, now), Old: now.Sub(m.LastObserved) > staleAfter, Address: clip.line(m.Machine.Address, 80),
		Open: number(findings.total()), DriftHref: link("/machines", m.Machine.Name, "#drift"),
	}
	if !m.Here() {
		row.Standing = "gone"
	}
	row.Class = strings.ReplaceAll(row.Standing, " ", "-")
	if m.Baseline != "" {
		row.Baseline, row.BaseHref = clip.line(m.Baseline, 60), link("/baselines", m.Baseline)
	}
	row.Drift = severityCounts(findings)
	var gaps []string
	for _, f := range m.Facets {
		if !whole(f) {
			gaps = append(gaps, string(f.Facet))
		}
	}
	if len(gaps) > 0 && standingOf(m, 0) != notSeen {
		row.Gaps = clip.line(strings.Join(gaps, ", "), 80) + " not read whole"
	}
	return row
}

func severityCounts(t tally) []severityCount {
	var out []severityCount
	for _, v := range slices.Backward(baseline.Severities()) {
		if t[v] > 0 {
			out = append(out, severityCount{v.String(), number(t[v])})
		}
	}
	return out
}
