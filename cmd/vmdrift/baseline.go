package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func (a *app) baselineCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:     "baseline",
		GroupID: "know",
		Short:   "Say what machines should be",
		Long: `A baseline is a named golden state with a selector over machine labels: a chain
of revisions that are never changed. docs/baselines.md tells the whole story.`,
	})
	c.AddCommand(a.baselineCapture(), a.baselineApply(), a.baselineList(), a.baselineShow(),
		a.baselineHistory(), a.baselineExport(), a.baselineDefaults())
	return c
}

func (a *app) baselineCapture() *cobra.Command {
	var from, selector, reason, by string
	c := &cobra.Command{
		Use:   "capture NAME --from TARGET",
		Short: "Make what a machine is now the golden state",
		Long: `Capture scans the target (or reads a snapshot file, *.json) and writes what it saw
as the next revision of the baseline. Facets that could not be read are left out,
and said so. All machines are then compared anew with what was seen of them last;
none but the target is contacted.

Without --selector a new baseline selects the machine that it was captured from
(name=NAME), and a further revision keeps the selector it has.`,
		Example: `  vmdrift baseline capture web --from root@web-1 --selector role=web
  vmdrift baseline capture here --local
  vmdrift baseline capture web --from web-1.json --reason "after the May patches"`,
		Args: args(cobra.ExactArgs(1)),
	}
	r := a.addReach(c, false)
	c.ValidArgsFunction = nil
	c.Flags().StringVar(&from, "from", "", "`target` or snapshot file to capture")
	c.Flags().StringVar(&selector, "selector", "", "label `selector` of the machines it is for (role=web,env!=dev)")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	c.Flags().StringVar(&by, "author", author(), "who, for the history")
	c.RunE = func(c *cobra.Command, names []string) error {
		name := names[0]
		if (from == "") == !r.local {
			return fmt.Errorf("say what to capture: --from TARGET, or --local; usage: %s", c.UseLine())
		}
		if _, err := (baseline.Spec{Name: name, Selector: selector, Defaults: baseline.DefaultsV1}).Compile(); err != nil {
			return err // before anything is scanned
		}
		svc, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		snap, err := a.snapshotToCapture(c, svc, r, from)
		if err != nil {
			return err
		}
		if !c.Flags().Changed("selector") {
			if old, err := svc.Revision(c.Context(), name, 0); err == nil {
				selector = old.Spec.Selector
			} else if v := snap.Machine.Labels["name"]; v != "" {
				selector = "name=" + v
			}
		}
		spec, gaps := baseline.Capture(snap, name, selector)
		for _, g := range gaps {
			how := "in the baseline without " + strings.Join(g.Missing, ", ")
			if g.LeftOut {
				how = "not in the baseline"
			}
			fmt.Fprintf(a.stderr, "vmdrift: %s: %s: %s\n", g.Facet, how, g.Reason)
		}
		if len(spec.Facets) == 0 {
			return fmt.Errorf("nothing could be read on %s, so there is nothing to capture", snap.Machine.Name)
		}
		if reason == "" {
			reason = "captured from " + snap.Machine.Name
		}
		if g, err := spec.Compile(); err == nil && selector != "" && !g.Selects(snap.Machine.Labels) {
			fmt.Fprintf(a.stderr, "vmdrift: %s does not select %s itself: labels stand in vmdrift.yaml, or name the baseline in a scan with --baseline %s\n",
				selector, snap.Machine.Name, name)
		}
		return a.applySpecs(c, svc, "captured as", by, reason, spec)
	}
	return c
}

// snapshotToCapture reads a snapshot file, or scans a target and records what it saw.
func (a *app) snapshotToCapture(c *cobra.Command, svc *drift.Service, r *reach, from string) (inventory.Snapshot, error) {
	if from == "-" || strings.HasSuffix(from, ".json") {
		return a.readSnapshot(from)
	}
	var names []string
	if from != "" {
		names = []string{from}
	}
	r.svc = svc
	res, err := a.one(c, r, names)
	if err != nil {
		return inventory.Snapshot{}, err
	}
	if res.Err != nil {
		return inventory.Snapshot{}, a.troubleOf(res)
	}
	return res.Snapshot, a.recordOne(c.Context(), svc, "capture", res)
}

func (a *app) baselineApply() *cobra.Command {
	var paths []string
	var reason, by string
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make baselines what YAML files say",
		Long: `Apply reads baselines from YAML files, or from all *.yaml and *.yml files of a
folder, and writes a new revision of each that differs from what is there: all of
them, or none if one is wrong. Machines are then compared anew; none is contacted.`,
		Example: `  vmdrift baseline export web > web.yaml
  vmdrift baseline apply -f web.yaml --reason "telnet is gone"`,
		Args: args(cobra.NoArgs),
	}
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "`file` or folder; - for standard input")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	c.Flags().StringVar(&by, "author", author(), "who, for the history")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(paths) == 0 {
			return fmt.Errorf("say what to apply: -f FILE, or -f - for standard input; usage: %s", c.UseLine())
		}
		specs, err := a.readSpecs(paths)
		if err != nil {
			return err
		}
		svc, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		if reason == "" {
			reason = "applied from " + strings.Join(paths, ", ")
		}
		return a.applySpecs(c, svc, "applied as", by, reason, specs...)
	}
	return c
}

// readSpecs reads the baselines of files and folders. Two of one name are an error.
func (a *app) readSpecs(paths []string) ([]baseline.Spec, error) {
	var files []string
	for _, p := range paths {
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			files = append(files, p)
			continue
		}
		for _, pattern := range []string{"*.yaml", "*.yml"} {
			found, _ := filepath.Glob(filepath.Join(p, pattern))
			files = append(files, found...)
		}
	}
	var specs []baseline.Spec
	from := map[string]string{}
	for _, file := range files {
		data, err := a.readFile(file)
		if err != nil {
			return nil, err
		}
		some, err := baseline.ReadYAML(file, bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			if first, twice := from[s.Name]; twice {
				return nil, fmt.Errorf("baseline %s is in %s and in %s", s.Name, first, file)
			}
			from[s.Name] = file
			specs = append(specs, s)
		}
	}
	if len(specs) == 0 {
		return nil, fmt.Errorf("no baseline in %s", strings.Join(paths, ", "))
	}
	return specs, nil
}

// applySpecs writes the specs, compares all machines anew, and says what came of it.
func (a *app) applySpecs(c *cobra.Command, svc *drift.Service, done, by, reason string, specs ...baseline.Spec) error {
	applied, err := svc.Apply(c.Context(), by, inventory.Escape(reason), specs...)
	if err != nil {
		return err
	}
	if err := svc.Compare(c.Context()); err != nil {
		return err
	}
	rows := make([]revisionRow, len(applied))
	for i, r := range applied {
		rows[i] = revisionRowOf(r.Revision)
		rows[i].Unchanged = r.Unchanged
	}
	return a.printRevisions(rows, func(w io.Writer) {
		for i, r := range rows {
			verb := done
			if r.Unchanged {
				verb = "unchanged:"
			}
			name := fmt.Sprintf("%s@%d", r.Baseline, r.Revision)
			fmt.Fprintf(w, "%s %s  %s\n", verb, a.style.bold(name), a.style.fold(len(verb)+len(name)+3, contents(specs[i]), 2))
			if r.Selector == "" {
				fmt.Fprintf(w, "  it has no selector: it applies only where it is named (--baseline %s)\n", r.Baseline)
			} else {
				fmt.Fprintf(w, "  for machines with %s\n", r.Selector)
			}
		}
	})
}

// contents tells how many items a spec has: "412 packages, 3 ports".
func contents(s baseline.Spec) string {
	var parts []string
	for _, f := range inventory.Facets() {
		if fs, ok := s.Facets[f]; ok {
			parts = append(parts, fmt.Sprintf("%d %s", fs.Items.Len(), f))
		}
	}
	return strings.Join(parts, ", ")
}

// A revisionRow is a revision without its content.
type revisionRow struct {
	Schema    string    `json:"schema"`
	Baseline  string    `json:"baseline"`
	Revision  int       `json:"revision"`
	Author    string    `json:"author"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Selector  string    `json:"selector"`
	Items     int       `json:"items"`
	Digest    string    `json:"digest"`
	Unchanged bool      `json:"unchanged,omitempty"`
}

func revisionRowOf(r drift.Revision) revisionRow {
	row := revisionRow{
		Schema: "vmdrift.revision/v1", Baseline: r.Baseline, Revision: r.Number, Author: r.Author, Reason: r.Reason,
		At: r.At, Selector: r.Spec.Selector, Digest: r.Digest.String(),
	}
	for _, fs := range r.Spec.Facets {
		row.Items += fs.Items.Len()
	}
	return row
}

func (a *app) printRevisions(rows []revisionRow, table func(io.Writer)) error {
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, []string{
			r.Baseline, strconv.Itoa(r.Revision), r.Author, r.Reason, r.At.UTC().Format(time.RFC3339), r.Selector, strconv.Itoa(r.Items), r.Digest,
		})
	}
	return a.print(listing{rows, []string{"baseline", "revision", "author", "reason", "at", "selector", "items", "digest"}, cells, table})
}

func (a *app) revisionTable(rows []revisionRow) func(io.Writer) {
	return func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "No baseline yet. Make one of a machine: vmdrift baseline capture NAME --from TARGET")
			return
		}
		t, flush := columns(w)
		defer flush()
		fmt.Fprintln(t, "BASELINE\tSELECTOR\tITEMS\tWHEN\tWHO\tWHY")
		for _, r := range rows {
			fmt.Fprintf(t, "%s@%d\t%s\t%d\t%s\t%s\t%s\n", r.Baseline, r.Revision, either(r.Selector, "(by name only)"), r.Items,
				when(r.At, time.Now()), inventory.Escape(r.Author), r.Reason)
		}
	}
}

func (a *app) baselineList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the latest revision of every baseline", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			latest, err := st.Baselines(c.Context())
			if err != nil {
				return err
			}
			rows := []revisionRow{}
			for _, r := range latest {
				rows = append(rows, revisionRowOf(r))
			}
			return a.printRevisions(rows, a.revisionTable(rows))
		},
	}
}

func (a *app) baselineHistory() *cobra.Command {
	return &cobra.Command{
		Use: "history NAME", Short: "List the revisions of a baseline, newest first", Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			svc, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			if _, err := svc.Revision(c.Context(), names[0], 0); err != nil {
				return err
			}
			revs, err := st.Revisions(c.Context(), names[0])
			if err != nil {
				return err
			}
			rows := []revisionRow{}
			for _, r := range revs {
				rows = append(rows, revisionRowOf(r))
			}
			return a.printRevisions(rows, a.revisionTable(rows))
		},
	}
}

// revisionArg reads NAME or NAME@REVISION.
func revisionArg(arg string) (name string, number int, err error) {
	name, rev, ok := strings.Cut(arg, "@")
	if !ok {
		return name, 0, nil
	}
	number, err = strconv.Atoi(rev)
	if err != nil || number < 1 {
		return "", 0, fmt.Errorf("%q is no revision; write NAME, or NAME@3 for the third", arg)
	}
	return name, number, nil
}

func (a *app) baselineShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME[@REVISION]", Short: "Show a revision: who, why, and how much of what", Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			r, err := a.revision(c, names[0])
			if err != nil {
				return err
			}
			row := revisionRowOf(r)
			return a.printRevisions([]revisionRow{row}, func(w io.Writer) {
				st := a.style
				fmt.Fprintf(w, "%s\n", st.bold(fmt.Sprintf("%s@%d", r.Baseline, r.Number)))
				fmt.Fprintf(w, "  for       %s\n", either(r.Spec.Selector, "machines scanned with --baseline "+r.Baseline))
				fmt.Fprintf(w, "  written   %s by %s: %s\n", r.At.Local().Format("2006-01-02 15:04"), inventory.Escape(r.Author), r.Reason)
				fmt.Fprintf(w, "  defaults  %s\n", r.Spec.Defaults)
				fmt.Fprintf(w, "  digest    %s\n", r.Digest)
				for _, f := range inventory.Facets() {
					if fs, ok := r.Spec.Facets[f]; ok {
						rules := ""
						if len(fs.Rules) > 0 {
							rules = ", " + count(len(fs.Rules), "rule", "rules")
						}
						fmt.Fprintf(w, "  %s %s, %s%s\n", pad(string(f), 9), fs.Mode, count(fs.Items.Len(), "item", "items"), rules)
					}
				}
				fmt.Fprintf(w, "All of it: vmdrift baseline export %s@%d\n", r.Baseline, r.Number)
			})
		},
	}
}

func (a *app) revision(c *cobra.Command, arg string) (drift.Revision, error) {
	name, number, err := revisionArg(arg)
	if err != nil {
		return drift.Revision{}, err
	}
	svc, _, err := a.open(c.Context())
	if err != nil {
		return drift.Revision{}, err
	}
	return svc.Revision(c.Context(), name, number)
}

func (a *app) baselineExport() *cobra.Command {
	return &cobra.Command{
		Use: "export NAME[@REVISION]", Short: "Print a revision as YAML, for editing and apply", Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			r, err := a.revision(c, names[0])
			if err != nil {
				return err
			}
			return baseline.WriteYAML(a.stdout, r.Spec)
		},
	}
}

func (a *app) baselineDefaults() *cobra.Command {
	return &cobra.Command{
		Use: "defaults", Short: "Print the built-in rules, with their reasons", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := baseline.DefaultsYAML("v1")
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(slices.Clone(text))
			return err
		},
	}
}
