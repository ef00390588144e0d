package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// staleAfter is when what was seen last is too old to be taken for now: a night and a half.
const staleAfter = 36 * time.Hour

// A standing is where a machine stands, in one word. The first that is true of it counts: of a
// machine that was not seen, nobody knows whether it is in sync.
type standing string

const (
	notSeen    standing = "not seen"
	noBaseline standing = "no baseline"
	drifted    standing = "drifted"
	inSync     standing = "in sync"
)

// standingOf says where a machine with that many live findings stands.
func standingOf(m drift.MachineRecord, findings int) standing {
	switch {
	case m.LastObserved.IsZero() || m.Outcome != collector.OK && m.Outcome != collector.Partly:
		return notSeen
	case m.Compared == 0:
		return noBaseline
	case findings > 0:
		return drifted
	}
	return inSync
}

// phantom reports whether it is a name that somebody typed, perhaps wrongly, and nobody ever saw.
func phantom(m drift.MachineRecord) bool {
	return m.LastObserved.IsZero() && m.Machine.ID.Source == collector.Typed
}

// readInPart reports whether some facet of the machine was not read whole. What it does not have is no gap.
func readInPart(m drift.MachineRecord) bool {
	return slices.ContainsFunc(m.Facets, func(f drift.FacetRecord) bool {
		return f.Status != inventory.Complete && f.Status != inventory.Unsupported
	})
}

// here returns the machines of their own that are still listed.
func here(all []drift.MachineRecord) []drift.MachineRecord {
	var out []drift.MachineRecord
	for _, m := range all {
		if m.Here() {
			out = append(out, m)
		}
	}
	return out
}

// blindSpots says of what known drift says nothing: silence there is no good news.
func blindSpots(ms []drift.MachineRecord, now time.Time) []notice {
	unseen, partly, uncompared, old := 0, 0, 0, 0
	for _, m := range ms {
		switch s := standingOf(m, 0); {
		case phantom(m):
		case s == notSeen:
			unseen++
		case s == noBaseline:
			uncompared++
		case readInPart(m):
			partly++
		}
		if !m.LastObserved.IsZero() && now.Sub(m.LastObserved) > staleAfter && standingOf(m, 0) != notSeen {
			old++
		}
	}
	var out []notice
	add := func(n int, level, one, many, href string) {
		if n > 0 {
			out = append(out, notice{level, count(n, one, many) + ".", href, "Show"})
		}
	}
	level := "warn"
	if unseen*10 >= len(ms)*3 { // a night on which so much could not be read says so loudly
		level = "bad"
	}
	add(unseen, level, "machine was not seen when last tried: what is told of it is as it was seen before",
		"machines were not seen when last tried: what is told of them is as it was seen before", "/machines?standing=not+seen")
	add(old, "warn", "machine was not looked at for more than 36 hours", "machines were not looked at for more than 36 hours", "/machines?sort=seen")
	add(partly, "note", "machine was read only in part: what could not be read is not known to be in sync",
		"machines were read only in part: what could not be read is not known to be in sync", "/machines?gaps=1")
	add(uncompared, "note", "machine is held against no baseline, so nothing of it is drift", "machines are held against no baseline, so nothing of them is drift",
		"/machines?standing=no+baseline")
	return out
}

// outcomeText is how the last try went, or why there is none any more.
func outcomeText(m drift.MachineRecord) string {
	switch {
	case m.SameAs != "":
		return "is " + visible(m.SameAs)
	case !m.GoneAt.IsZero() && m.Machine.ID.Source == collector.Typed:
		return "forgotten"
	case !m.GoneAt.IsZero():
		return "gone from " + visible(m.Machine.ID.Source)
	}
	return either(string(m.Outcome), "never tried")
}

// labelText writes labels as a selector would; the implicit ones go without saying.
func labelText(labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != "kind" && k != "name" && k != "source" {
			parts = append(parts, k+"="+labels[k])
		}
	}
	return visible(strings.Join(parts, ", "))
}

// parseSelector reads a selector, in the notation of baselines: role=web,env!=dev. The empty one selects every machine.
func parseSelector(text string) (baseline.Selector, error) {
	s, err := baseline.ParseSelector(text)
	if err != nil {
		err = fmt.Errorf("%.200q selects no machines: %w; write it as in role=web,env!=dev", text, err)
	}
	return s, err
}

// labelSelector writes the selector of the machines with that label, or false if there is no way to write it.
func labelSelector(key, value string) (string, bool) {
	sel := key + "=" + value
	s, err := parseSelector(sel)
	return sel, err == nil && s.Selects(map[string]string{key: value})
}

// byName finds machines by their name.
func byName(ms []drift.MachineRecord) map[string]drift.MachineRecord {
	out := make(map[string]drift.MachineRecord, len(ms))
	for _, m := range ms {
		out[m.Machine.Name] = m
	}
	return out
}

// A tally counts by severity, in their order.
type tally [5]int

func (t tally) total() (n int) {
	for _, v := range t {
		n += v
	}
	return n
}

// A part of a whole, for a bar: Percent of it, as SVG takes it.
type part struct {
	Name    string
	Count   string
	N       int
	Percent string
	Offset  string
	Href    string
	Class   string
}

// stack sets parts beside each other.
func stack(parts []part) []part {
	total, before := 0, 0
	for _, p := range parts {
		total += p.N
	}
	for i := range parts {
		p := &parts[i]
		p.Count = number(p.N)
		p.Percent, p.Offset = percent(p.N, total), percent(before, total)
		before += p.N
	}
	return parts
}

func percent(n, of int) string {
	if of == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(n)/float64(of))
}
