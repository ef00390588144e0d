package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

type overviewPage struct {
	base
	Empty     bool   // nothing was ever scanned
	Headline  string // the whole in one sentence
	Run       runRow
	Machines  []part // by standing
	Total     string // machines
	Severity  []part // open drift
	Drifts    string
	DriftsOn  string
	Facets    []facetBar
	New       []driftRow // without those that are in First
	NewCount  string
	NewAbove  int // that are in First
	NewHref   string
	First     []driftRow // what needs a person first
	Unclaimed int
	Trend     *trend
	Heat      *heat
}

// A facetBar is the open drift of one facet.
type facetBar struct {
	Facet, Href string
	Count       string
	Parts       []part
	Width       string // of the facet with most
}

// mostRows is how many drifts the overview shows of a kind.
const mostRows = 8

func (s *server) overview(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), s.now()
	all, err := s.read.ListMachines(ctx)
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	runs, err := s.read.ListRuns(ctx, 20)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	findings, err := s.svc.Findings(ctx, drift.FindingQuery{})
	if err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	ms := here(all)
	page := overviewPage{base: s.base("Overview", "overview")}
	page.Empty = len(runs) == 0 && len(ms) == 0
	if !page.Empty {
		page.Notices = append(runNotices(runs, now), blindSpots(ms, now)...)
	}
	if len(runs) > 0 {
		page.Run = runRowOf(runs[0], now)
	}

	var live []drift.FindingRecord
	perMachine := map[drift.MachineRow]int{}
	for _, f := range findings {
		if slices.Contains(drift.Live(), f.State) {
			live = append(live, f)
			perMachine[f.Machine]++
		}
	}
	page.Machines, page.Total = machineParts(ms, perMachine), count(len(ms), "machine", "machines")

	drifts := drift.Group(live)
	page.Drifts, page.DriftsOn = number(len(drifts)), count(len(perMachine), "machine", "machines")
	page.Severity, page.Facets = severityParts(drifts, ""), facetBars(drifts)
	var fresh []drift.FindingRecord
	since := now.Add(-24 * time.Hour)
	for _, f := range live {
		if f.OpenedAt.After(since) {
			fresh = append(fresh, f)
		}
	}
	newest := drift.Group(fresh)
	page.NewCount, page.NewHref = number(len(newest)), "/drift?age=24h"
	isNew, above := map[drift.ChangeID]bool{}, map[drift.ChangeID]bool{}
	for _, d := range newest {
		isNew[d.Findings[0].ChangeID] = true
	}
	for _, d := range drifts {
		unclaimed := slices.ContainsFunc(d.Findings, func(f drift.FindingRecord) bool { return f.State == drift.Open })
		if !unclaimed || d.Change.Severity < baseline.Medium {
			continue
		}
		if page.Unclaimed++; page.Unclaimed <= mostRows {
			row := rowOf(page.clip, d, now)
			row.New = isNew[d.Findings[0].ChangeID]
			above[d.Findings[0].ChangeID] = true
			page.First = append(page.First, row)
		}
	}
	for _, d := range newest {
		switch {
		case above[d.Findings[0].ChangeID]:
			page.NewAbove++
		case len(page.New) < mostRows:
			page.New = append(page.New, rowOf(page.clip, d, now))
		}
	}
	page.Headline = headline(drifts, len(newest), runs)
	if !page.Empty {
		page.Trend = trendOf(findings, firstKnown(ms), now)
		page.Heat = heatOf(ms, live, r.URL.Query().Get("by"))
	}
	return s.render(w, http.StatusOK, "overview", page)
}

// headline answers the morning's question in one sentence: how bad, how new, how much of it was seen.
func headline(drifts []drift.Drift, fresh int, runs []drift.Run) string {
	var n tally
	for _, d := range drifts {
		n[d.Change.Severity]++
	}
	out := "No open drift is known"
	switch bad := n[baseline.Critical] + n[baseline.High]; {
	case n[baseline.Critical] > 0 && n[baseline.High] > 0:
		out = fmt.Sprintf("%s critical and %s high drift", number(n[baseline.Critical]), number(n[baseline.High]))
	case n[baseline.Critical] > 0:
		out = number(bad) + " critical drift"
	case bad > 0:
		out = number(bad) + " high drift"
	case len(drifts) > 0:
		out = "Nothing high or critical among " + count(len(drifts), "drift", "drifts")
	}
	if len(drifts) > 0 {
		out += ", " + number(fresh) + " new in 24 hours"
	}
	if len(runs) > 0 && runs[0].Planned > 0 {
		out += fmt.Sprintf("; %s of %s seen", number(seenBy(runs[0])), count(runs[0].Planned, "machine", "machines"))
	}
	return out
}

// firstKnown is when the first of the machines became known.
func firstKnown(ms []drift.MachineRecord) time.Time {
	var first time.Time
	for _, m := range ms {
		if first.IsZero() || m.FirstSeen.Before(first) {
			first = m.FirstSeen
		}
	}
	return first
}

// machineParts counts machines by standing, each in one place.
func machineParts(ms []drift.MachineRecord, findings map[drift.MachineRow]int) []part {
	n := map[standing]int{}
	for _, m := range ms {
		n[standingOf(m, findings[m.Row])]++
	}
	var parts []part
	for _, p := range []struct {
		standing
		class string
	}{{drifted, "drifted"}, {notSeen, "unseen"}, {noBaseline, "none"}, {inSync, "sync"}} {
		parts = append(parts, part{Name: string(p.standing), N: n[p.standing], Class: p.class, Href: "/machines" + query("standing", string(p.standing))})
	}
	return stack(parts)
}

// severityParts counts drifts by severity, worst first; of one facet, if it is not empty.
func severityParts(drifts []drift.Drift, facet inventory.Facet) []part {
	var n tally
	for _, d := range drifts {
		if facet == "" || d.Change.Facet == facet {
			n[d.Change.Severity]++
		}
	}
	var parts []part
	for _, v := range slices.Backward(baseline.Severities()) {
		parts = append(parts, part{
			Name: v.String(), N: n[v], Class: v.String(), Href: "/drift" + query("severity", v.String(), "facet", string(facet)),
		})
	}
	return stack(parts)
}

func facetBars(drifts []drift.Drift) []facetBar {
	n, most := map[inventory.Facet]int{}, 0
	for _, d := range drifts {
		n[d.Change.Facet]++
		most = max(most, n[d.Change.Facet])
	}
	facets := slices.SortedFunc(maps.Keys(n), func(a, b inventory.Facet) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
	var out []facetBar
	for _, f := range facets {
		out = append(out, facetBar{
			Facet: string(f), Href: "/drift" + query("facet", string(f)), Count: number(n[f]), Parts: severityParts(drifts, f), Width: percent(n[f], most),
		})
	}
	return out
}

// runNotices says what is wrong with the last run, if anything is.
func runNotices(runs []drift.Run, now time.Time) []notice {
	if len(runs) == 0 {
		return []notice{{Level: "warn", Text: "No run is on record: what is known of machines was put in by hand."}}
	}
	if len(runs) > 1 && runs[0].State == drift.RunPlanned { // it has seen nothing, and changed nothing
		runs = runs[1:]
	}
	last, since := runs[0], at(runs[0].StartedAt, now).Text
	var out []notice
	add := func(level, format string, args ...any) {
		out = append(out, notice{Level: level, Text: fmt.Sprintf(format, args...), Href: "/runs", Link: "Runs"})
	}
	switch last.State {
	case drift.RunInterrupted:
		add("bad", "The last run, begun %s, was interrupted: its process died. What it had not reached is as it was seen before.", since)
	case drift.RunCancelled:
		add("warn", "The last run, begun %s, was cancelled: what it had not reached is as it was seen before.", since)
	case drift.RunOverdue:
		add("bad", "The last run, begun %s, did not end in time: what it had not reached is as it was seen before.", since)
	case drift.RunRunning:
		add("note", "A run is going on, begun %s: what is shown changes as it goes.", since)
	}
	if ago := now.Sub(last.StartedAt); ago > staleAfter {
		add("bad", "The last run began %s: what is shown is no longer tonight's.", since)
	}
	if seen, tried := seenBy(last), last.Recorded(); last.State.Ended() && last.Planned > 0 && seen < last.Planned {
		level := "warn"
		if (last.Planned-seen)*10 >= last.Planned*3 {
			level = "bad"
		}
		text := fmt.Sprintf("The last run saw %s of %s.", number(seen), count(last.Planned, "machine", "machines"))
		if tried < last.Planned {
			text = fmt.Sprintf("The last run saw %s of %s, and did not come to %s.", number(seen), count(last.Planned, "machine", "machines"), number(last.Planned-tried))
		}
		add(level, "%s", text)
	}
	return out
}

// seenBy is how many machines a run saw, at least in part.
func seenBy(r drift.Run) int {
	seen, _ := r.Seen()
	return seen
}
