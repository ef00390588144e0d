package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func (a *app) machinesCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "machines", Aliases: []string{"machine"}, GroupID: "know", Short: "Show what is known of machines"})
	c.AddCommand(a.machinesList(), a.machinesShow(), a.machinesHistory(), a.machinesForget())
	return c
}

// A machineRow is a machine without its states.
type machineRow struct {
	Schema       string            `json:"schema"`
	Machine      string            `json:"machine"`
	Source       string            `json:"source"`
	NativeID     string            `json:"native_id"`
	Address      string            `json:"address"`
	Labels       map[string]string `json:"labels"`
	Outcome      string            `json:"outcome"`
	Reason       string            `json:"reason,omitempty"`
	FirstSeen    time.Time         `json:"first_seen"`
	LastTried    time.Time         `json:"last_tried"`
	LastObserved *time.Time        `json:"last_observed" jsonschema:"nullable"`
	SameAs       string            `json:"same_as,omitempty" jsonschema:"description=The machine that this is another name of."`
	GoneAt       *time.Time        `json:"gone_at,omitempty" jsonschema:"description=When its source listed it no more."`
	Baseline     string            `json:"baseline,omitempty" jsonschema:"description=What it was compared with last."`
	Drift        map[string]int    `json:"drift"`
	Facets       []facetRow        `json:"facets"`
}

type facetRow struct {
	Facet        inventory.Facet  `json:"facet"`
	Status       inventory.Status `json:"status"`
	Reason       string           `json:"reason,omitempty"`
	Missing      []string         `json:"missing,omitempty"`
	StateSince   *time.Time       `json:"state_since,omitempty"`
	StatusSince  time.Time        `json:"status_since"`
	LastObserved *time.Time       `json:"last_observed,omitempty"`
}

func machineRowOf(m drift.MachineRecord, findings []drift.FindingRecord) machineRow {
	row := machineRow{
		Schema: "vmdrift.machine/v1", Machine: m.Machine.Name, Source: m.Machine.ID.Source, NativeID: m.Machine.ID.NativeID,
		Address: m.Machine.Address, Labels: m.Machine.Labels, Outcome: string(m.Outcome), Reason: m.OutcomeReason,
		Baseline: m.Baseline, FirstSeen: m.FirstSeen, LastTried: m.LastTried, LastObserved: timeOrNil(m.LastObserved),
		SameAs: m.SameAs, GoneAt: timeOrNil(m.GoneAt), Drift: map[string]int{}, Facets: []facetRow{},
	}
	for _, f := range findings {
		if f.MachineName == m.Machine.Name {
			row.Drift[f.Change.Severity.String()]++
		}
	}
	for _, f := range m.Facets {
		last := f.LastObserved
		if f.Status.Observed() {
			last = m.LastObserved
		}
		row.Facets = append(row.Facets, facetRow{
			Facet: f.Facet, Status: f.Status, Reason: f.Reason, Missing: f.Missing,
			StateSince: timeOrNil(f.StateSince), StatusSince: f.StatusSince, LastObserved: timeOrNil(last),
		})
	}
	return row
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a *app) machinesList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List machines, how much drift they have, and when they were seen", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			ms, err := st.ListMachines(c.Context())
			if err != nil {
				return err
			}
			findings, err := svc.Findings(c.Context(), drift.FindingQuery{States: drift.Live()})
			if err != nil {
				return err
			}
			if !all {
				ms = slices.DeleteFunc(ms, func(m drift.MachineRecord) bool { return !m.Here() })
			}
			rows, cells := []machineRow{}, [][]string{}
			for _, m := range ms {
				r := machineRowOf(m, findings)
				rows = append(rows, r)
				last := ""
				if r.LastObserved != nil {
					last = r.LastObserved.UTC().Format(time.RFC3339)
				}
				cells = append(cells, []string{r.Machine, r.Source, r.Address, labelText(r.Labels), r.Outcome, driftText(r.Drift), last})
			}
			heads := []string{"machine", "source", "address", "labels", "outcome", "drift", "last_observed"}
			return a.print(listing{rows, heads, cells, func(w io.Writer) {
				if len(rows) == 0 {
					fmt.Fprintln(w, "No machine yet. Scan one: vmdrift scan root@web-1, or vmdrift scan --local")
					return
				}
				t, flush := columns(w)
				defer flush()
				fmt.Fprintln(t, "MACHINE\tLABELS\tLAST SEEN\tLAST TRY\tBASELINE\tDRIFT")
				for i, r := range rows {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Machine, either(labelText(r.Labels), "-"), when(ms[i].LastObserved, time.Now()), standing(ms[i]),
						either(r.Baseline, "-"), either(driftText(r.Drift), "-"))
				}
			}})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that their source lists no more, and other names of a machine")
	return c
}

func (a *app) machinesForget() *cobra.Command {
	return &cobra.Command{
		Use: "forget NAME...", Short: "Take machines off the list that nobody lists any more", Args: args(cobra.MinimumNArgs(1)),
		Long: `Forget takes machines off the list that no source takes away: a target that was typed
once, or a machine that stood in vmdrift.yaml or came from a source that stood there.
What was known of them is kept (machines list --all), and a scan brings them back.`,
		Example: "  vmdrift machines forget wbe-1",
		RunE: func(c *cobra.Command, names []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			ms, err := a.machinesNamed(c.Context(), st, names)
			if err != nil {
				return err
			}
			var rows []drift.MachineRow
			for _, m := range ms { // all of them, or none
				if where := a.stillListed(m.Machine.ID); where != "" {
					return fmt.Errorf("%s is listed by %s: once it is not any more, it can be forgotten", m.Machine.Name, where)
				}
				rows = append(rows, m.Row)
			}
			return svc.Forget(c.Context(), rows)
		},
	}
}

// stillListed says what in the configuration lists a machine, or may do so; empty if nothing does.
func (a *app) stillListed(id inventory.MachineID) string {
	for _, m := range a.config.Machines {
		if listedAt(m).Machine.ID == id {
			return "vmdrift.yaml"
		}
	}
	for _, s := range a.config.Sources {
		if s.Name == id.Source {
			return "source " + s.Name
		}
	}
	return ""
}

// standing is how the last try went, or why there is none any more.
func standing(m drift.MachineRecord) string {
	switch {
	case m.SameAs != "":
		return "is " + m.SameAs
	case !m.GoneAt.IsZero() && slices.Contains([]string{targetSource, configSource, localSource}, m.Machine.ID.Source):
		return "forgotten"
	case !m.GoneAt.IsZero():
		return "gone from " + m.Machine.ID.Source
	}
	return string(m.Outcome)
}

// labelText writes labels as a selector would; the implicit ones go without saying. None are "".
func labelText(labels map[string]string) string {
	var parts []string
	for _, k := range sortedKeys(labels) {
		if k != "kind" && k != "name" && k != "source" {
			parts = append(parts, k+"="+labels[k])
		}
	}
	return strings.Join(parts, ",")
}

// driftText writes "1 high, 3 low", worst first. No drift is "".
func driftText(bySeverity map[string]int) string {
	var parts []string
	for _, s := range slices.Backward(baseline.Severities()) {
		if n := bySeverity[s.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// machinesNamed returns the records of machines that somebody named, all of them.
func (a *app) machinesNamed(ctx context.Context, r drift.Reader, names []string) ([]drift.MachineRecord, error) {
	var out []drift.MachineRecord
	for _, name := range names {
		m, err := a.machine(ctx, r, name)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// machine returns the record of a machine that somebody named.
func (a *app) machine(ctx context.Context, r drift.Reader, name string) (drift.MachineRecord, error) {
	m, err := r.Machine(ctx, name)
	if errors.Is(err, drift.ErrNotFound) {
		return m, fmt.Errorf("there is no machine %s; vmdrift machines list shows those there are", name)
	}
	return m, err
}

func (a *app) machinesShow() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use: "show MACHINE", Short: "Show a machine's facets and its drift; with -o json its snapshot", Args: args(cobra.ExactArgs(1)),
		Example: `  vmdrift machines show web-1
  vmdrift machines show web-1 --at 2026-11-01 -o json > then.json`,
	}
	c.Flags().StringVar(&at, "at", "", "as it was at that `time` (2026-11-01, 2026-11-01T04:00, or RFC 3339)")
	c.RunE = func(c *cobra.Command, names []string) error {
		moment, err := parseTime(at)
		if err != nil {
			return err
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		m, err := a.machine(c.Context(), st, names[0])
		if err != nil {
			return err
		}
		if a.flags.output != "table" || !moment.IsZero() {
			snap, err := svc.SnapshotAt(c.Context(), m, moment)
			if err != nil {
				return err
			}
			return a.printSnapshot(snap)
		}
		findings, err := svc.Findings(c.Context(), drift.FindingQuery{Machines: names, States: drift.Live()})
		if err != nil {
			return err
		}
		all, err := st.ListMachines(c.Context())
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(all, func(o drift.MachineRecord) bool { return o.SameAs != m.Machine.Name })
		row := machineRowOf(m, findings)
		return a.print(listing{table: func(w io.Writer) { a.writeMachine(w, m, others, row, findings) }})
	}
	return c
}

func (a *app) writeMachine(w io.Writer, m drift.MachineRecord, others []drift.MachineRecord, row machineRow, findings []drift.FindingRecord) {
	st, now := a.style, time.Now()
	fmt.Fprintf(w, "%s  %s\n", st.bold(row.Machine), row.Address)
	fmt.Fprintf(w, "  identity   %s, %s\n", row.Source, row.NativeID)
	for _, o := range others {
		fmt.Fprintf(w, "  also       %s, %s  %s\n", o.Machine.ID.Source, o.Machine.ID.NativeID, o.Machine.Address)
	}
	if !m.Here() {
		fmt.Fprintf(w, "  %s\n", st.warn(standing(m)))
	}
	fmt.Fprintf(w, "  labels     %s\n", either(labelText(row.Labels), "-"))
	fmt.Fprintf(w, "  first seen %s, last seen %s\n", when(row.FirstSeen, now), when(m.LastObserved, now))
	fmt.Fprintf(w, "  last try   %s, %s", row.Outcome, when(row.LastTried, now))
	if row.Reason != "" {
		fmt.Fprintf(w, ": %s", row.Reason)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "FACET     STATUS       CHANGED")
	for _, f := range row.Facets {
		changed := "-"
		if f.StateSince != nil {
			changed = when(*f.StateSince, now)
		}
		fmt.Fprintf(w, "%s  %s  %s\n", pad(string(f.Facet), 8), pad(string(f.Status), 11), changed)
		reason := f.Reason
		if !f.Status.Observed() && f.LastObserved != nil { // what is known of it has an age
			reason = "as it was seen " + when(*f.LastObserved, now) + "; since then: " + either(reason, string(f.Status))
		}
		if reason != "" {
			fmt.Fprintf(w, "          %s\n", st.fold(10, reason, 10))
		}
	}
	if len(findings) == 0 {
		if m.Compared == 0 {
			fmt.Fprintln(w, "\nheld against no baseline")
		} else {
			fmt.Fprintf(w, "\nin sync with %s\n", m.Baseline)
		}
		return
	}
	fmt.Fprintf(w, "\n%s from %s@%d\n", count(len(findings), "change", "changes"), findings[0].Baseline, findings[0].Revision)
	var cs []baseline.Change
	for _, f := range findings {
		cs = append(cs, f.Change)
	}
	slices.SortStableFunc(cs, worstFirst)
	for _, c := range cs {
		st.writeChange(w, c, widthsOf(cs))
	}
}

func (a *app) machinesHistory() *cobra.Command {
	c := &cobra.Command{
		Long: `Show what changed on a machine, newest first, and when it was first seen so.
Severities are those of the built-in rules, whatever the baseline says.`,
		Use: "history MACHINE", Short: "Show what changed on a machine, and when it was first seen so", Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			m, err := a.machine(c.Context(), st, names[0])
			if err != nil {
				return err
			}
			events, err := svc.History(c.Context(), m)
			if err != nil {
				return err
			}
			out, cells := []historyRow{}, [][]string{}
			for _, e := range events {
				r := historyRow{Schema: "vmdrift.event/v1", At: e.At, Facet: e.Facet, First: e.First, Items: e.Items, Changes: []change{}}
				for _, ch := range e.Changes {
					r.Changes = append(r.Changes, changeOf(names[0], ch))
					cells = append(cells, []string{e.At.UTC().Format(time.RFC3339), string(e.Facet), ch.Key, string(ch.Op), a.style.fields(ch)})
				}
				out = append(out, r)
			}
			return a.print(listing{out, []string{"at", "facet", "key", "op", "fields"}, cells, func(w io.Writer) { a.writeHistory(w, events) }})
		},
	}
	return c
}

type historyRow struct {
	Schema  string          `json:"schema"`
	At      time.Time       `json:"at"`
	Facet   inventory.Facet `json:"facet"`
	First   bool            `json:"first,omitempty"`
	Items   int             `json:"items"`
	Changes []change        `json:"changes"`
}

func (a *app) writeHistory(w io.Writer, events []drift.Event) {
	last := ""
	for _, e := range events {
		if at := e.At.Local().Format("2006-01-02 15:04:05"); at != last {
			fmt.Fprintln(w, a.style.bold(at))
			last = at
		}
		if e.First {
			fmt.Fprintf(w, "  %s first seen, %s\n", pad(string(e.Facet), 8), count(e.Items, "item", "items"))
		}
		for _, c := range e.Changes {
			a.style.writeChange(w, c, widthsOf(e.Changes))
		}
	}
}

// parseTime reads a moment that somebody typed; empty is the zero time. A date alone is its end.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		return t.AddDate(0, 0, 1).Add(-time.Microsecond), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-11-01, 2026-11-01T04:00, or RFC 3339", s)
}
