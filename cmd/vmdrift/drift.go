package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func (a *app) driftCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "drift", GroupID: "know", Short: "Show the drift that is open, and say who sees to it"})
	c.AddCommand(a.driftList(), a.driftShow(), a.driftAck())
	return c
}

func (a *app) driftList() *cobra.Command {
	var machines, facets []string
	var severity string
	var all, unclaimed bool
	c := &cobra.Command{
		Use: "list", Short: "List drift: each change once, with the machines that have it", Args: args(cobra.NoArgs),
		Long: `List shows each change once, worst first, with the machines that have it and since
when. JSON, YAML and CSV have one entry per change and machine.

Exit status: 0 no drift, 1 drift, 2 trouble.`,
		Example: `  vmdrift drift list --severity high
  vmdrift drift list --machine web-1 -o json`,
	}
	f := c.Flags()
	f.StringSliceVar(&machines, "machine", nil, "only these `machines`")
	f.StringSliceVar(&facets, "facet", nil, "only these `facets`")
	f.StringVar(&severity, "severity", "info", "only this `severity` and worse: info, low, medium, high or critical")
	f.BoolVar(&all, "all", false, "also what is resolved")
	f.BoolVar(&unclaimed, "open", false, "only what nobody has acknowledged")
	c.MarkFlagsMutuallyExclusive("all", "open")
	_ = c.RegisterFlagCompletionFunc("facet", cobra.FixedCompletions(facetNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions([]string{"info", "low", "medium", "high", "critical"}, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, _ []string) error {
		least, err := baseline.ParseSeverity(severity)
		if err != nil {
			return fmt.Errorf("--severity: %w", err)
		}
		q := drift.FindingQuery{Machines: machines, States: drift.Live()}
		switch {
		case all:
			q.States = nil
		case unclaimed:
			q.States = []drift.FindingState{drift.Open}
		}
		for _, f := range facets {
			if !inventory.Facet(f).Known() {
				return fmt.Errorf("--facet: there is no facet %q, but %s", f, strings.Join(facetNames(), ", "))
			}
			q.Facets = append(q.Facets, inventory.Facet(f))
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		if _, err := a.machinesNamed(c.Context(), st, machines); err != nil {
			return err
		}
		findings, err := svc.Findings(c.Context(), q)
		if err != nil {
			return err
		}
		findings = slices.DeleteFunc(findings, func(f drift.FindingRecord) bool { return f.Change.Severity < least })
		ms, err := st.ListMachines(c.Context())
		if err != nil {
			return err
		}
		if len(machines) > 0 {
			ms = slices.DeleteFunc(ms, func(m drift.MachineRecord) bool { return !slices.Contains(machines, m.Machine.Name) })
		}
		ms = slices.DeleteFunc(ms, func(m drift.MachineRecord) bool { return !m.Here() })
		if a.flags.output != "table" { // which have no place for it
			a.writeBlindSpots(a.stderr, ms)
		}
		err = a.printFindings(findings, func(w io.Writer) {
			a.writeDrifts(w, drift.Group(findings))
			a.writeBlindSpots(w, ms)
		})
		if err != nil {
			return err
		}
		return driftStatus(findings)
	}
	return c
}

func (a *app) printFindings(findings []drift.FindingRecord, table func(io.Writer)) error {
	changes := make([]change, len(findings))
	for i, f := range findings {
		changes[i] = changeOfFinding(f)
	}
	heads, rows := changesCSV(changes)
	return a.print(listing{changes, heads, rows, table})
}

// driftStatus is exit status 1 if any of the findings is there now.
func driftStatus(findings []drift.FindingRecord) error {
	for _, f := range findings {
		if slices.Contains(drift.Live(), f.State) {
			return exitStatus(exitDrift)
		}
	}
	return nil
}

func (a *app) writeDrifts(w io.Writer, ds []drift.Drift) {
	if len(ds) == 0 {
		fmt.Fprintln(w, "No drift.")
		return
	}
	st, now := a.style, time.Now()
	machines := map[string]bool{}
	var changes []baseline.Change
	for _, d := range ds {
		changes = append(changes, d.Change)
	}
	width := widthsOf(changes).facet
	for _, d := range ds {
		for _, f := range d.Findings {
			machines[f.MachineName] = true
		}
		sign := map[baseline.Op]string{baseline.Added: "+", baseline.Removed: "-", baseline.Changed: "~"}[d.Change.Op]
		fmt.Fprintf(w, "%s %s %s %s %s  %s\n", st.severity(d.Change.Severity, pad(d.Change.Severity.String(), 8)), st.dim(d.Change.ID()),
			pad(string(d.Change.Facet), width), sign, st.bold(shownKey(d.Change.Key)),
			st.fold(8+1+10+1+width+3+len([]rune(shownKey(d.Change.Key)))+2, st.fields(d.Change), 9))
		fmt.Fprintf(w, "         %s, first seen %s%s\n", machineNames(d.Findings, 4), when(d.FirstSeen(), now), resolvedText(d.Findings)+acknowledgedText(d.Findings))
	}
	fmt.Fprintf(w, "\n%s on %s. More of one: vmdrift drift show ID\n",
		count(len(ds), "drift", "drifts"), count(len(machines), "machine", "machines"))
}

// writeBlindSpots says of what the drift that is known says nothing: silence there is no good news.
func (a *app) writeBlindSpots(w io.Writer, ms []drift.MachineRecord) {
	unseen, partly, uncompared := 0, 0, 0
	for _, m := range ms {
		switch {
		case m.LastObserved.IsZero() && m.Machine.ID.Source == targetSource: // perhaps a name mistyped once
		case m.LastObserved.IsZero() || m.Outcome != collector.OK && m.Outcome != collector.Partly:
			unseen++
		case m.Compared == 0:
			uncompared++
		case slices.ContainsFunc(m.Facets, func(f drift.FacetRecord) bool {
			return f.Status != inventory.Complete && f.Status != inventory.Unsupported
		}):
			partly++
		}
	}
	if len(ms) == 0 {
		fmt.Fprintln(w, "No machine was scanned yet: vmdrift scan root@web-1, or vmdrift scan --local")
	}
	if unseen > 0 {
		fmt.Fprintf(w, "%s not seen when last tried: vmdrift machines list\n", a.style.warn(count(unseen, "machine was", "machines were")))
	}
	if partly > 0 {
		fmt.Fprintf(w, "%s read only in part: vmdrift machines show NAME\n", a.style.warn(count(partly, "machine was", "machines were")))
	}
	if uncompared > 0 {
		fmt.Fprintf(w, "%s held against no baseline: vmdrift baseline list\n", a.style.warn(count(uncompared, "machine is", "machines are")))
	}
}

func resolvedText(fs []drift.FindingRecord) string {
	gone := 0
	for _, f := range fs {
		if f.State == drift.Resolved {
			gone++
		}
	}
	switch gone {
	case 0:
		return ""
	case len(fs):
		return ", resolved"
	}
	return fmt.Sprintf(", resolved on %d of %d", gone, len(fs))
}

// acknowledgedText says who sees to it: of one person by name.
func acknowledgedText(fs []drift.FindingRecord) string {
	by, n := map[string]bool{}, 0
	for _, f := range fs {
		if f.State == drift.Acknowledged {
			by[f.Acknowledged.By] = true
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case n < len(fs):
		return fmt.Sprintf(", acknowledged on %d of %d", n, len(fs))
	}
	return ", acknowledged by " + strings.Join(sortedKeys(by), ", ")
}

// machineNames writes "on web-1, web-2 and 12 more".
func machineNames(fs []drift.FindingRecord, most int) string {
	var names []string
	for i, f := range fs {
		if i == most && len(fs) > most+1 {
			return fmt.Sprintf("on %s and %d more", strings.Join(names, ", "), len(fs)-most)
		}
		names = append(names, f.MachineName)
	}
	return "on " + strings.Join(names, ", ")
}

func (a *app) driftShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one drift: what was wanted, what is there, on which machines and since when", Args: args(cobra.ExactArgs(1)),
		Long: `Show one drift: what was wanted, what is there, on which machines and since when.
ID is the beginning of what drift list shows, as much as names one drift.

Exit status: 0 it is resolved everywhere, 1 it is there, 2 trouble.`,
		Example: "  vmdrift drift show 5d1c0ffee1",
		RunE: func(c *cobra.Command, names []string) error {
			svc, _, err := a.open(c.Context())
			if err != nil {
				return err
			}
			findings, err := svc.Findings(c.Context(), drift.FindingQuery{})
			if err != nil {
				return err
			}
			found, err := findingsOf(findings, names[0])
			if err != nil {
				return err
			}
			history, err := svc.Happenings(c.Context(), found[0].ChangeID)
			if err != nil {
				return err
			}
			err = a.printFindings(found, func(w io.Writer) { a.writeDrift(w, drift.Group(found)[0], history) })
			if err != nil {
				return err
			}
			return driftStatus(found)
		},
	}
}

// mostHappenings is how much of a drift's history is shown.
const mostHappenings = 20

func (a *app) writeDrift(w io.Writer, d drift.Drift, history []drift.Happening) {
	st, now := a.style, time.Now()
	fmt.Fprintf(w, "%s  %s %s  %s\n\n", st.severity(d.Change.Severity, d.Change.Severity.String()), d.Change.Facet, st.bold(d.Change.Key), d.Change.Op)
	t, flush := columns(w)
	fmt.Fprintln(t, "FIELD\tWANTED\tHAD")
	for _, f := range d.Change.Fields {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, orDash(f.Want), orDash(f.Have))
	}
	flush()
	fmt.Fprintln(w)
	t, flush = columns(w)
	fmt.Fprintln(t, "MACHINE\tSTATE\tFIRST SEEN\tLAST SEEN\tBASELINE")
	for _, f := range d.Findings {
		state := string(f.State)
		if f.State == drift.Acknowledged {
			state += fmt.Sprintf(" by %s, %s", f.Acknowledged.By, when(f.Acknowledged.At, now))
			if f.Acknowledged.Note != "" {
				state += ": " + f.Acknowledged.Note
			}
		}
		if f.Reopened > 0 {
			state += fmt.Sprintf(" (came back %s)", count(f.Reopened, "time", "times"))
		}
		if f.Flapping(now) {
			state += ", comes and goes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s@%d\n", f.MachineName, state, when(f.FirstSeen, now), when(f.LastSeen, now), f.Baseline, f.Revision)
	}
	flush()
	if len(history) == 0 {
		return
	}
	fmt.Fprintln(w)
	t, flush = columns(w)
	defer flush()
	fmt.Fprintln(t, "WHEN\tWHAT\tON\tBY")
	for i, h := range history {
		if i == mostHappenings {
			fmt.Fprintf(t, "…\t%d more\t\t\n", len(history)-i)
			break
		}
		on := h.Machines[0]
		if len(h.Machines) > 1 {
			on = count(len(h.Machines), "machine", "machines")
		}
		by := "another baseline"
		switch {
		case h.By != "" && h.Note != "":
			by = h.By + ": " + h.Note
		case h.By != "" || h.Kind == drift.EventReleased:
			by = either(h.By, "-")
		case h.Run != 0:
			by = fmt.Sprintf("run %d", h.Run)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", h.At.Local().Format("2006-01-02 15:04"), h.Kind, on, by)
	}
}

// findingsOf returns those of the one drift whose id begins like that.
func findingsOf(findings []drift.FindingRecord, id string) ([]drift.FindingRecord, error) {
	found, changes := drift.WithID(findings, id)
	switch {
	case id == "" || changes == 0:
		return nil, fmt.Errorf("there is no drift %q; vmdrift drift list shows those there are", id)
	case changes > 1:
		return nil, fmt.Errorf("%q is the beginning of %d drifts: write more of it", id, changes)
	}
	return found, nil
}

func (a *app) driftAck() *cobra.Command {
	var machines []string
	var note, by string
	var undo bool
	c := &cobra.Command{
		Use: "ack ID...", Short: "Say that somebody sees to a drift", Args: args(cobra.MinimumNArgs(1)),
		Long: `Ack marks drift as acknowledged, on all machines that have it or on those named, with
who sees to it and a note. It stays drift, and stays in the list, until it is gone;
drift list --open leaves it out. Should it come back after that, it is open again.
A machine on which the drift begins later has it open.

ID is the beginning of what drift list shows, as much as names one drift.`,
		Example: `  vmdrift drift ack 5d1c0ffee1 --note "the new agent, rolled back on Monday"
  vmdrift drift ack 5d1c0ffee1 --machine web-2 --undo`,
	}
	c.Flags().StringSliceVar(&machines, "machine", nil, "only on these `machines`")
	c.Flags().StringVar(&note, "note", "", "what is done about it")
	c.Flags().StringVar(&by, "by", author(), "who sees to it")
	c.Flags().BoolVar(&undo, "undo", false, "nobody sees to it any more")
	c.MarkFlagsMutuallyExclusive("note", "undo")
	c.RunE = func(c *cobra.Command, ids []string) error {
		if by == "" && !undo {
			return errors.New("--by says who sees to it")
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		if _, err := a.machinesNamed(c.Context(), st, machines); err != nil {
			return err
		}
		findings, err := svc.Findings(c.Context(), drift.FindingQuery{Machines: machines, States: drift.Live()})
		if err != nil {
			return err
		}
		var drifts [][]drift.FindingRecord // all of them are there, or nothing is done
		for _, id := range ids {
			found, err := findingsOf(findings, id)
			if err != nil {
				return err
			}
			drifts = append(drifts, found)
		}
		word := drift.Acknowledgement{By: by, Note: note}
		if undo {
			word = drift.Acknowledgement{}
		}
		for _, found := range drifts {
			var rows []drift.MachineRow
			for _, f := range found {
				rows = append(rows, f.Machine)
			}
			n, err := svc.Acknowledge(c.Context(), found[0].ChangeID, rows, word)
			if err != nil {
				return err
			}
			what := "acknowledged by " + inventory.Escape(by)
			if undo {
				what = "open again"
			}
			fmt.Fprintf(a.stdout, "%s %s %s: %s on %s\n", found[0].Change.ID(), found[0].Change.Facet, shownKey(found[0].Change.Key),
				what, count(n, "machine", "machines"))
		}
		return nil
	}
	return c
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return shown(*s)
}
