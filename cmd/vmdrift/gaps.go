package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// gapSchema names version 1 of the JSON form of a gap; docs/json.md describes it.
const gapSchema = "vmdrift.gap/v1"

// A gap is something that could not be observed: a machine, or one facet of it.
type gap struct {
	Schema  string          `json:"schema" jsonschema:"enum=vmdrift.gap/v1"`
	Machine string          `json:"machine,omitempty" jsonschema:"description=Missing if a source could not list its machines."`
	Source  string          `json:"source,omitempty" jsonschema:"description=The source that could not list all its machines."`
	Facet   inventory.Facet `json:"facet,omitempty" jsonschema:"description=Missing if the whole machine could not be observed."`
	Status  string          `json:"status" jsonschema:"description=A facet's status (partial, denied, failed), or the machine's outcome (unreachable, auth failed, host key unknown, host key changed, timed out, failed)."`
	Missing []string        `json:"missing,omitempty" jsonschema:"description=The fields that could not be read."`
	Reason  string          `json:"reason"`
	Hint    string          `json:"hint,omitempty" jsonschema:"description=What to do about it."`
}

func (s *scanReport) gaps() []gap {
	out := []gap{}
	for _, p := range s.problems {
		out = append(out, gap{Schema: gapSchema, Source: p.source, Status: "not listed", Reason: p.reason(), Hint: p.Hint})
	}
	for _, m := range s.machines {
		if m.result.Err != nil {
			g := gap{Schema: gapSchema, Machine: m.Name, Status: string(m.result.Outcome), Reason: inventory.Escape(m.result.Err.Error())}
			var e *collector.Error
			if errors.As(m.result.Err, &e) {
				g.Hint = e.Hint
			}
			out = append(out, g)
			continue
		}
		out = append(out, gapsOf(m.Name, m.result.Snapshot)...)
	}
	return out
}

// gapsOf returns the facets that were not read whole. What a machine does not have is no gap.
func gapsOf(name string, s inventory.Snapshot) []gap {
	var out []gap
	for _, o := range s.Observations {
		if o.Status != inventory.Complete && o.Status != inventory.Unsupported {
			out = append(out, gap{
				Schema: gapSchema, Machine: name, Facet: o.Facet, Status: string(o.Status), Missing: o.Missing, Reason: o.Reason,
			})
		}
	}
	return out
}

// tellGaps says on standard error what the formats for machines have no place for.
func (a *app) tellGaps(gaps []gap) {
	for _, g := range gaps {
		what := either(g.Machine, "source "+g.Source)
		if g.Facet != "" {
			what += ": " + string(g.Facet)
		}
		fmt.Fprintf(a.stderr, "vmdrift: %s: %s: %s\n", what, g.Status, g.Reason)
	}
}

func writeGaps(path string, gaps []gap) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write gaps: %w", err)
	}
	return errors.Join(writeJSON(f, gaps), f.Close())
}
