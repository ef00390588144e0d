package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A heat map shows where in the fleet drift is: of the machines with a label's value, how many have
// open drift in a facet, and how many could not be read there.
type heat struct {
	By     string
	Keys   []heatKey // by which it could be
	Values []heatValue
	Rows   []heatRow
	Others string // machines whose value has no column; empty if none
}

type heatKey struct {
	Key, Href string
	Current   bool
}

type heatValue struct{ Value, Machines, Href string }

type heatRow struct {
	Facet string
	Cells []heatCell
}

type heatCell struct {
	Text    string // "3 of 12"; empty if none of them has drift
	Level   int    // 0 to 4, of the share
	Unknown string // "2 not read"; empty if none
	Href    string
}

const (
	mostValues = 10 // columns
	mostKeys   = 12 // to choose from
)

// heatOf counts by the label named, or by the one that parts the fleet best.
func heatOf(ms []drift.MachineRecord, live []drift.FindingRecord, by string) *heat {
	keys := labelKeys(ms)
	if len(keys) == 0 {
		return nil
	}
	if !slices.Contains(keys, by) {
		by = keys[0]
	}
	h := &heat{By: cut(visible(by), 60)}
	for _, k := range keys[:min(len(keys), mostKeys)] {
		h.Keys = append(h.Keys, heatKey{cut(visible(k), 60), "/" + query("by", k) + "#heat", k == by})
	}

	machines := map[string]int{}
	value := map[drift.MachineRow]string{}
	for _, m := range ms {
		if v, ok := m.Machine.Labels[by]; ok {
			value[m.Row] = v
			machines[v]++
		}
	}
	type place struct {
		facet inventory.Facet
		value string
	}
	type drifting struct {
		place
		machine drift.MachineRow
	}
	with, unread, facets := map[place]int{}, map[place]int{}, map[inventory.Facet]bool{}
	counted := map[drifting]bool{}
	for _, f := range live {
		v, ok := value[f.Machine]
		if !ok {
			continue
		}
		p := place{f.Change.Facet, v}
		if d := (drifting{p, f.Machine}); !counted[d] {
			counted[d] = true
			with[p]++
		}
		facets[f.Change.Facet] = true
	}
	for _, m := range ms {
		v, ok := value[m.Row]
		if !ok {
			continue
		}
		for _, f := range m.Facets {
			if standingOf(m, 0) == notSeen && f.Facet != inventory.Presence || f.Status != inventory.Complete && f.Status != inventory.Unsupported {
				unread[place{f.Facet, v}]++
				facets[f.Facet] = true
			}
		}
	}
	values := slices.SortedFunc(maps.Keys(machines), func(a, b string) int { return cmp.Or(machines[b]-machines[a], cmp.Compare(a, b)) })
	if others := len(values) - mostValues; others > 0 {
		h.Others = count(others, "other value", "other values")
		values = values[:mostValues]
	}
	for _, v := range values {
		sel, ok := labelSelector(by, v)
		href := ""
		if ok {
			href = "/machines" + query("label", sel)
		}
		h.Values = append(h.Values, heatValue{cut(visible(either(v, "(none)")), 40), count(machines[v], "machine", "machines"), href})
	}
	for _, f := range slices.Sorted(maps.Keys(facets)) {
		row := heatRow{Facet: string(f)}
		for _, v := range values {
			p := place{f, v}
			c := heatCell{Level: level(with[p], machines[v])}
			if with[p] > 0 {
				c.Text = fmt.Sprintf("%s of %s", number(with[p]), number(machines[v]))
				if sel, ok := labelSelector(by, v); ok {
					c.Href = "/drift" + query("facet", string(f), "label", sel)
				}
			}
			if unread[p] > 0 {
				c.Unknown = number(unread[p]) + " not read"
			}
			row.Cells = append(row.Cells, c)
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

// level is the share of machines with drift in four steps; a single one of many is a step.
func level(n, of int) int {
	if n == 0 || of == 0 {
		return 0
	}
	return min(1+4*n/of, 4)
}

// labelKeys returns the keys of labels that part the fleet, the best first: those that most machines
// have, in a handful of values. One that names every machine parts nothing.
func labelKeys(ms []drift.MachineRecord) []string {
	n, values := map[string]int{}, map[string]map[string]bool{}
	for _, m := range ms {
		for k, v := range m.Machine.Labels {
			if values[k] == nil {
				values[k] = map[string]bool{}
			}
			n[k]++
			if len(values[k]) <= 10*mostValues {
				values[k][v] = true
			}
		}
	}
	rank := func(k string) int {
		switch v := len(values[k]); {
		case k == "role":
			return 0
		case v > 1 && v <= mostValues && k != "source" && k != "kind":
			return 1
		case v > 1 && v <= mostValues:
			return 2
		case v == 1:
			return 3
		}
		return 4
	}
	var keys []string
	for k := range n {
		if k != "name" && (len(values[k]) < n[k] || len(ms) <= mostValues && n[k] > 0) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(rank(a)-rank(b), n[b]-n[a], cmp.Compare(a, b)) })
	return keys
}
