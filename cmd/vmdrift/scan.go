package main

import (
	"cmp"
	"context"
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

func (a *app) scanCommand() *cobra.Command {
	var use, gapsFile string
	c := &cobra.Command{
		Use:     "scan [TARGET…]",
		GroupID: "scan",
		Short:   "Scan machines, store what they are, and show where they have drifted",
		Long: `Scan goes into every target, stores what it saw, compares it with the baseline
that applies, and shows the drift that is open.

A target is [user@]host[:port], an ssh_config alias, or the name of a machine in
vmdrift.yaml. Without a target, all machines of vmdrift.yaml are scanned.

Exit status: 0 no drift, 1 drift, 2 if a machine could not be scanned.`,
		Example: `  vmdrift scan root@web-1 web-2:2222
  vmdrift scan --local
  vmdrift scan -o json | jq '.[] | select(.severity == "high")'`,
	}
	r := a.addReach(c, true)
	c.Flags().StringVar(&use, "baseline", "", "compare with the baseline of that `name`, whatever the selectors say, and later too where no selector selects the machine")
	c.Flags().StringVar(&gapsFile, "gaps", "", "write what could not be observed to `file`, as JSON")
	c.RunE = func(c *cobra.Command, names []string) error {
		limits, err := r.limits()
		if err != nil {
			return err
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		if err := svc.CheckBaseline(c.Context(), use); err != nil {
			return err
		}
		r.svc = svc
		targets, err := r.targets(c.Context(), names)
		if err != nil {
			return err
		}
		s, err := a.scan(c.Context(), svc, "scan", leaseAll(targets, st), limits, use)
		if err != nil {
			return err
		}
		if s.links, err = r.link(c.Context(), svc, s); err != nil {
			return err
		}
		s.problems = r.problems
		if gapsFile != "" {
			if err := writeGaps(gapsFile, s.gaps()); err != nil {
				return err
			}
		}
		if err := a.printScan(s); err != nil {
			return err
		}
		return s.status()
	}
	return c
}

// A scanReport is what one scan found.
type scanReport struct {
	run      drift.Run
	machines []scannedMachine // sorted by name
	findings []drift.FindingRecord
	problems []sourceProblem // of sources that could not list all their machines
	links    []drift.Link    // what was found to be one machine
	listedAs map[inventory.MachineID]string
	took     time.Duration
}

type scannedMachine struct {
	drift.Recorded
	result collector.Result
}

// observed reports whether something of the machine was seen, if only by its platform.
func (m scannedMachine) observed() bool {
	return slices.ContainsFunc(m.result.Snapshot.Observations, func(o inventory.Observation) bool { return o.Status.Observed() })
}

// off reports whether the machine is switched off: not seen, and no trouble.
func (m scannedMachine) off() bool { return m.result.Outcome == collector.SwitchedOff }

// scan collects the targets and records what comes back in batches, while the others are still
// being collected. An interrupted scan records what it has, and then ends as cancelled.
func (a *app) scan(ctx context.Context, svc *drift.Service, trigger string, targets []collector.Target, l collector.Limits, use string) (*scanReport, error) {
	start := time.Now()
	run, err := svc.StartRun(ctx, trigger, len(targets))
	if err != nil {
		return nil, err
	}
	report := &scanReport{run: run}
	// Recording goes on after Ctrl-C, for what was collected, but not for ever.
	recCtx, cancelRec := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRec()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(10*time.Second, cancelRec) })
	defer stop()

	byID := make(map[inventory.MachineID]collector.Target, len(targets))
	for _, t := range targets {
		byID[t.Machine().ID] = t
	}
	bar := a.newProgress(len(targets))
	results := make(chan collector.Result, drift.BatchSize)
	recorded := make(chan error, 1)
	collectCtx, cancelCollect := context.WithCancel(ctx)
	defer cancelCollect()
	go func() {
		err := report.record(recCtx, svc, results, use, func(r collector.Result) {
			if t, ok := byID[r.Machine.ID].(collector.Releaser); ok {
				t.Release(r.Snapshot)
			}
			bar.add()
		})
		if err != nil {
			cancelCollect() // no use in going on
			for range results {
			}
		}
		recorded <- err
	}()
	collector.Each(collectCtx, targets, l, func(r collector.Result) { results <- r })
	close(results)
	err = <-recorded
	bar.done()

	end := drift.RunFinished
	if err != nil || ctx.Err() != nil {
		end = drift.RunCancelled
	}
	if finishErr := svc.FinishRun(recCtx, run.ID, end); err == nil {
		err = finishErr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(report.machines, func(x, y scannedMachine) int { return strings.Compare(x.Name, y.Name) })
	var seen []string
	for _, m := range report.machines {
		if m.observed() {
			seen = append(seen, m.Name)
		}
	}
	if len(seen) > 0 {
		report.findings, err = svc.Findings(ctx, drift.FindingQuery{Machines: seen, States: drift.Live()})
	}
	report.took = time.Since(start)
	return report, err
}

// record takes results as they come, as many at once as are there, and calls each for every
// one that is stored, while it still has its states.
func (s *scanReport) record(ctx context.Context, svc *drift.Service, results <-chan collector.Result, use string, each func(collector.Result)) error {
	for first := range results {
		batch := []collector.Result{first}
		size := drift.SizeOf(first)
		for more := true; more && len(batch) < drift.BatchSize && size < drift.BatchBytes; {
			select {
			case r, ok := <-results:
				if more = ok; ok {
					batch, size = append(batch, r), size+drift.SizeOf(r)
				}
			default:
				more = false
			}
		}
		done, err := svc.Record(ctx, s.run, batch, use)
		if err != nil {
			return err
		}
		for i, d := range done {
			each(batch[i])
			batch[i].Snapshot = withoutStates(batch[i].Snapshot)
			s.machines = append(s.machines, scannedMachine{d, batch[i]})
		}
	}
	return nil
}

// withoutStates keeps how each facet went and lets go of its items.
func withoutStates(s inventory.Snapshot) inventory.Snapshot {
	s.Observations = slices.Clone(s.Observations)
	for i := range s.Observations {
		s.Observations[i].State = nil
	}
	return s
}

// status is the exit status: trouble if a machine or a facet failed, drift if there is any.
func (s *scanReport) status() error {
	if len(s.problems) > 0 {
		return exitStatus(exitTrouble)
	}
	for _, m := range s.machines {
		if m.off() {
			continue
		}
		if m.result.Err != nil || m.Unmatched != "" && m.Baseline != "" {
			return exitStatus(exitTrouble)
		}
		for _, o := range m.result.Snapshot.Observations {
			if o.Status == inventory.Failed {
				return exitStatus(exitTrouble)
			}
		}
	}
	if len(s.findings) > 0 {
		return exitStatus(exitDrift)
	}
	return nil
}

func (a *app) printScan(s *scanReport) error {
	changes := make([]change, 0, len(s.findings))
	for _, f := range s.findings {
		changes = append(changes, changeOfFinding(f))
	}
	if a.flags.output != "table" {
		a.tellGaps(s.gaps())
		for _, m := range s.machines {
			if m.Unmatched != "" && m.Baseline != "" {
				fmt.Fprintf(a.stderr, "vmdrift: %s: %s\n", m.Name, m.Unmatched)
			}
		}
	}
	heads, rows := changesCSV(changes)
	return a.print(listing{changes, heads, rows, func(w io.Writer) { a.writeScan(w, s) }})
}

// A scanClass orders machines for people: what needs them first.
type scanClass int

const (
	drifted scanClass = iota
	unseen
	unmatched
	inSync
)

func (m scannedMachine) class(changes int) scanClass {
	switch {
	case m.result.Err != nil && changes == 0:
		return unseen
	case m.Unmatched != "" && m.Baseline == "":
		return unmatched
	case changes == 0:
		return inSync
	}
	return drifted
}

// mostInSync is how many machines without drift, or without a baseline, are worth a line each.
const mostInSync = 20

// writeScan is the picture for people: what needs them first, and a line of sum.
func (a *app) writeScan(w io.Writer, s *scanReport) {
	st := a.style
	changes := map[string][]baseline.Change{}
	for _, f := range s.findings {
		changes[f.MachineName] = append(changes[f.MachineName], f.Change)
	}
	for _, cs := range changes {
		slices.SortStableFunc(cs, worstFirst)
	}
	n := map[scanClass]int{}
	for _, m := range s.machines {
		class := m.class(len(changes[m.Name]))
		n[class]++
		if class != unseen && m.result.Err != nil { // its guest was not seen, whatever else is known to drift
			n[unseen]++
		}
	}
	ordered := slices.Clone(s.machines)
	slices.SortStableFunc(ordered, func(x, y scannedMachine) int {
		cx, cy := changes[x.Name], changes[y.Name]
		if c := cmp.Compare(x.class(len(cx)), y.class(len(cy))); c != 0 || len(cx) == 0 || len(cy) == 0 {
			return c
		}
		return worstFirst(cx[0], cy[0])
	})
	for _, p := range s.problems {
		fmt.Fprintln(w, p.text(st.alarm))
	}
	for _, m := range ordered {
		cs := changes[m.Name]
		switch m.class(len(cs)) {
		case unseen:
			a.writeUnseen(w, m)
			continue
		case unmatched:
			if n[unmatched] > mostInSync && whole(m.result.Snapshot) {
				continue
			}
			fmt.Fprintf(w, "%s  %s\n", st.bold(m.Name), st.warn(m.Unmatched))
		case inSync:
			if n[inSync] > mostInSync && whole(m.result.Snapshot) && m.Unmatched == "" {
				continue
			}
			fmt.Fprintf(w, "%s  %s baseline %s@%d\n", st.bold(m.Name), st.good("in sync with"), m.Baseline, m.Revision)
		default:
			fmt.Fprintf(w, "%s  %s from baseline %s@%d\n", st.bold(m.Name), st.alarm(count(len(cs), "change", "changes")), m.Baseline, m.Revision)
			for _, c := range cs {
				st.writeChange(w, c, widthsOf(cs))
			}
		}
		if m.Unmatched != "" && m.Baseline != "" {
			fmt.Fprintf(w, "  %s\n", st.warn(m.Unmatched))
		}
		if m.result.Err != nil { // the guest; what its platform knows was seen
			a.writeUnseen(w, m)
			continue
		}
		for _, g := range gapsOf(m.Name, m.result.Snapshot) {
			fmt.Fprintf(w, "  %s %s %s\n", st.warn(pad(g.Status, 8)), pad(string(g.Facet), 8), st.fold(20, g.Reason, 20))
		}
	}
	var parts []string
	for _, p := range []struct {
		class scanClass
		what  string
		paint func(string) string
	}{
		{drifted, "drifted", st.alarm}, {inSync, "in sync", st.good}, {unmatched, "without a baseline", st.warn}, {unseen, "not seen", st.alarm},
	} {
		if n[p.class] > 0 {
			parts = append(parts, p.paint(fmt.Sprintf("%d %s", n[p.class], p.what)))
		}
	}
	fmt.Fprintf(w, "\n%s in %s: %s\n", count(len(s.machines), "machine", "machines"), s.took.Round(10*time.Millisecond), strings.Join(parts, ", "))
	a.writeLinks(w, s)
	if n[unmatched] > 0 && n[drifted]+n[inSync] == 0 {
		fmt.Fprintf(w, "Say what is right first: vmdrift baseline capture NAME --from TARGET\n")
	}
}

func (a *app) writeUnseen(w io.Writer, m scannedMachine) {
	st, outcome := a.style, string(m.result.Outcome)
	used := len([]rune(m.Name + "  " + outcome + ": "))
	fmt.Fprintf(w, "%s  %s: %s\n", st.bold(m.Name), st.alarm(outcome), st.fold(used, inventory.Escape(m.result.Err.Error()), 2))
	var e *collector.Error
	if errors.As(m.result.Err, &e) && e.Hint != "" {
		hint := e.Hint
		if !strings.Contains(hint, " -") { // a command in it must survive being copied
			hint = st.fold(2, hint, 2)
		}
		fmt.Fprintf(w, "  %s\n", hint)
	}
}

func whole(s inventory.Snapshot) bool { return len(gapsOf("", s)) == 0 }

func worstFirst(a, b baseline.Change) int { return int(b.Severity) - int(a.Severity) }
