package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func (a *app) runCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "run", Aliases: []string{"runs"}, GroupID: "night", Short: "Show the runs, how much they saw, and end or resume one"})
	c.AddCommand(a.runList(), a.runShow(), a.runWatch(),
		a.runChange("cancel", "End a run of a schedule; what was scanned stays", (*drift.Service).CancelRun),
		a.runChange("resume", "Let a cancelled or overdue run go on with what it lacks", (*drift.Service).ResumeRun))
	return c
}

// A runRow is one scan of a scope.
type runRow struct {
	Schema    string                    `json:"schema" jsonschema:"enum=vmdrift.run/v1"`
	Run       drift.RunID               `json:"run"`
	Trigger   string                    `json:"trigger" jsonschema:"description=What asked for it: scan or capture or the schedule."`
	Schedule  string                    `json:"schedule,omitempty"`
	State     drift.RunState            `json:"state" jsonschema:"enum=planned,enum=running,enum=finished,enum=cancelled,enum=overdue,enum=interrupted"`
	Due       *time.Time                `json:"due,omitempty" jsonschema:"description=When it was due by its schedule."`
	Started   time.Time                 `json:"started"`
	Finished  *time.Time                `json:"finished,omitempty"`
	Deadline  *time.Time                `json:"deadline,omitempty"`
	Planned   int                       `json:"planned" jsonschema:"description=How many machines it was to scan."`
	Outcomes  map[collector.Outcome]int `json:"outcomes" jsonschema:"description=How many machines ended how."`
	Coverage  *float64                  `json:"coverage,omitempty" jsonschema:"description=The share of machines that were seen; of those that are not switched off."`
	Alarm     string                    `json:"alarm,omitempty" jsonschema:"description=Why it says less of its scope than it should."`
	Notes     []string                  `json:"notes,omitempty"`
	Opened    int                       `json:"opened"`
	Resolved  int                       `json:"resolved"`
	Facets    []drift.FacetCoverage     `json:"facets,omitempty"`
	Machines  []runMachineRow           `json:"machines,omitempty"`
	NoticesTo []noticeRow               `json:"notices,omitempty"`
}

type runMachineRow struct {
	Machine string            `json:"machine"`
	Outcome collector.Outcome `json:"outcome" jsonschema:"description=Empty: not tried (yet)."`
	Reason  string            `json:"reason,omitempty"`
	Seconds float64           `json:"seconds"`
}

type noticeRow struct {
	Channel string     `json:"channel"`
	Sent    *time.Time `json:"sent,omitempty"`
	Tries   int        `json:"tries"`
	GivenUp bool       `json:"given_up,omitempty"`
	Error   string     `json:"error,omitempty"`
}

func rowOfRun(r drift.Run) runRow {
	out := runRow{
		Schema: "vmdrift.run/v1", Run: r.ID, Trigger: r.Trigger, Schedule: r.Schedule, State: r.State, Due: timeOrNil(r.DueAt), Started: r.StartedAt,
		Finished: timeOrNil(r.FinishedAt), Deadline: timeOrNil(r.Deadline), Planned: r.Planned, Outcomes: r.Outcomes, Alarm: alarmOf(r), Notes: r.Notes,
		Opened: r.Opened, Resolved: r.Resolved, Facets: r.Facets,
	}
	if r.State.Ended() {
		c := r.Coverage()
		out.Coverage = &c
	}
	return out
}

// alarmOf is the alarm of a run of a schedule: whoever scans by hand sees what they get.
func alarmOf(r drift.Run) string {
	if !r.Queued {
		return ""
	}
	return r.Alarm()
}

func (a *app) runList() *cobra.Command {
	var limit int
	var schedule string
	c := &cobra.Command{Use: "list", Short: "List the latest runs: when, how many machines, how they went", Args: args(cobra.NoArgs)}
	c.Flags().IntVar(&limit, "limit", 20, "at most that many")
	c.Flags().StringVar(&schedule, "schedule", "", "only those of that `schedule`, among the latest")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 {
			return fmt.Errorf("--limit is at least 1, not %d", limit)
		}
		_, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		runs, err := st.ListRuns(c.Context(), limit)
		if err != nil {
			return err
		}
		runs = slices.DeleteFunc(runs, func(r drift.Run) bool { return schedule != "" && r.Schedule != schedule })
		rows, cells := []runRow{}, [][]string{}
		for _, r := range runs {
			rows = append(rows, rowOfRun(r))
			cells = append(cells, []string{fmt.Sprint(r.ID), r.Trigger, string(r.State), r.StartedAt.UTC().Format(time.RFC3339), strconv.Itoa(r.Planned), outcomeText(r), alarmOf(r)})
		}
		return a.print(listing{rows, []string{"run", "trigger", "state", "started", "planned", "outcomes", "alarm"}, cells, func(w io.Writer) {
			if len(runs) == 0 {
				fmt.Fprintln(w, "No run yet. Scan a machine: vmdrift scan root@web-1, or vmdrift scan --local; or have it done every night: vmdrift schedule add --help")
				return
			}
			t, flush := columns(w)
			defer flush()
			fmt.Fprintln(t, "RUN\tWHAT\tSTATE\tSTARTED\tTOOK\tMACHINES")
			for _, r := range runs {
				text := outcomeText(r)
				if why := alarmOf(r); why != "" {
					text += "  ALARM: " + why
				}
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Trigger, r.State, when(r.StartedAt, time.Now()), tookText(r), text)
			}
		}})
	}
	return c
}

func tookText(r drift.Run) string {
	if r.FinishedAt.IsZero() {
		return "-"
	}
	return r.FinishedAt.Sub(r.StartedAt).Round(10 * time.Millisecond).String()
}

// outcomeText writes "3 of 4: 2 ok, 1 unreachable".
func outcomeText(r drift.Run) string {
	var parts []string
	for _, o := range slices.Sorted(maps.Keys(r.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.Outcomes[o], o))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("0 of %d", r.Planned)
	}
	return fmt.Sprintf("%d of %d: %s", r.Recorded(), r.Planned, strings.Join(parts, ", "))
}

// runNumber reads the number of a run.
func runNumber(text string) (drift.RunID, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 1 {
		return 0, fmt.Errorf("%q is no number of a run; vmdrift run list shows them", text)
	}
	return drift.RunID(id), nil
}

func (a *app) runShow() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "show RUN", Short: "Show how much a run saw, facet by facet, and which machines it did not", Args: args(cobra.ExactArgs(1)),
		Long: `Show tells of one run: its state, how many machines ended how, how well each facet
was seen, what is new in it, and every machine that was not seen, or not whole.

Exit status: 0, or 1 if the run raised the alarm: it saw less than it should have.`,
	}
	c.Flags().BoolVar(&all, "all", false, "those machines too that were seen whole")
	c.RunE = func(c *cobra.Command, names []string) error {
		id, err := runNumber(names[0])
		if err != nil {
			return err
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		return a.showRun(c.Context(), svc, st, id, all)
	}
	return c
}

// showRun prints a run, with the machines that were seen whole too if all is set.
func (a *app) showRun(ctx context.Context, svc *drift.Service, st *store.Store, id drift.RunID, all bool) error {
	run, err := svc.Run(ctx, id)
	if err != nil {
		return err
	}
	machines, err := svc.RunMachines(ctx, id)
	if err != nil {
		return err
	}
	notices, err := svc.Notices(ctx, id)
	if err != nil {
		return err
	}
	workers, err := st.Workers(ctx)
	if err != nil {
		return err
	}
	row, cells := rowOfRun(run), [][]string{}
	for _, m := range machines {
		if !all && m.Outcome == collector.OK {
			continue
		}
		row.Machines = append(row.Machines, runMachineRow{m.Name, m.Outcome, m.Reason, m.Took.Seconds()})
		cells = append(cells, []string{m.Name, string(m.Outcome), m.Reason, fmt.Sprintf("%.3f", m.Took.Seconds())})
	}
	for _, n := range notices {
		row.NoticesTo = append(row.NoticesTo, noticeRow{n.Channel, timeOrNil(n.SentAt), n.Tries, n.GivenUp, n.Error})
	}
	err = a.print(listing{row, []string{"machine", "outcome", "reason", "seconds"}, cells, func(w io.Writer) { a.writeRun(w, run, row, machines, workers) }})
	if err == nil && alarmOf(run) != "" {
		err = exitStatus(exitDrift)
	}
	return err
}

func (a *app) writeRun(w io.Writer, run drift.Run, row runRow, machines []drift.RunMachine, workers []drift.Worker) {
	st := a.style
	state := string(run.State)
	if run.State == drift.RunFinished {
		state = st.good(state)
	} else if run.State.Ended() {
		state = st.alarm(state)
	}
	fmt.Fprintf(w, "%s  %s, %s", st.bold(fmt.Sprintf("run %d", run.ID)), run.Trigger, state)
	if !run.FinishedAt.IsZero() {
		fmt.Fprintf(w, " in %s", tookText(run))
	}
	fmt.Fprintf(w, "\n  started %s", when(run.StartedAt, time.Now()))
	if !run.DueAt.IsZero() {
		fmt.Fprintf(w, ", due %s", run.DueAt.Local().Format("2006-01-02 15:04"))
	}
	if !run.State.Ended() && !run.Deadline.IsZero() {
		fmt.Fprintf(w, ", given up at %s", run.Deadline.Local().Format("2006-01-02 15:04"))
	}
	fmt.Fprintf(w, "\n  %s\n", outcomeText(run))
	if run.State.Ended() {
		seen, of := run.Seen()
		fmt.Fprintf(w, "  seen: %d of %d that are not switched off (%.0f %%)", seen, of, 100*run.Coverage())
		if run.Queued {
			fmt.Fprintf(w, "; %s, %s", count(run.Opened, "finding opened", "findings opened"), count(run.Resolved, "resolved", "resolved"))
		}
		fmt.Fprintln(w)
	}
	if why := alarmOf(run); why != "" {
		fmt.Fprintf(w, "  %s\n", st.alarm("ALARM: "+why))
	}
	for _, n := range run.Notes {
		fmt.Fprintf(w, "  %s\n", st.warn(st.fold(2, n, 2)))
	}
	for _, text := range unworked(run, machines, workers) {
		fmt.Fprintf(w, "  %s\n", st.warn(text))
	}
	if len(run.Facets) > 0 {
		fmt.Fprintln(w)
		t, flush := columns(w)
		fmt.Fprintln(t, "  FACET\tCOMPLETE\tPARTIAL\tDENIED\tFAILED\tNOT THERE")
		for _, f := range run.Facets {
			fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\t%d\n", f.Facet, f.Status[inventory.Complete], f.Status[inventory.Partial], f.Status[inventory.Denied], f.Status[inventory.Failed], f.Status[inventory.Unsupported])
		}
		flush()
	}
	if len(row.Machines) > 0 {
		fmt.Fprintln(w)
		t, flush := columns(w)
		fmt.Fprintln(t, "  MACHINE\tOUTCOME\tTOOK\tWHY")
		for i, m := range row.Machines {
			if i == mostRunMachines {
				fmt.Fprintf(t, "  … and %d more; -o csv lists them all\t\t\t\n", len(row.Machines)-i)
				break
			}
			outcome := either(string(m.Outcome), "not tried")
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", m.Machine, outcome, time.Duration(m.Seconds*float64(time.Second)).Round(time.Millisecond), m.Reason)
		}
		flush()
	}
	for _, n := range row.NoticesTo {
		switch {
		case n.Sent != nil:
			fmt.Fprintf(w, "  told %s, %s\n", n.Channel, when(*n.Sent, time.Now()))
		case n.GivenUp:
			fmt.Fprintf(w, "  %s\n", st.alarm(fmt.Sprintf("could not tell %s: %s", n.Channel, n.Error)))
		default:
			fmt.Fprintf(w, "  %s\n", st.warn(fmt.Sprintf("has yet to tell %s (tried %s) %s", n.Channel, count(n.Tries, "time", "times"), n.Error)))
		}
	}
}

// mostRunMachines is how many machines of a run are worth a line each.
const mostRunMachines = 50

// unworked says which machines of a running run wait for a worker that is not there.
func unworked(run drift.Run, machines []drift.RunMachine, workers []drift.Worker) []string {
	if run.State.Ended() || !run.Queued {
		return nil
	}
	if len(workers) == 0 {
		return []string{"no vmdrift serve is running: nothing goes on"}
	}
	have := map[string]bool{}
	for _, w := range workers {
		for _, z := range w.Zones {
			have[z] = true
		}
	}
	lack := map[string]int{}
	for _, m := range machines {
		if z := drift.ZoneOf(m.Labels); m.Outcome == "" && !have[z] {
			lack[z]++
		}
	}
	var out []string
	for _, z := range sortedKeys(lack) {
		out = append(out, fmt.Sprintf("%s in zone %s, for which there is no worker: vmdrift work --zone %s", count(lack[z], "machine is", "machines are"), z, z))
	}
	return out
}

func (a *app) runWatch() *cobra.Command {
	return &cobra.Command{
		Use: "watch [RUN]", Short: "Show a run's progress live, with an estimate, until it ends", Args: args(cobra.MaximumNArgs(1)),
		Long: `Watch shows the progress of a run (the latest that goes on, if none is named) until it
ends, and then what run show shows. Ctrl-C ends the watching, not the run.`,
		RunE: func(c *cobra.Command, names []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			var id drift.RunID
			if len(names) == 1 {
				if id, err = runNumber(names[0]); err != nil {
					return err
				}
			} else {
				runs, err := st.ListRuns(c.Context(), 100)
				if err != nil {
					return err
				}
				for _, r := range runs {
					if !r.State.Ended() {
						id = r.ID
						break
					}
				}
				if id == 0 {
					return fmt.Errorf("no run goes on; vmdrift schedule run-now NAME begins one")
				}
			}
			if err := a.watchRun(c.Context(), svc, id); err != nil {
				return err
			}
			return a.showRun(c.Context(), svc, st, id, false)
		},
	}
}

// watchRun returns when the run has ended.
func (a *app) watchRun(ctx context.Context, svc *drift.Service, id drift.RunID) error {
	var bar progress
	told, shown := drift.RunState(""), 0
	for t := time.NewTicker(500 * time.Millisecond); ; {
		run, err := svc.Run(ctx, id)
		if err != nil {
			return err
		}
		if run.State != told {
			told = run.State
			switch {
			case run.State == drift.RunPlanned:
				fmt.Fprintf(a.stderr, "run %d is planned and has not begun\n", id)
			case run.State == drift.RunRunning:
				bar = a.newProgress(run.Planned)
				if bar.bar == nil {
					fmt.Fprintf(a.stderr, "run %d scans %s\n", id, count(run.Planned, "machine", "machines"))
				}
			}
		}
		for ; shown < run.Recorded(); shown++ {
			bar.add()
		}
		if run.State.Ended() {
			bar.done()
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			bar.done()
			return ctx.Err()
		}
	}
}

func (a *app) runChange(verb, short string, change func(*drift.Service, context.Context, drift.RunID) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " RUN", Short: short, Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			id, err := runNumber(names[0])
			if err != nil {
				return err
			}
			svc, _, err := a.open(c.Context())
			if err != nil {
				return err
			}
			if err := change(svc, c.Context(), id); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "run %d: %s\n", id, map[string]string{"cancel": "cancelled", "resume": "goes on, as soon as a vmdrift serve is up"}[verb])
			return nil
		},
	}
}
