package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

func (a *app) diffCommand() *cobra.Command {
	var rulesFile string
	c := &cobra.Command{
		Use:     "diff A.json B.json",
		GroupID: "scan",
		Short:   "Compare two snapshots, without a database",
		Long: `Diff holds snapshot B against A: what B has and A has not is added. A may also be
a baseline in YAML. The built-in rules apply (vmdrift baseline defaults shows
them), or those of --rules: a baseline file, of which only modes and rules count.

What one of the two could not observe is said on standard error, and never differs.

Exit status: 0 the same, 1 different, 2 trouble.`,
		Example: `  vmdrift diff before.json after.json
  vmdrift diff web.yaml web-1.json -o json`,
		Args: args(cobra.ExactArgs(2)),
	}
	c.Flags().StringVar(&rulesFile, "rules", "", "baseline `file` whose modes and rules apply")
	c.RunE = func(_ *cobra.Command, files []string) error {
		want, err := a.readWanted(files[0])
		if err != nil {
			return err
		}
		have, err := a.readSnapshot(files[1])
		if err != nil {
			return err
		}
		if rulesFile != "" {
			if err := a.useRules(&want, rulesFile); err != nil {
				return err
			}
		}
		golden, err := want.Compile()
		if err != nil {
			return err
		}
		a.tellGaps(gapsOf(have.Machine.Name, have))
		for _, o := range have.Observations {
			if o.Status.Observed() && !golden.Compares(o.Facet) {
				fmt.Fprintf(a.stderr, "vmdrift: %s: %s are not in it, so they are not compared\n", files[0], o.Facet)
			}
		}
		found := golden.DiffAll(have.Observations)
		out := make([]change, len(found))
		for i, ch := range found {
			out[i] = changeOf(have.Machine.Name, ch)
		}
		heads, rows := changesCSV(out)
		err = a.print(listing{out, heads, rows, func(w io.Writer) {
			slices.SortStableFunc(found, worstFirst)
			for _, ch := range found {
				a.style.writeChange(w, ch, widthsOf(found))
			}
		}})
		if err == nil && len(found) > 0 {
			err = exitStatus(exitDrift)
		}
		return err
	}
	return c
}

// maxInput bounds what is read from a file that somebody names.
const maxInput = 512 << 20

// readFile reads a whole file; "-" is standard input.
func (a *app) readFile(path string) ([]byte, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxInput>>20)
	}
	return data, nil
}

func (a *app) readSnapshot(path string) (inventory.Snapshot, error) {
	data, err := a.readFile(path)
	if err != nil {
		return inventory.Snapshot{}, err
	}
	return parseSnapshot(path, data)
}

func parseSnapshot(path string, data []byte) (inventory.Snapshot, error) {
	var s inventory.Snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s is no snapshot: %w; vmdrift snapshot TARGET makes one", path, err)
	}
	return s, nil
}

// readWanted reads what is wanted: a snapshot, or a baseline.
func (a *app) readWanted(path string) (baseline.Spec, error) {
	data, err := a.readFile(path)
	if err != nil {
		return baseline.Spec{}, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return oneSpec(path, data)
	}
	s, err := parseSnapshot(path, data)
	if err != nil {
		return baseline.Spec{}, err
	}
	return wantedOf(s), nil
}

// wantedOf makes a spec that wants all that the snapshot has.
func wantedOf(s inventory.Snapshot) baseline.Spec {
	spec := baseline.Spec{Name: "snapshot", Defaults: "v1", Facets: map[inventory.Facet]baseline.FacetSpec{}}
	for _, o := range s.Observations {
		if !o.Status.Observed() || !o.Facet.Known() {
			continue
		}
		fs := baseline.FacetSpec{Mode: baseline.Closed, Items: o.State}
		if !o.ItemsComplete {
			fs.Mode = baseline.Open // what is not in an incomplete list may have been there
		}
		spec.Facets[o.Facet] = fs
	}
	return spec
}

func oneSpec(path string, data []byte) (baseline.Spec, error) {
	specs, err := baseline.ReadYAML(path, bytes.NewReader(data))
	if err != nil {
		return baseline.Spec{}, err
	}
	if len(specs) != 1 {
		return baseline.Spec{}, fmt.Errorf("%s has %d baselines; here it is one", path, len(specs))
	}
	return specs[0], nil
}

// useRules puts the modes and rules of a baseline file in place of want's.
func (a *app) useRules(want *baseline.Spec, path string) error {
	data, err := a.readFile(path)
	if err != nil {
		return err
	}
	rules, err := oneSpec(path, data)
	if err != nil {
		return err
	}
	want.Defaults = rules.Defaults
	for f, fs := range want.Facets {
		if r, ok := rules.Facets[f]; ok {
			fs.Mode, fs.Rules = r.Mode, r.Rules
			want.Facets[f] = fs
		}
	}
	return nil
}
