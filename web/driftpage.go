package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
)

type driftPage struct {
	base
	History            []happening
	Older              string // how much of the history is not shown
	ID                 string
	Severity, Facet    string
	Op, Sign, Sentence string
	Key                text
	Fields             []fieldPair
	Rows               []driftMachineRow
	Pager              pager
	Machines           string
	State              string
	Opened, LastSeen   moment
	Resolved           bool // everywhere
	Commands           []command
	Unknown            []unknownRow
	UnknownCount       string
	UnknownMore        int
}

// A fieldPair is a field with what was wanted and what is there.
type fieldPair struct {
	Name       string
	Want, Have shownValue
	Differs    bool
}

// A shownValue is a value in full. Of two short ones that differ, Before and After are what they have
// in common, and Mid what they do not.
type shownValue struct {
	None               bool // there is no such item
	Empty              bool
	Text               text
	Marked             bool
	Before, Mid, After string
}

type driftMachineRow struct {
	Machine, Href  string
	State          string
	By, Note       string // who sees to it; empty if nobody does
	ByAt           moment
	FirstSeen      moment
	Opened         moment
	LastSeen       moment
	Resolved       moment
	WasResolved    bool
	Reopened       string
	Baseline, Base string // name@revision and its address
	Labels         string
}

// A command is one to copy into a terminal.
type command struct{ What, Line string }

type unknownRow struct{ Machine, Href, Why string }

// mostUnknown is how many machines of which something is not known a page names.
const mostUnknown = 25

func (s *server) drift(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(r.PathValue("id"))
	findings, err := s.svc.Findings(r.Context(), drift.FindingQuery{})
	if err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	d, err := driftNamed(findings, id)
	if err != nil {
		return err
	}
	all, err := s.read.ListMachines(r.Context())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	now, c := s.now(), d.Change
	page := driftPage{
		base: s.base("Drift: "+cut(visible(c.Key), 60), "drift"), ID: c.ID(), Severity: c.Severity.String(), Facet: string(c.Facet),
		Op: string(c.Op), Sign: signOf(c.Op), Sentence: sentenceOf(c), State: stateText(d.Findings), Machines: count(len(d.Findings), "machine", "machines"),
	}
	page.Key = page.clip.text(c.Key, 300)
	for _, f := range c.Fields {
		page.Fields = append(page.Fields, pairOf(page.clip, f))
	}
	first, last := spanOf(d)
	page.Opened, page.LastSeen = at(first, now), at(last, now)
	history, err := s.svc.Happenings(r.Context(), d.Findings[0].ChangeID)
	if err != nil {
		return fmt.Errorf("read what befell a drift: %w", err)
	}
	for i, h := range history {
		if i == mostHappenings {
			page.Older = number(len(history) - i)
			break
		}
		page.History = append(page.History, happeningOf(page.clip, h, now))
	}
	machines := byName(all)
	from, to, pager := pageOf(r, len(d.Findings), listSize)
	page.Pager = pager
	for _, f := range d.Findings[from:to] {
		row := driftMachineRow{
			Machine: page.clip.line(f.MachineName, 80), Href: link("/machines", f.MachineName), State: string(f.State),
			FirstSeen: at(f.FirstSeen, now), Opened: at(f.OpenedAt, now), LastSeen: at(f.LastSeen, now), Resolved: at(f.ResolvedAt, now), WasResolved: !f.ResolvedAt.IsZero(),
			Labels: page.clip.line(labelText(machines[f.MachineName].Machine.Labels), 80),
		}
		if f.State == drift.Acknowledged {
			row.By, row.Note, row.ByAt = page.clip.line(f.Acknowledged.By, 60), page.clip.line(f.Acknowledged.Note, 300), at(f.Acknowledged.At, now)
		}
		if f.Reopened > 0 {
			row.Reopened = "came back " + count(f.Reopened, "time", "times")
		}
		if f.Baseline != "" {
			row.Baseline, row.Base = fmt.Sprintf("%s@%d", visible(f.Baseline), f.Revision), link("/baselines", f.Baseline)
		}
		page.Rows = append(page.Rows, row)
	}
	page.Commands, page.Resolved = commandsOf(d)
	unknown := notKnownOf(d, all)
	page.UnknownCount = count(len(unknown), "machine", "machines")
	for i, u := range unknown {
		if i == mostUnknown {
			page.UnknownMore = len(unknown) - mostUnknown
			break
		}
		page.Unknown = append(page.Unknown, unknownRow{page.clip.line(u.Machine, 80), link("/machines", u.Machine), page.clip.line(u.Why, 200)})
	}
	return s.render(w, http.StatusOK, "drift", page)
}

// shortestID is how much of an id names a drift at least: fewer digits would say yes by chance.
const shortestID = 6

// driftNamed returns the one drift whose id begins like that.
func driftNamed(findings []drift.FindingRecord, id string) (drift.Drift, error) {
	found, changes := drift.WithID(findings, id)
	switch {
	case len(id) < shortestID || changes == 0:
		return drift.Drift{}, missing(fmt.Sprintf("There is no drift %s. What is resolved is in the list under “any state”.", cut(visible(id), 80)), "/drift?state=all", "All drift")
	case changes > 1:
		return drift.Drift{}, missing(fmt.Sprintf("%s is the beginning of %d drifts: write more of it.", cut(visible(id), 80), changes), "/drift"+query("state", "all", "q", id), "All drift")
	}
	return drift.Group(found)[0], nil
}

// sentenceOf says what an operation means, for who does not know the signs.
func sentenceOf(c baseline.Change) string {
	switch c.Op {
	case baseline.Added:
		return "on the machine and not in the baseline"
	case baseline.Removed:
		return "in the baseline and not on the machine"
	}
	return "otherwise than the baseline has it"
}

// markMost is up to how many bytes two values are held against each other letter by letter.
const markMost = 300

func pairOf(clip *clipper, f baseline.FieldChange) fieldPair {
	show := func(v *string) shownValue {
		if v == nil {
			return shownValue{None: true}
		}
		return shownValue{Empty: *v == "", Text: clip.text(*v, 200)}
	}
	p := fieldPair{Name: f.Name, Want: show(f.Want), Have: show(f.Have)}
	p.Differs = f.Want == nil || f.Have == nil || *f.Want != *f.Have
	if f.Want == nil || f.Have == nil || !p.Differs || p.Want.Text.Rest != "" || p.Have.Text.Rest != "" || len(*f.Want) > markMost || len(*f.Have) > markMost {
		return p
	}
	a, b := []rune(p.Want.Text.Head), []rune(p.Have.Text.Head)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	if head+tail == 0 {
		return p // all of it differs: marks would say nothing
	}
	mark := func(v *shownValue, r []rune) {
		v.Marked, v.Before, v.Mid, v.After = true, string(r[:head]), string(r[head:len(r)-tail]), string(r[len(r)-tail:])
	}
	mark(&p.Want, a)
	mark(&p.Have, b)
	return p
}

// commandsOf are the commands that act on a drift, and whether it is resolved everywhere. Names of machines are in none: a
// name may hold anything, and people paste into shells.
func commandsOf(d drift.Drift) (out []command, resolved bool) {
	id := d.Change.ID()
	var open, acknowledged bool
	for _, f := range d.Findings {
		open = open || f.State == drift.Open
		acknowledged = acknowledged || f.State == drift.Acknowledged
	}
	if open {
		out = append(out, command{"Say that you see to it", "vmdrift drift ack " + id + ` --note "what is done about it"`})
		if len(d.Findings) > 1 {
			out = append(out, command{"The same on one of the machines", "vmdrift drift ack " + id + ` --machine NAME --note "what is done about it"`})
		}
	}
	if acknowledged {
		out = append(out, command{"Say that nobody sees to it any more", "vmdrift drift ack " + id + " --undo"})
	}
	return append(out, command{"Look at it in the terminal", "vmdrift drift show " + id}), !open && !acknowledged
}

// notKnownOf returns the machines held against the same baselines of which nobody knows whether they have the drift
// too: their silence is no answer.
func notKnownOf(d drift.Drift, all []drift.MachineRecord) []drift.Unknown {
	words := []string{string(d.Change.Facet)}
	for _, f := range d.Change.Fields {
		if d.Change.Op != baseline.Removed && d.Change.Facet.HasField(f.Name) { // of what is missed, only that it is not there counts
			words = append(words, f.Name+"=*")
		}
	}
	q, err := drift.ParseQuery(strings.Join(words, " "))
	if err != nil {
		return nil // a facet that this version does not know
	}
	has := map[string]bool{}
	for _, f := range d.Findings {
		has[f.MachineName] = f.State != drift.Resolved || has[f.MachineName]
	}
	names := baselinesOf(d)
	var ask []drift.MachineRecord
	for _, m := range all {
		if m.Here() && !has[m.Machine.Name] && slices.Contains(names, m.Baseline) {
			ask = append(ask, m)
		}
	}
	return q.Unknown(ask, time.Time{})
}

// mostHappenings is how much of a drift's history is shown.
const mostHappenings = 30

// A happening is what befell the drift at one time.
type happening struct {
	At              moment
	What, On, By    string
	Run             string // link to the run that found it; empty if none did
	RunText, Remark string
}

func happeningOf(c *clipper, h drift.Happening, now time.Time) happening {
	out := happening{At: at(h.At, now), What: string(h.Kind), On: c.line(h.Machines[0], 80), By: c.line(h.By, 60), Remark: c.line(h.Note, 200)}
	if len(h.Machines) > 1 {
		out.On = count(len(h.Machines), "machine", "machines")
	}
	if h.Run != 0 {
		out.Run, out.RunText = fmt.Sprintf("/runs/%d", h.Run), fmt.Sprintf("run %d", h.Run)
	}
	return out
}
