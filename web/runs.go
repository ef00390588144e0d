package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// A runRow is a run in a list.
type runRow struct {
	ID       int64
	Trigger  string
	State    string
	Level    string // how its state is to be taken: "good", "warn", "bad" or "note"
	Started  moment
	Took     string // or since when it is running
	Seen     string
	Planned  string
	Share    string // of the planned that were seen, in percent
	Rest     string // how the rest of the bar is to be taken: "unseen", or "none" while it is running
	Outcomes []outcomeCount
	Missed   string // planned and not tried; empty if none, or while it runs
	Href     string
	Alarm    string // why it saw less than it should; empty if it did not
}

type outcomeCount struct {
	Outcome string
	Count   string
	Good    bool
	Href    string
}

// mostRuns is how many runs the list shows.
const mostRuns = 100

type runsPage struct {
	base
	Schedules []scheduleRow
	Rows      []runRow
	More      bool
}

// A scheduleRow is a schedule: when it is due, and how its last run went.
type scheduleRow struct {
	Name, Cron, Zone, Scope string
	Next                    moment
	Paused                  bool
	Last                    *runRow // nil if none has ended
	Success                 moment
}

func (s *server) runs(w http.ResponseWriter, r *http.Request) error {
	runs, err := s.read.ListRuns(r.Context(), mostRuns+1)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	page := runsPage{base: s.base("Runs", "runs")}
	schedules, err := s.svc.Schedules(r.Context())
	if err != nil {
		return fmt.Errorf("read schedules: %w", err)
	}
	for _, sched := range schedules {
		page.Schedules = append(page.Schedules, scheduleRowOf(sched, s.now()))
	}
	if len(runs) > 0 {
		for _, n := range runNotices(runs, s.now()) {
			n.Href = "" // it is here
			page.Notices = append(page.Notices, n)
		}
	}
	if len(runs) > mostRuns {
		runs, page.More = runs[:mostRuns], true
	}
	for _, run := range runs {
		page.Rows = append(page.Rows, runRowOf(run, s.now()))
	}
	return s.render(w, http.StatusOK, "runs", page)
}

func scheduleRowOf(sched drift.Schedule, now time.Time) scheduleRow {
	row := scheduleRow{
		Name: cut(visible(sched.Name), 60), Cron: visible(sched.Spec.Cron), Zone: visible(sched.Spec.TimeZone), Scope: "all machines", Paused: sched.Paused, Next: at(sched.NextAt, now),
	}
	if row.Zone == "" {
		row.Zone = "UTC"
	}
	if sched.Spec.Where != "" {
		row.Scope = cut(visible(sched.Spec.Where), 80)
	}
	if len(sched.Spec.Sources) > 0 {
		row.Scope += " of " + cut(visible(strings.Join(sched.Spec.Sources, ", ")), 80)
	}
	if sched.Last != nil {
		last := runRowOf(*sched.Last, now)
		row.Last = &last
	}
	if sched.LastSuccess != nil {
		row.Success = at(sched.LastSuccess.FinishedAt, now)
	}
	return row
}

func runRowOf(r drift.Run, now time.Time) runRow {
	row := runRow{
		Rest: "unseen", Href: fmt.Sprintf("/runs/%d", r.ID),
		ID: int64(r.ID), Trigger: cut(visible(r.Trigger), 40), State: string(r.State), Started: at(r.StartedAt, now),
		Seen: number(seenBy(r)), Planned: number(r.Planned), Share: percent(seenBy(r), r.Planned),
	}
	switch r.State {
	case drift.RunFinished:
		row.Level = "good"
		if seenBy(r) < r.Planned {
			row.Level = "note"
		}
	case drift.RunCancelled:
		row.Level = "warn"
	case drift.RunRunning, drift.RunPlanned:
		row.Level = "note"
	default:
		row.Level = "bad"
	}
	if r.State == drift.RunPlanned {
		row.Rest, row.Took = "none", "not begun"
	} else if r.FinishedAt.IsZero() {
		row.Rest = "none"
		row.Took = "running for " + lasted(now.Sub(r.StartedAt))
	} else {
		row.Took = lasted(r.FinishedAt.Sub(r.StartedAt))
		if n := r.Planned - r.Recorded(); n > 0 {
			row.Missed = number(n)
		}
	}
	if r.Queued {
		row.Alarm = visible(r.Alarm())
	}
	for _, o := range slices.Sorted(maps.Keys(r.Outcomes)) {
		if r.Outcomes[o] > 0 {
			row.Outcomes = append(row.Outcomes, outcomeCount{string(o), number(r.Outcomes[o]), o == collector.OK, "/machines" + query("outcome", string(o))})
		}
	}
	slices.SortStableFunc(row.Outcomes, func(a, b outcomeCount) int { // what went well first
		switch {
		case a.Good && !b.Good:
			return -1
		case b.Good && !a.Good:
			return 1
		}
		return 0
	})
	return row
}
