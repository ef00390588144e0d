package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// How much is told at most; the rest is counted.
const (
	mostDrifts   = 20
	mostMachines = 10
	mostTrouble  = 10
)

// A Message is what is told of a run, in the form that a generic webhook gets. Text in it comes from machines, and
// is as canonical text is: without control characters.
type Message struct {
	Schema   string       `json:"schema"` // vmdrift.notice/v1
	ID       string       `json:"id"`     // the same however often it is sent
	Run      int64        `json:"run"`
	Schedule string       `json:"schedule,omitempty"`
	State    string       `json:"state"`
	Started  time.Time    `json:"started"`
	Finished time.Time    `json:"finished"`
	Summary  string       `json:"summary"`         // one sentence
	Alarm    string       `json:"alarm,omitempty"` // why the run says less than it should
	Notes    []string     `json:"notes,omitempty"`
	Planned  int          `json:"planned"`
	Seen     int          `json:"seen"`
	Outcomes []OutcomeNum `json:"outcomes"`
	Opened   []News       `json:"opened"`
	Resolved []News       `json:"resolved"`
	// More counts drifts that are not in the lists, since they are many or not severe enough.
	MoreOpened   int       `json:"more_opened,omitempty"`
	MoreResolved int       `json:"more_resolved,omitempty"`
	Flapping     int       `json:"flapping,omitempty"` // findings that come and go, and came again
	Trouble      []Trouble `json:"trouble,omitempty"`
	MoreTrouble  int       `json:"more_trouble,omitempty"`
	Link         string    `json:"link,omitempty"`
}

// An OutcomeNum is how many machines ended so.
type OutcomeNum struct {
	Outcome  collector.Outcome `json:"outcome"`
	Machines int               `json:"machines"`
}

// News is one drift that is new, or gone.
type News struct {
	Drift        string          `json:"drift"` // id, as drift list shows it
	Severity     string          `json:"severity"`
	Facet        inventory.Facet `json:"facet"`
	Key          string          `json:"key"`
	Op           baseline.Op     `json:"op"`
	Text         string          `json:"text"` // one line
	Machines     []string        `json:"machines"`
	MoreMachines int             `json:"more_machines,omitempty"`
	Since        time.Time       `json:"since"`
	Baseline     string          `json:"baseline,omitempty"`
	Link         string          `json:"link,omitempty"`
}

// Trouble is a machine that was not seen, or not whole.
type Trouble struct {
	Machine string            `json:"machine"`
	Outcome collector.Outcome `json:"outcome"`
	Reason  string            `json:"reason,omitempty"`
}

func (c Channel) message(n drift.Notice, r drift.Report) Message {
	m := Message{
		Schema: "vmdrift.notice/v1", ID: fmt.Sprintf("vmdrift-%d-%d-%d", r.Run.ID, n.ID, n.MadeAt.UnixMicro()), Run: int64(r.Run.ID), Schedule: r.Run.Schedule, State: string(r.Run.State),
		Started: r.Run.StartedAt, Finished: r.Run.FinishedAt, Alarm: r.Run.Alarm(), Notes: r.Run.Notes, Planned: r.Run.Planned, Flapping: r.Flapping,
		Opened: []News{}, Resolved: []News{}, Outcomes: []OutcomeNum{},
	}
	m.Seen, _ = r.Run.Seen()
	for o, k := range r.Run.Outcomes {
		m.Outcomes = append(m.Outcomes, OutcomeNum{o, k})
	}
	slices.SortFunc(m.Outcomes, func(a, b OutcomeNum) int { return strings.Compare(string(a.Outcome), string(b.Outcome)) })
	if c.Link != "" {
		m.Link = fmt.Sprintf("%s/runs/%d", strings.TrimRight(c.Link, "/"), r.Run.ID)
	}
	m.Opened, m.MoreOpened = c.list(r.Opened)
	m.Resolved, m.MoreResolved = c.list(r.Resolved)
	trouble := r.Trouble()
	for i, t := range trouble {
		if i == mostTrouble {
			m.MoreTrouble = len(trouble) - i
			break
		}
		m.Trouble = append(m.Trouble, Trouble{t.Name, t.Outcome, t.Reason})
	}
	m.Summary = m.summary(c.news(r.Opened), c.news(r.Resolved))
	return m
}

func (c Channel) list(all []drift.Drift) ([]News, int) {
	out := []News{}
	for _, d := range c.news(all) {
		if len(out) == mostDrifts {
			break
		}
		n := News{
			Drift: d.Change.ID(), Severity: d.Change.Severity.String(), Facet: d.Change.Facet, Key: d.Change.Key, Op: d.Change.Op,
			Text: lineOf(d.Change), Since: d.FirstSeen(), Baseline: d.Findings[0].Baseline,
		}
		for i, f := range d.Findings {
			if i == mostMachines {
				n.MoreMachines = len(d.Findings) - i
				break
			}
			n.Machines = append(n.Machines, f.MachineName)
		}
		if c.Link != "" {
			n.Link = fmt.Sprintf("%s/drift/%s", strings.TrimRight(c.Link, "/"), n.Drift)
		}
		out = append(out, n)
	}
	return out, len(all) - len(out)
}

// lineOf tells a change in one line.
func lineOf(c baseline.Change) string {
	var parts []string
	for _, f := range c.Fields {
		switch {
		case f.Want != nil && f.Have != nil:
			parts = append(parts, fmt.Sprintf("%s %s, wanted %s", f.Name, *f.Have, *f.Want))
		case f.Have != nil:
			parts = append(parts, f.Name+" "+*f.Have)
		case f.Want != nil:
			parts = append(parts, fmt.Sprintf("%s wanted %s", f.Name, *f.Want))
		}
	}
	text := fmt.Sprintf("%s %s %s", c.Facet, c.Key, c.Op)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return cut(text, 300)
}

// cut keeps the beginning of text, in characters.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// summary is one sentence: what came, what went, what was seen.
func (m Message) summary(opened, resolved []drift.Drift) string {
	what := "Nothing new"
	if n := machinesOf(opened); n > 0 {
		what = fmt.Sprintf("%s on %s, worst %s", count(len(opened), "new drift", "new drifts"), count(n, "machine", "machines"), opened[0].Change.Severity)
	}
	if len(resolved) > 0 {
		what += fmt.Sprintf("; %s gone", count(len(resolved), "drift", "drifts"))
	}
	what += fmt.Sprintf("; %d of %s seen", m.Seen, count(m.Planned, "machine", "machines"))
	if m.Alarm != "" {
		what += "; ALARM: " + m.Alarm
	}
	return what + "."
}

func machinesOf(ds []drift.Drift) int {
	seen := map[string]bool{}
	for _, d := range ds {
		for _, f := range d.Findings {
			seen[f.MachineName] = true
		}
	}
	return len(seen)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// title names the run.
func (m Message) title() string {
	if m.Schedule != "" {
		return fmt.Sprintf("vmdrift: %s, run %d", m.Schedule, m.Run)
	}
	return fmt.Sprintf("vmdrift: run %d", m.Run)
}

// where names the machines of a drift, the first ones.
func (n News) where() string {
	text := strings.Join(n.Machines, ", ")
	if n.MoreMachines > 0 {
		text += fmt.Sprintf(" and %d more", n.MoreMachines)
	}
	return text
}
