package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
)

func driftURL(id string) string { return link("/drift", id) }

// signOf is how an operation looks in one character; its word stands beside it.
func signOf(op baseline.Op) string {
	return map[baseline.Op]string{baseline.Added: "+", baseline.Removed: "−", baseline.Changed: "~"}[op]
}

// A fieldLine is a field of a change on one line. An arrow stands between two values.
type fieldLine struct {
	Name       string
	Want, Have string
	Both       bool
}

// mostFields is how many fields of a change are worth a place on its line.
const mostFields = 6

// fieldLines tells a change's fields shortly: "version 3.0.11 → 3.0.13", or "process nc, user root".
func fieldLines(clip *clipper, c baseline.Change) []fieldLine {
	var out []fieldLine
	for _, f := range c.Fields {
		if len(out) == mostFields {
			out = append(out, fieldLine{Have: fmt.Sprintf("and %d more", len(c.Fields)-mostFields)})
			break
		}
		switch {
		case f.Want != nil && f.Have != nil:
			out = append(out, fieldLine{f.Name, clip.value(*f.Want, 60), clip.value(*f.Have, 60), true})
		case f.Have != nil && c.Notable(f.Name, *f.Have):
			out = append(out, fieldLine{Name: f.Name, Have: clip.value(*f.Have, 60)})
		case f.Want != nil && c.Notable(f.Name, *f.Want):
			out = append(out, fieldLine{Name: f.Name, Have: clip.value(*f.Want, 60)})
		}
	}
	return out
}

// fieldsText writes all fields of a change on one line, in full: for exports.
func fieldsText(c baseline.Change) string {
	parts := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		parts[i] = f.String()
	}
	return strings.Join(parts, ", ")
}

// stateText says where the findings of one drift stand, and who sees to it.
func stateText(fs []drift.FindingRecord) string {
	by, n := map[string]int{}, map[drift.FindingState]int{}
	for _, f := range fs {
		n[f.State]++
		if f.State == drift.Acknowledged {
			by[visible(f.Acknowledged.By)]++
		}
	}
	if n[drift.Resolved] == len(fs) {
		return "resolved"
	}
	if n[drift.Acknowledged] == len(fs) {
		names := slices.Sorted(maps.Keys(by))
		if len(names) > 3 {
			return fmt.Sprintf("acknowledged by %d people", len(names))
		}
		for i := range names {
			names[i] = cut(names[i], 40)
		}
		return "acknowledged by " + strings.Join(names, ", ")
	}
	var parts []string
	for _, s := range []drift.FindingState{drift.Open, drift.Acknowledged, drift.Waived, drift.Resolved} {
		switch {
		case n[s] == len(fs):
			return string(s)
		case n[s] > 0:
			parts = append(parts, fmt.Sprintf("%s on %s of %s", s, number(n[s]), number(len(fs))))
		}
	}
	return strings.Join(parts, ", ")
}

// A driftRow is one drift in a list.
type driftRow struct {
	ID, Href  string
	Severity  string
	Facet     string
	Op, Sign  string
	Key       string
	Fields    []fieldLine
	Machines  string
	Names     string // the first of them
	Opened    moment // the first of its openings
	LastSeen  moment
	State     string
	Baselines string
	New       bool // since yesterday, where a list says so
}

func rowOf(clip *clipper, d drift.Drift, now time.Time) driftRow {
	id := d.Change.ID()
	first, last := spanOf(d)
	var names []string
	for i, f := range d.Findings {
		if i == 3 && len(d.Findings) > 4 {
			names = append(names, fmt.Sprintf("and %s more", number(len(d.Findings)-3)))
			break
		}
		names = append(names, clip.line(f.MachineName, 40))
	}
	return driftRow{
		ID: id, Href: driftURL(id), Severity: d.Change.Severity.String(), Facet: string(d.Change.Facet), Op: string(d.Change.Op),
		Sign: signOf(d.Change.Op), Key: clip.line(d.Change.Key, 100), Fields: fieldLines(clip, d.Change),
		Machines: count(len(d.Findings), "machine", "machines"), Names: strings.Join(names, ", "),
		Opened: at(first, now), LastSeen: at(last, now), State: stateText(d.Findings), Baselines: clip.line(strings.Join(baselinesOf(d), ", "), 60),
	}
}

// spanOf returns when the first of a drift's findings opened, and when the last was seen.
func spanOf(d drift.Drift) (first, last time.Time) {
	first = d.Findings[0].OpenedAt
	for _, f := range d.Findings {
		if f.OpenedAt.Before(first) {
			first = f.OpenedAt
		}
		if f.LastSeen.After(last) {
			last = f.LastSeen
		}
	}
	return first, last
}

func baselinesOf(d drift.Drift) []string {
	var out []string
	for _, f := range d.Findings {
		if f.Baseline != "" && !slices.Contains(out, f.Baseline) {
			out = append(out, f.Baseline)
		}
	}
	slices.Sort(out)
	return out
}
