package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

type runPage struct {
	base
	Run      runRow
	Due      moment
	Deadline moment
	Ended    bool
	Queued   bool // by a schedule, so that what it opened is known
	Notes    []string
	Opened   []runDrift
	Resolved []runDrift
	Flapping string
	Facets   []runFacet
	Machines []runMachine
	Whole    string // machines that were seen whole, which are not in Machines
	Pager    pager
	Told     []told
}

// A runDrift is a drift that a run opened or resolved.
type runDrift struct{ Severity, Facet, Op, Key, Href, Machines string }

// A runFacet is how well a facet was seen, in machines; an empty number is none.
type runFacet struct{ Facet, Complete, Partial, Denied, Failed, Unsupported string }

type runMachine struct{ Name, Href, Outcome, Reason, Took string }

type told struct {
	Channel, Text string
	Bad           bool
}

// mostDrifts is how many drifts of a run are listed.
const mostDrifts = 100

func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil || id < 1 {
		return missing("Runs have numbers.", "/runs", "All runs")
	}
	report, err := s.svc.Report(r.Context(), drift.RunID(id))
	if errors.Is(err, drift.ErrNotFound) {
		return missing(fmt.Sprintf("There is no run %d.", id), "/runs", "All runs")
	}
	if err != nil {
		return fmt.Errorf("read run %d: %w", id, err)
	}
	notices, err := s.svc.Notices(r.Context(), drift.RunID(id))
	if err != nil {
		return fmt.Errorf("read the notices of run %d: %w", id, err)
	}
	run, now := report.Run, s.now()
	page := runPage{
		base: s.base(fmt.Sprintf("Run %d", id), "runs"), Run: runRowOf(run, now), Due: at(run.DueAt, now), Deadline: at(run.Deadline, now),
		Ended: run.State.Ended(), Queued: run.Queued,
	}
	if page.Run.Alarm != "" {
		page.Notices = append(page.Notices, notice{Level: "bad", Text: "Alarm: " + page.Run.Alarm + ". Nothing that was not seen was closed."})
	}
	for _, n := range run.Notes {
		page.Notices = append(page.Notices, notice{Level: "warn", Text: cut(visible(n), 500)})
	}
	page.Opened, page.Resolved = runDrifts(page.clip, report.Opened), runDrifts(page.clip, report.Resolved)
	if report.Flapping > 0 {
		page.Flapping = count(report.Flapping, "finding comes and goes, and came again", "findings come and go, and came again")
	}
	for _, f := range run.Facets {
		n := func(st inventory.Status) string {
			if f.Status[st] == 0 {
				return ""
			}
			return number(f.Status[st])
		}
		page.Facets = append(page.Facets, runFacet{string(f.Facet), n(inventory.Complete), n(inventory.Partial), n(inventory.Denied), n(inventory.Failed), n(inventory.Unsupported)})
	}
	var rest []drift.RunMachine
	for _, m := range report.Machines {
		if m.Outcome != collector.OK {
			rest = append(rest, m)
		}
	}
	if n := len(report.Machines) - len(rest); n > 0 {
		page.Whole = count(n, "machine was seen whole", "machines were seen whole")
	}
	from, to, pager := pageOf(r, len(rest), listSize)
	page.Pager = pager
	for _, m := range rest[from:to] {
		row := runMachine{Name: page.clip.line(m.Name, 80), Href: link("/machines", m.Name), Outcome: string(m.Outcome), Reason: page.clip.line(m.Reason, 300)}
		if row.Outcome == "" {
			row.Outcome = "not tried"
			if !page.Ended {
				row.Outcome = "not yet"
			}
		} else {
			row.Took = m.Took.Round(10 * time.Millisecond).String()
		}
		page.Machines = append(page.Machines, row)
	}
	for _, n := range notices {
		t := told{Channel: cut(visible(n.Channel), 60)}
		switch {
		case !n.SentAt.IsZero():
			t.Text = "told " + at(n.SentAt, now).Text
		case n.GivenUp:
			t.Text, t.Bad = "could not be told: "+cut(visible(n.Error), 200), true
		default:
			t.Text = fmt.Sprintf("not told yet, tried %s. %s", count(n.Tries, "time", "times"), cut(visible(n.Error), 200))
		}
		page.Told = append(page.Told, t)
	}
	return s.render(w, http.StatusOK, "run", page)
}

func runDrifts(c *clipper, all []drift.Drift) []runDrift {
	var out []runDrift
	for _, d := range all[:min(len(all), mostDrifts)] {
		out = append(out, runDrift{
			Severity: d.Change.Severity.String(), Facet: string(d.Change.Facet), Op: string(d.Change.Op), Key: c.line(d.Change.Key, 120),
			Href: link("/drift", d.Change.ID()), Machines: count(len(d.Findings), "machine", "machines"),
		})
	}
	return out
}
