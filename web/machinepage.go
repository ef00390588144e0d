package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

type machinePage struct {
	base
	Name                string
	Row                 machineRow
	Source, NativeID    string
	Address             string
	FirstSeen, LastTry  moment
	Others              []alias
	At                  string // what was asked for; empty for now
	AtMoment            moment
	Here, HistoryHref   string // addresses
	SnapshotHref        string
	Facets              []facetRow
	Items               *itemTable
	Drift               []driftRow
	DriftMore           int
	DriftHref           string // all of it, as a list
	NoDrift             string // why there is none
	DriftCount          string
	Events              []eventRow
	EventsMore          bool
	GoneText, GoneSince string
}

type alias struct{ Source, NativeID string }

// A facetRow is one facet of a machine.
type facetRow struct {
	Facet, Href string
	Status      string
	Words       string
	Whole       bool
	Items       string // how many; empty if none were ever seen
	Changed     moment
	Drift       []severityCount
	Current     bool
}

// An eventRow is what a scan found changed in one facet.
type eventRow struct {
	At      moment
	Facet   string
	First   string // "12 items", if it was seen for the first time
	Changes []changeRow
	More    int
}

type changeRow struct {
	Op, Sign, Key string
	Fields        []fieldLine
}

const (
	mostDrift   = 30 // of one machine on its page
	mostEvents  = 10
	mostChanges = 12 // of one event
)

// machineNamed returns the machine that the URL names.
func (s *server) machineNamed(r *http.Request) (drift.MachineRecord, error) {
	name := r.PathValue("name")
	m, err := s.read.Machine(r.Context(), name)
	if errors.Is(err, drift.ErrNotFound) {
		return m, missing(fmt.Sprintf("There is no machine %s.", cut(visible(name), 80)), "/machines", "All machines")
	}
	if err != nil {
		return m, fmt.Errorf("read machine %q: %w", name, err)
	}
	return m, nil
}

// moment reads ?at=, and refuses a time from which nothing is known of the machine. Zero is now. Since is from
// when each facet was as it was at that time.
func (s *server) moment(r *http.Request, m drift.MachineRecord) (_ time.Time, since map[inventory.Facet]time.Time, _ error) {
	here := link("/machines", m.Machine.Name)
	t, err := parseAt(r.URL.Query().Get("at"))
	if err != nil {
		return t, nil, unreadable(err.Error()+".", here, "The machine as it is now")
	}
	if t.IsZero() {
		return t, nil, nil
	}
	stretches, err := s.read.History(r.Context(), m.Row)
	if err != nil {
		return t, nil, fmt.Errorf("read the history of %q: %w", m.Machine.Name, err)
	}
	since = map[inventory.Facet]time.Time{}
	for _, st := range stretches { // oldest first
		if !st.From.After(t) {
			since[st.Facet] = st.From
		}
	}
	if len(since) == 0 {
		return t, nil, missing(fmt.Sprintf("%s had not been seen at %s; it became known on %s.", visible(m.Machine.Name), t.Format(exactForm),
			m.FirstSeen.UTC().Format(exactForm)), here, "The machine as it is now")
	}
	return t, since, nil
}

func (s *server) machine(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), s.now()
	m, err := s.machineNamed(r)
	if err != nil {
		return err
	}
	moment, since, err := s.moment(r, m)
	if err != nil {
		return err
	}
	snap, err := s.svc.SnapshotAt(ctx, m, moment)
	if err != nil {
		return fmt.Errorf("read the snapshot of %q: %w", m.Machine.Name, err)
	}
	findings, err := s.findingsAt(r, m, moment)
	if err != nil {
		return err
	}
	aliases, err := s.read.Aliases(ctx)
	if err != nil {
		return fmt.Errorf("read aliases: %w", err)
	}

	page := machinePage{base: s.base(cut(visible(m.Machine.Name), 80), "machines"), Name: cut(visible(m.Machine.Name), 200)}
	page.identify(m, aliases, now)
	page.Row = machineRowOf(page.clip, m, tallyOf(findings), now)
	page.At, page.AtMoment = visible(r.URL.Query().Get("at")), at(moment, now)
	page.HistoryHref = link("/machines", m.Machine.Name, "/history")
	page.SnapshotHref = link("/machines", m.Machine.Name, "/snapshot.json", query("at", page.At))
	page.Notices = machineNotices(m, moment, now)
	page.list(r, m, snap, findings, since, now)

	slices.SortStableFunc(findings, func(a, b drift.FindingRecord) int { return cmp.Compare(b.Change.Severity, a.Change.Severity) })
	page.DriftHref = "/drift" + query("machine", visible(m.Machine.Name))
	page.DriftCount = count(len(findings), "change", "changes")
	for i, f := range findings {
		if i == mostDrift {
			page.DriftMore = len(findings) - mostDrift
			break
		}
		row := rowOf(page.clip, drift.Drift{Change: f.Change, Findings: []drift.FindingRecord{f}}, now)
		if !f.ResolvedAt.IsZero() { // it was there then
			row.State = "resolved " + at(f.ResolvedAt, now).Text
		}
		page.Drift = append(page.Drift, row)
	}
	switch {
	case len(findings) > 0:
	case !moment.IsZero():
		page.NoDrift = "No drift of that time is on record."
	case m.Compared == 0:
		page.NoDrift = "It is held against no baseline, so nothing of it is drift."
	case standingOf(m, 0) == notSeen:
		page.NoDrift = "None was known when it was last seen. Since then nobody knows."
	case readInPart(m):
		page.NoDrift = "In sync with " + visible(m.Baseline) + " as far as it could be read."
	default:
		page.NoDrift = "In sync with " + visible(m.Baseline) + "."
	}
	if moment.IsZero() {
		events, err := s.svc.History(ctx, m)
		if err != nil {
			return fmt.Errorf("read the history of %q: %w", m.Machine.Name, err)
		}
		page.EventsMore = len(events) > mostEvents
		page.Events = eventRows(page.clip, events[:min(len(events), mostEvents)], now)
	}
	return s.render(w, http.StatusOK, "machine", page)
}

// findingsAt returns the findings that were there at a time, or are there now. Of one that came back, only its
// last stay is known.
func (s *server) findingsAt(r *http.Request, m drift.MachineRecord, moment time.Time) ([]drift.FindingRecord, error) {
	q := drift.FindingQuery{Machines: []string{m.Machine.Name}}
	if moment.IsZero() {
		q.States = drift.Live()
	}
	findings, err := s.svc.Findings(r.Context(), q)
	if err != nil {
		return nil, fmt.Errorf("read findings of %q: %w", m.Machine.Name, err)
	}
	if moment.IsZero() {
		return findings, nil
	}
	return slices.DeleteFunc(findings, func(f drift.FindingRecord) bool {
		return f.OpenedAt.After(moment) || !f.ResolvedAt.IsZero() && !f.ResolvedAt.After(moment)
	}), nil
}

func tallyOf(findings []drift.FindingRecord) (t tally) {
	for _, f := range findings {
		t[f.Change.Severity]++
	}
	return t
}

// identify says which machine it is, and where else it is listed.
func (p *machinePage) identify(m drift.MachineRecord, aliases []drift.Alias, now time.Time) {
	p.Source, p.NativeID = p.clip.line(m.Machine.ID.Source, 80), p.clip.line(m.Machine.ID.NativeID, 120)
	p.Address = p.clip.line(m.Machine.Address, 120)
	p.FirstSeen, p.LastTry = at(m.FirstSeen, now), at(m.LastTried, now)
	p.Here = link("/machines", m.Machine.Name)
	for _, a := range aliases {
		if a.Into.ID == m.Machine.ID {
			p.Others = append(p.Others, alias{p.clip.line(a.ID.Source, 80), p.clip.line(a.ID.NativeID, 120)})
		}
	}
}

// list fills in the facets, and the items of the one that is chosen.
func (p *machinePage) list(r *http.Request, m drift.MachineRecord, snap inventory.Snapshot, findings []drift.FindingRecord, since map[inventory.Facet]time.Time, now time.Time) {
	past := since != nil
	chosen := inventory.Facet(r.URL.Query().Get("facet"))
	if chosen == "" {
		chosen = inventory.OS
		if _, ok := snap.Observation(chosen); !ok && len(snap.Observations) > 0 {
			chosen = snap.Observations[0].Facet
		}
	}
	drifts := map[inventory.Facet]map[string]drift.FindingRecord{}
	for _, f := range findings {
		if drifts[f.Change.Facet] == nil {
			drifts[f.Change.Facet] = map[string]drift.FindingRecord{}
		}
		if old, ok := drifts[f.Change.Facet][f.Change.Key]; !ok || old.Change.Severity < f.Change.Severity {
			drifts[f.Change.Facet][f.Change.Key] = f
		}
	}
	for _, f := range m.Facets {
		o, known := snap.Observation(f.Facet)
		if past && !known {
			continue
		}
		row := facetRow{
			Facet: string(f.Facet), Status: string(f.Status), Whole: whole(f), Current: f.Facet == chosen, Changed: at(f.StateSince, now),
			Href: p.Here + query("facet", string(f.Facet), "at", p.At) + "#items",
		}
		last := f.LastObserved
		if f.Status.Observed() {
			last = m.LastObserved
		}
		row.Words = p.clip.line(gapText(f, last, now), 300)
		if past {
			row.Changed = at(since[f.Facet], now)
			row.Status, row.Words, row.Whole = "from history", "as it was read then; how much of it could be read is not kept", true
		}
		if o.State != nil {
			row.Items = number(o.State.Len())
		}
		var t tally
		for _, x := range findings {
			if x.Change.Facet == f.Facet {
				t[x.Change.Severity]++
			}
		}
		row.Drift = severityCounts(t)
		p.Facets = append(p.Facets, row)
		if f.Facet == chosen && o.State != nil {
			p.Items = tableOf(r, p.clip, o.State, o.Missing, drifts[f.Facet])
		}
	}
}

// machineNotices says what is wrong with what is known of the machine.
func machineNotices(m drift.MachineRecord, moment, now time.Time) []notice {
	var out []notice
	add := func(level, text, href, link string) { out = append(out, notice{level, text, href, link}) }
	here := link("/machines", m.Machine.Name)
	if !moment.IsZero() {
		add("note", "This is the machine as it was at "+moment.Format(exactForm)+". How well it could be read then is not kept.", here, "As it is now")
		return out
	}
	switch {
	case m.SameAs != "":
		add("note", "This is another name of "+visible(m.SameAs)+", which has its drift.", link("/machines", m.SameAs), "Go there")
	case !m.GoneAt.IsZero():
		add("warn", "It is "+outcomeText(m)+" since "+at(m.GoneAt, now).Text+": what is shown is as it was seen last.", "", "")
	case m.LastObserved.IsZero():
		add("bad", "It was never seen: "+outcomeText(m)+". Nothing is known of it.", "", "")
	case standingOf(m, 0) == notSeen:
		add("bad", "It was not seen when last tried, "+at(m.LastTried, now).Text+": "+outcomeText(m)+". What is shown is as it was seen "+at(m.LastObserved, now).Text+".", "", "")
	case now.Sub(m.LastObserved) > staleAfter:
		add("warn", "It was last looked at "+at(m.LastObserved, now).Text+".", "", "")
	}
	if m.Here() && standingOf(m, 0) != notSeen && readInPart(m) {
		add("warn", "It could be read only in part: what could not be read is not known to be in sync.", "#facets", "What")
	}
	return out
}

func eventRows(clip *clipper, events []drift.Event, now time.Time) []eventRow {
	var out []eventRow
	for _, e := range events {
		row := eventRow{At: at(e.At, now), Facet: string(e.Facet)}
		if e.First {
			row.First = count(e.Items, "item", "items")
		}
		for i, c := range e.Changes {
			if i == mostChanges {
				row.More = len(e.Changes) - mostChanges
				break
			}
			row.Changes = append(row.Changes, changeRow{string(c.Op), signOf(c.Op), clip.line(c.Key, 100), fieldLines(clip, c)})
		}
		out = append(out, row)
	}
	return out
}

type historyPage struct {
	base
	Name, Href string
	Events     []eventRow
	Pager      pager
}

// historySize is how many events a page of a machine's history has.
const historySize = 40

func (s *server) history(w http.ResponseWriter, r *http.Request) error {
	m, err := s.machineNamed(r)
	if err != nil {
		return err
	}
	events, err := s.svc.History(r.Context(), m)
	if err != nil {
		return fmt.Errorf("read the history of %q: %w", m.Machine.Name, err)
	}
	page := historyPage{base: s.base("History of "+cut(visible(m.Machine.Name), 80), "machines"), Name: cut(visible(m.Machine.Name), 200), Href: link("/machines", m.Machine.Name)}
	page.Notices = machineNotices(m, time.Time{}, s.now())
	from, to, pager := pageOf(r, len(events), historySize)
	page.Pager, page.Events = pager, eventRows(page.clip, events[from:to], s.now())
	return s.render(w, http.StatusOK, "history", page)
}

// snapshot is a machine's snapshot as JSON, now or at a time.
func (s *server) snapshot(w http.ResponseWriter, r *http.Request) error {
	m, err := s.machineNamed(r)
	if err != nil {
		return err
	}
	moment, _, err := s.moment(r, m)
	if err != nil {
		return err
	}
	snap, err := s.svc.SnapshotAt(r.Context(), m, moment)
	if err != nil {
		return fmt.Errorf("read the snapshot of %q: %w", m.Machine.Name, err)
	}
	labels := map[string]string{}
	for k, v := range snap.Machine.Labels {
		labels[visible(k)] = visible(v)
	}
	snap.Machine = inventory.Machine{
		ID:   inventory.MachineID{Source: visible(snap.Machine.ID.Source), NativeID: visible(snap.Machine.ID.NativeID)},
		Name: visible(snap.Machine.Name), Address: visible(snap.Machine.Address), Labels: labels,
	}
	return sendJSON(w, "snapshot.json", snap)
}

// ItemsPart is the page's table of items.
func (p machinePage) ItemsPart() itemsPart {
	return itemsPart{Table: p.Items, Here: p.Here, At: p.At, Drifts: true}
}
