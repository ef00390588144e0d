package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

type baselinesPage struct {
	base
	Rows []revisionRow
}

// A revisionRow is a revision in a list.
type revisionRow struct {
	Name, Href string
	Number     int
	Selector   string // empty: it applies only where it is named
	Items      string
	At         moment
	Author     string
	Reason     text
	Machines   string // held against it now
	MachinesOf string // their address
	Current    bool
	Latest     bool
}

func (s *server) baselines(w http.ResponseWriter, r *http.Request) error {
	revs, err := s.read.Baselines(r.Context())
	if err != nil {
		return fmt.Errorf("read baselines: %w", err)
	}
	all, err := s.read.ListMachines(r.Context())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	held := map[string]int{}
	for _, m := range here(all) {
		held[m.Baseline]++
	}
	page := baselinesPage{base: s.base("Baselines", "baselines")}
	for _, n := range blindSpots(here(all), s.now()) {
		if strings.Contains(n.Href, "baseline") { // the rest is about scans
			page.Notices = append(page.Notices, n)
		}
	}
	for _, rev := range revs {
		row := revisionRowOf(page.clip, rev, s.now())
		row.Machines = count(held[rev.Baseline], "machine", "machines")
		page.Rows = append(page.Rows, row)
	}
	return s.render(w, http.StatusOK, "baselines", page)
}

func revisionRowOf(clip *clipper, r drift.Revision, now time.Time) revisionRow {
	items := 0
	for _, fs := range r.Spec.Facets {
		items += fs.Items.Len()
	}
	return revisionRow{
		Name: clip.line(r.Baseline, 80), Href: link("/baselines", r.Baseline), Number: r.Number, Selector: clip.line(r.Spec.Selector, 200),
		Items: number(items), At: at(r.At, now), Author: clip.line(r.Author, 80), Reason: clip.text(r.Reason, 200),
	}
}

type baselinePage struct {
	base
	Name        string
	Revision    revisionRow
	Defaults    string
	Digest      string
	Revisions   []revisionRow
	Facets      []baselineFacet
	NotCompared string
	Items       *itemTable
	Rules       []ruleRow
	Here        string
	DriftHref   string
	Machines    string
	Export      string // the command that prints all of it
	Asked       string // the revision that the URL names; empty for the latest
}

// ItemsPart is the page's table of items.
func (p baselinePage) ItemsPart() itemsPart {
	return itemsPart{Table: p.Items, Here: p.Here, Revision: p.Asked}
}

type baselineFacet struct {
	Facet, Href, Items, Rules string
	Mode, Words               string
	Current                   bool
}

// A ruleRow is a rule in words: what it is about, and what it decides.
type ruleRow struct{ Facet, About, Decides string }

func (s *server) baseline(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	revs, err := s.read.Revisions(r.Context(), name)
	if errors.Is(err, drift.ErrNotFound) {
		return missing(fmt.Sprintf("There is no baseline %s.", cut(visible(name), 80)), "/baselines", "All baselines")
	}
	if err != nil {
		return fmt.Errorf("read revisions of %q: %w", name, err)
	}
	rev := revs[0]
	if want := r.URL.Query().Get("revision"); want != "" {
		number, err := strconv.Atoi(want)
		i := slices.IndexFunc(revs, func(v drift.Revision) bool { return v.Number == number })
		if err != nil || i < 0 {
			return missing(fmt.Sprintf("Baseline %s has no revision %s; its latest is %d.", visible(name), cut(visible(want), 20), revs[0].Number),
				link("/baselines", name), "Its latest revision")
		}
		rev = revs[i]
	}
	all, err := s.read.ListMachines(r.Context())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	held := 0
	for _, m := range here(all) {
		if m.Baseline == name {
			held++
		}
	}
	page := baselinePage{
		base: s.base("Baseline "+cut(visible(name), 80), "baselines"), Name: cut(visible(name), 200), Defaults: rev.Spec.Defaults,
		Asked: r.URL.Query().Get("revision"), Digest: rev.Digest.String(), Here: link("/baselines", name), Machines: count(held, "machine", "machines"), DriftHref: "/drift" + query("baseline", name),
		Export: fmt.Sprintf("vmdrift baseline export %s", shell(fmt.Sprintf("%s@%d", visible(name), rev.Number))),
	}
	page.Revision = revisionRowOf(page.clip, rev, s.now())
	if rev.Number != revs[0].Number {
		page.Notices = append(page.Notices, notice{"note", fmt.Sprintf("This is revision %d. Machines are held against revision %d.", rev.Number, revs[0].Number), page.Here, "The latest"})
	}
	for i, v := range revs {
		if i == listSize {
			break
		}
		row := revisionRowOf(page.clip, v, s.now())
		row.Href, row.Current, row.Latest = page.Here+query("revision", strconv.Itoa(v.Number)), v.Number == rev.Number, i == 0
		page.Revisions = append(page.Revisions, row)
	}
	page.content(r, rev)
	return s.render(w, http.StatusOK, "baseline", page)
}

// content fills in what the revision says.
func (p *baselinePage) content(r *http.Request, rev drift.Revision) {
	chosen := inventory.Facet(r.URL.Query().Get("facet"))
	facets := slices.Sorted(maps.Keys(rev.Spec.Facets))
	if chosen == "" && len(facets) > 0 {
		chosen = facets[0]
	}
	for _, f := range facets {
		fs := rev.Spec.Facets[f]
		row := baselineFacet{
			Facet: string(f), Mode: string(fs.Mode), Items: number(fs.Items.Len()), Current: f == chosen,
			Href: p.Here + query("revision", r.URL.Query().Get("revision"), "facet", string(f)) + "#items", Words: "what is not in it is drift",
		}
		if fs.Mode == baseline.Open {
			row.Words = "only what is in it matters"
		}
		if len(fs.Rules) > 0 {
			row.Rules = count(len(fs.Rules), "rule", "rules")
		}
		p.Facets = append(p.Facets, row)
		for i, rule := range fs.Rules {
			if len(p.Rules) < 2*listSize {
				about, decides := ruleWords(rule)
				p.Rules = append(p.Rules, ruleRow{fmt.Sprintf("%s %d", f, i+1), p.clip.line(about, 300), p.clip.line(decides, 300)})
			}
		}
		if f == chosen {
			p.Items = tableOf(r, p.clip, fs.Items, nil, nil)
		}
	}
	var not []string
	for _, f := range inventory.Facets() {
		if _, ok := rev.Spec.Facets[f]; !ok && f != inventory.Presence { // which is held against itself, in every baseline
			not = append(not, string(f))
		}
	}
	p.NotCompared = strings.Join(not, ", ")
}

// ruleWords tells a rule: what it is about, and what it decides.
func ruleWords(r baseline.Rule) (about, decides string) {
	var parts []string
	parts = append(parts, either(r.Match, "every item"))
	if len(r.Ops) > 0 {
		ops := make([]string, len(r.Ops))
		for i, op := range r.Ops {
			ops[i] = string(op)
		}
		parts = append(parts, "if "+strings.Join(ops, " or "))
	}
	for _, field := range slices.Sorted(maps.Keys(r.Where)) {
		parts = append(parts, "where "+field+" is "+r.Where[field])
	}
	for _, field := range slices.Sorted(maps.Keys(r.Was)) {
		parts = append(parts, "where "+field+" was to be "+r.Was[field])
	}
	if r.Field != "" {
		parts = append(parts, "in the field "+r.Field)
	}
	if r.Gained != "" {
		parts = append(parts, "having gained "+r.Gained)
	}
	var does []string
	if r.Ignore != nil {
		does = append(does, map[bool]string{true: "is ignored", false: "counts"}[*r.Ignore])
	}
	if r.Severity != nil {
		does = append(does, "is "+r.Severity.String())
	}
	if r.Any {
		does = append(does, "any value is right")
	}
	if len(r.OneOf) > 0 {
		does = append(does, "one of "+strings.Join(r.OneOf, ", ")+" is right")
	}
	if r.Regexp != "" {
		does = append(does, "what matches "+r.Regexp+" is right")
	}
	if r.AtLeast != "" {
		does = append(does, r.AtLeast+" or later is right")
	}
	if r.Below != "" {
		does = append(does, "earlier than "+r.Below+" is right")
	}
	return strings.Join(parts, ", "), strings.Join(does, ", ")
}
