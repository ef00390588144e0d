package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

type searchPage struct {
	base
	Query, At    string
	Asked        bool
	IsQuery      bool   // it was read as a question about items
	Wrong        string // why it could not be, though it begins like one
	Facet        string
	Hits         []hitRow
	Items, On    string
	Pager        pager
	Unknown      []unknownRow
	UnknownCount string
	UnknownMore  int
	Machines     []machineRow
	MachinesMore int
	MachinesHref string
	Drifts       []driftRow
	DriftsMore   int
	DriftHref    string
	Facets       string
}

type hitRow struct {
	Machine, Href string
	Key           string
	Fields        []fieldLine
	Since         moment
}

// mostFound is how many machines and drifts a search shows: the lists have the rest.
const mostFound = 20

// search answers from one box: who has an item, which machines are called so, and which drift says it.
func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	asIs := strings.TrimSpace(r.URL.Query().Get("q"))
	q := typed(asIs)
	page := searchPage{base: s.base("Search", "search"), Query: q, At: visible(r.URL.Query().Get("at")), Asked: q != ""}
	page.Search = q
	var names []string
	for _, f := range inventory.Facets() {
		names = append(names, string(f))
	}
	page.Facets = strings.Join(names, ", ")
	if !page.Asked {
		return s.render(w, http.StatusOK, "search", page)
	}
	moment, err := parseAt(page.At)
	if err != nil {
		return unreadable(err.Error()+".", "/search"+query("q", q), "The same, now")
	}
	all, err := s.read.ListMachines(r.Context())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	word, rest, _ := strings.Cut(q, " ")
	asked, err := drift.ParseQuery(asIs)
	isFacet := inventory.Facet(word).Known() || inventory.Facet(strings.TrimSuffix(word, "s")).Known() || inventory.Facet(word+"s").Known()
	switch {
	case err == nil && strings.TrimSpace(rest) != "":
		page.IsQuery, page.Facet = true, string(asked.Facet)
		if err := s.find(r, &page, asked, moment, all); err != nil {
			return err
		}
	case err == nil: // every item of every machine is no answer
		page.Wrong = fmt.Sprintf("Say what about the %s: %s name=… for one.", asked.Facet, asked.Facet)
		if asked.Facet == inventory.Ports {
			page.Wrong = "Say what about the ports: ports port=2375 for one."
		}
	case isFacet && strings.ContainsAny(rest, "=<>"):
		page.Wrong = "As a question about items it cannot be read: " + visible(err.Error()) + "."
	}
	if !page.IsQuery {
		page.Notices = blindSpots(here(all), s.now())
		if err := s.findText(r, &page, q, all); err != nil {
			return err
		}
	}
	return s.render(w, http.StatusOK, "search", page)
}

// find answers a question about items, and says of which machines the answer is not known.
func (s *server) find(r *http.Request, page *searchPage, q drift.Query, moment time.Time, all []drift.MachineRecord) error {
	hits, err := s.svc.Find(r.Context(), q, moment)
	if err != nil {
		return fmt.Errorf("find items: %w", err)
	}
	now, machines := s.now(), map[string]bool{}
	for _, h := range hits {
		machines[h.Machine] = true
	}
	page.Items, page.On = count(len(hits), "item", "items"), count(len(machines), "machine", "machines")
	from, to, pager := pageOf(r, len(hits), listSize)
	page.Pager = pager
	for _, h := range hits[from:to] {
		row := hitRow{
			Machine: page.clip.line(h.Machine, 80), Key: page.clip.line(h.Item.Key(), 100), Since: at(h.Since, now),
			Href: link("/machines", h.Machine, query("facet", page.Facet, "q", cut(h.Item.Key(), 200), "at", page.At), "#items"),
		}
		for f := range h.Item.Fields() {
			row.Fields = append(row.Fields, fieldLine{Name: f.Name, Have: page.clip.value(f.Value, 60)})
		}
		page.Hits = append(page.Hits, row)
	}
	unknown := q.Unknown(all, moment)
	page.UnknownCount = count(len(unknown), "machine", "machines")
	for i, u := range unknown {
		if i == mostUnknown {
			page.UnknownMore = len(unknown) - mostUnknown
			break
		}
		page.Unknown = append(page.Unknown, unknownRow{page.clip.line(u.Machine, 80), link("/machines", u.Machine), page.clip.line(u.Why, 200)})
	}
	return nil
}

// findText looks for machines that are called so, and for drift that says so.
func (s *server) findText(r *http.Request, page *searchPage, q string, all []drift.MachineRecord) error {
	f := machineFilter{text: q}
	var found []drift.MachineRecord
	for _, m := range all {
		if f.shows(m, 0) {
			found = append(found, m)
		}
	}
	exact := func(m drift.MachineRecord) int { return btoi(!strings.EqualFold(m.Machine.Name, q)) }
	slices.SortStableFunc(found, func(a, b drift.MachineRecord) int { return cmp.Compare(exact(a), exact(b)) })
	page.MachinesHref = "/machines" + query("q", q)
	page.MachinesMore = max(len(found)-mostFound, 0)
	found = found[:min(len(found), mostFound)]
	findings := map[drift.MachineRow]tally{}
	if len(found) > 0 {
		var err error
		if findings, err = s.liveBySeverity(r, found); err != nil {
			return err
		}
	}
	for _, m := range found {
		page.Machines = append(page.Machines, machineRowOf(page.clip, m, findings[m.Row], s.now()))
	}
	drifts, err := s.driftsOf(r, driftFilter{text: q}, all)
	if err != nil {
		return err
	}
	page.DriftHref = "/drift" + query("q", q)
	page.DriftsMore = max(len(drifts)-mostFound, 0)
	for _, d := range drifts[:min(len(drifts), mostFound)] {
		page.Drifts = append(page.Drifts, rowOf(page.clip, d, s.now()))
	}
	return nil
}
