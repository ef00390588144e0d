package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

func (a *app) snapshotCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "snapshot TARGET",
		GroupID: "scan",
		Short:   "Take a snapshot of one machine, without a database",
		Long: `Snapshot goes into one target and prints what it saw as JSON (-o yaml for YAML,
-o csv for a row per field). Nothing is stored. What could not be read is said
on standard error and in the observations.

Exit status: 0, or 2 if the machine or a facet could not be scanned.`,
		Example: `  vmdrift snapshot root@web-1 > web-1.json
  vmdrift snapshot --local -o yaml`,
		Args: args(cobra.MaximumNArgs(1)),
	}
	r := a.addReach(c, false)
	c.RunE = func(c *cobra.Command, names []string) error {
		res, err := a.one(c, r, names)
		if err != nil {
			return err
		}
		if len(res.Snapshot.Observations) > 0 {
			if err := a.printSnapshot(res.Snapshot); err != nil {
				return err
			}
		}
		return a.troubleOf(res)
	}
	return c
}

// one collects the one target that names and flags give.
func (a *app) one(c *cobra.Command, r *reach, names []string) (collector.Result, error) {
	if len(names) == 0 && !r.local || len(names) > 0 && r.local {
		return collector.Result{}, fmt.Errorf("name one target, or --local; usage: %s", c.UseLine())
	}
	limits, err := r.limits()
	if err != nil {
		return collector.Result{}, err
	}
	targets, err := r.targets(c.Context(), names)
	for _, p := range r.problems {
		fmt.Fprintf(a.stderr, "vmdrift: %s\n", p.text(a.style.alarm))
	}
	if err != nil {
		return collector.Result{}, err
	}
	var res collector.Result
	collector.Each(c.Context(), targets, limits, func(got collector.Result) { res = got })
	return res, c.Context().Err()
}

// troubleOf says what went wrong with one machine: nil if every facet could be read or has a reason not to.
func (a *app) troubleOf(res collector.Result) error {
	if res.Err != nil {
		err := fmt.Errorf("%s: %s: %s", res.Machine.Name, res.Outcome, inventory.Escape(res.Err.Error()))
		var e *collector.Error
		if errors.As(res.Err, &e) && e.Hint != "" {
			err = fmt.Errorf("%w\n%s", err, e.Hint)
		}
		return err
	}
	a.tellGaps(gapsOf(res.Machine.Name, res.Snapshot))
	for _, o := range res.Snapshot.Observations {
		if o.Status == inventory.Failed {
			return exitStatus(exitTrouble)
		}
	}
	return nil
}

// printSnapshot prints a snapshot; the table format is JSON too, for that is what a snapshot is for.
func (a *app) printSnapshot(s inventory.Snapshot) error {
	heads, rows := []string{"machine", "facet", "status", "key", "field", "value"}, [][]string{}
	for _, o := range s.Observations {
		if o.State == nil {
			rows = append(rows, []string{s.Machine.Name, string(o.Facet), string(o.Status), "", "", ""})
			continue
		}
		for _, it := range o.State.Items() {
			for f := range it.Fields() {
				rows = append(rows, []string{s.Machine.Name, string(o.Facet), string(o.Status), it.Key(), f.Name, f.Value})
			}
		}
	}
	return a.print(listing{s, heads, rows, func(w io.Writer) { _ = writeJSON(w, s) }})
}
