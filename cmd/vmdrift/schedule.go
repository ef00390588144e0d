package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/config"
)

func (a *app) scheduleCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "schedule", GroupID: "night", Short: "Say when which machines are scanned"})
	c.AddCommand(a.scheduleList(), a.scheduleAdd(), a.schedulePause(true), a.schedulePause(false), a.scheduleRemove(), a.scheduleRunNow())
	return c
}

// A scheduleRow is one schedule.
type scheduleRow struct {
	Schema   string     `json:"schema" jsonschema:"enum=vmdrift.schedule/v1"`
	Schedule string     `json:"schedule"`
	Cron     string     `json:"cron"`
	TimeZone string     `json:"time_zone"`
	Where    string     `json:"where,omitempty"`
	Sources  []string   `json:"sources,omitempty"`
	From     string     `json:"from" jsonschema:"enum=config,enum=command"`
	Paused   bool       `json:"paused"`
	Next     *time.Time `json:"next,omitempty" jsonschema:"description=When it is due next."`
	Last     *runRow    `json:"last,omitempty" jsonschema:"description=Its last run that has ended."`
	Success  *time.Time `json:"last_success,omitempty" jsonschema:"description=When a run last finished without an alarm."`
}

func (a *app) scheduleList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the schedules: when each is due, and how its last run went", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			all, err := svc.Schedules(c.Context())
			if err != nil {
				return err
			}
			workers, err := st.Workers(c.Context())
			if err != nil {
				return err
			}
			rows, cells := []scheduleRow{}, [][]string{}
			for _, s := range all {
				r := scheduleRow{
					Schema: "vmdrift.schedule/v1", Schedule: s.Name, Cron: s.Spec.Cron, TimeZone: either(s.Spec.TimeZone, "UTC"), Where: s.Spec.Where, Sources: s.Spec.Sources,
					From: "command", Paused: s.Paused, Next: timeOrNil(s.NextAt),
				}
				if s.FromConfig {
					r.From = "config"
				}
				if s.Paused {
					r.Next = nil
				}
				if s.Last != nil {
					last := rowOfRun(*s.Last)
					r.Last = &last
				}
				if s.LastSuccess != nil {
					r.Success = &s.LastSuccess.FinishedAt
				}
				rows = append(rows, r)
				cells = append(cells, []string{r.Schedule, r.Cron, r.TimeZone, r.Where, strings.Join(r.Sources, ","), r.From, fmt.Sprint(r.Paused), nextText(s), lastText(s)})
			}
			return a.print(listing{rows, []string{"schedule", "cron", "time_zone", "where", "sources", "from", "paused", "next", "last"}, cells, func(w io.Writer) {
				if len(rows) == 0 {
					fmt.Fprintln(w, "No schedule. Add one: vmdrift schedule add nightly '0 2 * * *', or write it into vmdrift.yaml")
				} else {
					t, flush := columns(w)
					fmt.Fprintln(t, "SCHEDULE\tCRON\tZONE\tMACHINES\tNEXT\tLAST RUN")
					for i, r := range rows {
						scope := either(r.Where, "all")
						if len(r.Sources) > 0 {
							scope += " of " + strings.Join(r.Sources, ", ")
						}
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Schedule, r.Cron, r.TimeZone, scope, nextText(all[i]), lastText(all[i]))
					}
					flush()
				}
				if len(workers) == 0 {
					fmt.Fprintf(w, "\n%s\n", a.style.warn("No vmdrift serve is running, so nothing is scanned when it is due."))
				}
			}})
		},
	}
}

func nextText(s drift.Schedule) string {
	switch {
	case s.Paused:
		return "paused"
	case s.NextAt.IsZero():
		return "never again"
	}
	at := s.NextAt
	if loc, err := time.LoadLocation(s.Spec.TimeZone); err == nil {
		at = at.In(loc)
	}
	return at.Format("Mon 2006-01-02 15:04 MST")
}

func lastText(s drift.Schedule) string {
	if s.Last == nil {
		return "none yet"
	}
	text := fmt.Sprintf("%s, run %d %s, %.0f %% seen", when(s.Last.StartedAt, time.Now()), s.Last.ID, s.Last.State, 100*s.Last.Coverage())
	if s.Last.Alarm() != "" {
		text += ", ALARM"
	}
	return text
}

func (a *app) scheduleAdd() *cobra.Command {
	var spec drift.ScheduleSpec
	c := &cobra.Command{
		Use: "add NAME CRON", Short: "Add a schedule", Args: args(cobra.ExactArgs(2)),
		Long: `Add adds a schedule: a cron expression of five fields (minute, hour, day of the month,
month, day of the week) in a time zone. A night on which no vmdrift serve was up is
caught up with once. When the clocks change, a night is neither left out nor doubled.

In vmdrift.yaml the same stands under schedules.`,
		Example: `  vmdrift schedule add nightly '0 2 * * *' --time-zone Europe/Berlin
  vmdrift schedule add dmz '30 3 * * *' --where zone=dmz --deadline 2h
  vmdrift schedule add work '*/30 * * * *' --blackout '22:00-06:00' --blackout 'sat,sun 00:00-24:00'`,
	}
	f := c.Flags()
	f.StringVar(&spec.TimeZone, "time-zone", "", "`zone` of the expression and the blackouts, such as Europe/Berlin (default UTC)")
	f.StringVar(&spec.Where, "where", "", "a label `selector`: only these machines")
	f.StringSliceVar(&spec.Sources, "source", nil, "only machines that these `sources` list")
	f.IntVar(&spec.Concurrency, "concurrency", 0, "machines in flight at once in one worker (default as many as it has slots)")
	f.DurationVar(&spec.Deadline, "deadline", 0, "after which what is left is given up (default 12h)")
	f.DurationVar(&spec.Jitter, "jitter", 0, "a run begins up to that much later")
	f.StringArrayVar(&spec.Blackouts, "blackout", nil, "when nothing is scanned: 22:00-06:00, 'mon,fri 08:00-18:00' or 2026-12-24/2027-01-02")
	f.Float64Var(&spec.MinCoverage, "min-coverage", 0, "the share of machines below which a run raises the alarm (default 0.9)")
	c.RunE = func(c *cobra.Command, names []string) error {
		if err := config.CheckName(names[0]); err != nil {
			return err
		}
		spec.Cron = names[1]
		svc, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		s, err := svc.AddSchedule(c.Context(), names[0], spec)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "schedule %s is due next on %s\n", s.Name, nextText(s))
		return nil
	}
	return c
}

func (a *app) schedulePause(pause bool) *cobra.Command {
	verb, short, done := "resume", "Let a paused schedule go on, from now", "goes on"
	if pause {
		verb, short, done = "pause", "Keep a schedule from coming due", "is paused"
	}
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			svc, _, err := a.open(c.Context())
			if err != nil {
				return err
			}
			if err := svc.ChangeSchedule(c.Context(), names[0], pause); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "schedule %s %s\n", names[0], done)
			return nil
		},
	}
}

func (a *app) scheduleRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a schedule that was added by command; its runs stay", Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			svc, _, err := a.open(c.Context())
			if err != nil {
				return err
			}
			return svc.RemoveSchedule(c.Context(), names[0])
		},
	}
}

func (a *app) scheduleRunNow() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "run-now NAME", Short: "Begin a run of a schedule at once, whatever its times and blackouts say", Args: args(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&watch, "watch", false, "show its progress until it ends")
	c.RunE = func(c *cobra.Command, names []string) error {
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		run, err := svc.RunNow(c.Context(), names[0], author())
		if err != nil {
			return err
		}
		workers, err := st.Workers(c.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "run %d is planned\n", run.ID)
		if len(workers) == 0 {
			fmt.Fprintln(a.stderr, "no vmdrift serve is running: it begins when one is")
		}
		if !watch {
			return nil
		}
		if err := a.watchRun(c.Context(), svc, run.ID); err != nil {
			return err
		}
		return a.showRun(c.Context(), svc, st, run.ID, false)
	}
	return c
}

// A workerRow is one process that scans.
type workerRow struct {
	Schema   string    `json:"schema" jsonschema:"enum=vmdrift.worker/v1"`
	Worker   string    `json:"worker"`
	Zones    []string  `json:"zones"`
	Slots    int       `json:"slots"`
	Version  string    `json:"version"`
	Draining bool      `json:"draining"`
	Started  time.Time `json:"started"`
	Seen     time.Time `json:"seen" jsonschema:"description=When it last said that it lives."`
}

func (a *app) workersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "workers", GroupID: "night", Short: "List the processes that plan and scan", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			all, err := st.Workers(c.Context())
			if err != nil {
				return err
			}
			rows, cells := []workerRow{}, [][]string{}
			for _, w := range all {
				rows = append(rows, workerRow{"vmdrift.worker/v1", w.Name, w.Zones, w.Slots, w.Version, w.Draining, w.StartedAt, w.SeenAt})
				cells = append(cells, []string{w.Name, strings.Join(w.Zones, ","), fmt.Sprint(w.Slots), w.Version, fmt.Sprint(w.Draining), w.SeenAt.UTC().Format(time.RFC3339)})
			}
			return a.print(listing{rows, []string{"worker", "zones", "slots", "version", "draining", "seen"}, cells, func(out io.Writer) {
				if len(rows) == 0 {
					fmt.Fprintln(out, "No worker. vmdrift serve is one.")
					return
				}
				t, flush := columns(out)
				defer flush()
				fmt.Fprintln(t, "WORKER\tZONES\tSLOTS\tVERSION\tUP SINCE\tSEEN")
				for _, w := range rows {
					seen := when(w.Seen, time.Now())
					if w.Draining {
						seen += ", stopping"
					}
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", w.Worker, either(strings.Join(w.Zones, ", "), "(scans nothing)"), w.Slots, w.Version, when(w.Started, time.Now()), seen)
				}
			}})
		},
	}
}
