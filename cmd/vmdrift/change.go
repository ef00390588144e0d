package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// changeSchema names version 1 of the JSON form of a change on a machine; docs/json.md describes it.
const changeSchema = "vmdrift.change/v1"

// A change is one change on one machine, as scan, diff and drift list give it.
type change struct {
	Schema    string              `json:"schema" jsonschema:"enum=vmdrift.change/v1"`
	Machine   string              `json:"machine"`
	Facet     inventory.Facet     `json:"facet"`
	Key       string              `json:"key"`
	Op        baseline.Op         `json:"op" jsonschema:"enum=added,enum=removed,enum=changed"`
	Fields    map[string]wantHave `json:"fields"`
	Severity  string              `json:"severity" jsonschema:"enum=info,enum=low,enum=medium,enum=high,enum=critical"`
	Drift     string              `json:"drift" jsonschema:"description=The same on every machine that has this change."`
	Baseline  string              `json:"baseline,omitempty"`
	Revision  int                 `json:"revision,omitempty"`
	State     drift.FindingState  `json:"state,omitempty"`
	FirstSeen *time.Time          `json:"first_seen,omitempty"`
	LastSeen  *time.Time          `json:"last_seen,omitempty"`
	Reopened  int                 `json:"reopened,omitempty" jsonschema:"description=How often it was gone and came back."`

	Acknowledged *acknowledged `json:"acknowledged,omitempty" jsonschema:"description=Who took it on last; the state says whether that holds."`
}

type acknowledged struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// wantHave is one field of a change. Null stands for no such item.
type wantHave struct {
	Want *string `json:"want" jsonschema:"nullable"`
	Have *string `json:"have" jsonschema:"nullable"`
}

func changeOf(machine string, c baseline.Change) change {
	out := change{
		Schema: changeSchema, Machine: machine, Facet: c.Facet, Key: c.Key, Op: c.Op,
		Fields: make(map[string]wantHave, len(c.Fields)), Severity: c.Severity.String(), Drift: c.ID(),
	}
	for _, f := range c.Fields {
		out.Fields[f.Name] = wantHave{f.Want, f.Have}
	}
	return out
}

func changeOfFinding(f drift.FindingRecord) change {
	out := changeOf(f.MachineName, f.Change)
	out.Baseline, out.Revision, out.State, out.Reopened = f.Baseline, f.Revision, f.State, f.Reopened
	out.FirstSeen, out.LastSeen = &f.FirstSeen, &f.LastSeen
	if a := f.Acknowledged; a.By != "" {
		out.Acknowledged = &acknowledged{a.By, a.At, a.Note}
	}
	return out
}

// changesCSV gives a row per field, or one row for a change without fields.
func changesCSV(changes []change) (heads []string, rows [][]string) {
	heads = []string{"machine", "facet", "key", "op", "field", "want", "have", "severity", "drift", "first_seen", "last_seen", "state", "acknowledged_by"}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	stamp := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	for _, c := range changes {
		by := ""
		if c.Acknowledged != nil {
			by = c.Acknowledged.By
		}
		row := func(field, want, have string) {
			rows = append(rows, []string{
				c.Machine, string(c.Facet), c.Key, string(c.Op), field, want, have, c.Severity, c.Drift, stamp(c.FirstSeen), stamp(c.LastSeen), string(c.State), by,
			})
		}
		if len(c.Fields) == 0 {
			row("", "", "")
		}
		for _, name := range sortedKeys(c.Fields) {
			row(name, text(c.Fields[name].Want), text(c.Fields[name].Have))
		}
	}
	return heads, rows
}

// writeChange writes one change as a line: what, where, and from what to what.
func (s style) writeChange(w io.Writer, c baseline.Change, width widths) {
	sign, paint := "~", s.warn
	switch c.Op {
	case baseline.Added:
		sign, paint = "+", s.good
	case baseline.Removed:
		sign, paint = "-", s.alarm
	}
	line := fmt.Sprintf("  %s %s %s %s",
		s.severity(c.Severity, pad(c.Severity.String(), 8)), pad(string(c.Facet), width.facet), paint(sign), pad(shownKey(c.Key), width.key))
	// The columns before the fields: severity, facet, sign and key.
	used := 2 + 8 + 1 + width.facet + 3 + max(width.key, len([]rune(shownKey(c.Key)))) + 2
	line += "  " + s.fold(used, s.fields(c), 13)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// fields tells a change's fields: "version 3.0.11 → 3.0.13", or "process nc, user root".
func (s style) fields(c baseline.Change) string {
	var parts []string
	for _, f := range c.Fields {
		switch {
		case f.Want != nil && f.Have != nil:
			parts = append(parts, fmt.Sprintf("%s %s → %s", s.dim(f.Name), shown(*f.Want), s.bold(shown(*f.Have))))
		case f.Have != nil && c.Notable(f.Name, *f.Have):
			parts = append(parts, fmt.Sprintf("%s %s", s.dim(f.Name), shown(*f.Have)))
		case f.Want != nil && c.Notable(f.Name, *f.Want):
			parts = append(parts, fmt.Sprintf("%s %s", s.dim(f.Name), shown(*f.Want)))
		}
	}
	return strings.Join(parts, ", ")
}

// shown shortens a value for a line and makes the empty one visible.
func shown(v string) string {
	const most = 60
	if v == "" {
		return "(none)"
	}
	if r := []rune(v); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return v
}

// shownKey shortens a key for people: one machine's key of 64 kB must not push the columns
// of all others out of sight, nor make every row as long.
func shownKey(key string) string {
	const most = 200
	if len(key) <= most {
		return key
	}
	if r := []rune(key); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return key
}

// widths are those of the columns facet and key.
type widths struct{ facet, key int }

// widthsOf are the widths of the columns of these changes; a long key pushes its own line out.
func widthsOf(changes []baseline.Change) widths {
	w := widths{facet: 8}
	for _, c := range changes {
		w.facet = max(w.facet, len(c.Facet))
		w.key = max(w.key, min(len([]rune(c.Key)), 40))
	}
	return w
}
