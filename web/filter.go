package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A choice is an option of a select.
type choice struct {
	Value, Text string
	Current     bool
}

func choices(current string, pairs ...string) []choice {
	var out []choice
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, choice{pairs[i], pairs[i+1], pairs[i] == current})
	}
	return out
}

// A driftFilter is what a drift list shows, as its URL says it.
type driftFilter struct {
	severity, facet, baseline, label, state, age, text string
	machine                                            string // the whole name of one
	sort                                               string // one of driftOrders; "-" before it turns it round

	severities []baseline.Severity
	selector   baseline.Selector
	from, to   time.Time // in which a finding opened; zero is open
}

// An age restricts when a finding opened.
type age struct {
	name, text string
	d          time.Duration
	older      bool
}

// ages are those there are to choose from.
var ages = []age{
	{"24h", "in the last 24 hours", 24 * time.Hour, false},
	{"7d", "in the last 7 days", 7 * 24 * time.Hour, false},
	{"30d", "in the last 30 days", 30 * 24 * time.Hour, false},
	{"over7d", "more than 7 days ago", 7 * 24 * time.Hour, true},
	{"over30d", "more than 30 days ago", 30 * 24 * time.Hour, true},
}

// driftOrders are the ways to sort drifts, each in the order that a person wants first.
var driftOrders = map[string]func(a, b drift.Drift) int{
	"severity": func(a, b drift.Drift) int { return int(b.Change.Severity) - int(a.Change.Severity) },
	"machines": func(a, b drift.Drift) int { return len(b.Findings) - len(a.Findings) },
	"facet":    func(a, b drift.Drift) int { return cmp.Compare(a.Change.Facet, b.Change.Facet) },
	"key":      func(a, b drift.Drift) int { return cmp.Compare(a.Change.Key, b.Change.Key) },
	"opened": func(a, b drift.Drift) int {
		first, _ := spanOf(a)
		second, _ := spanOf(b)
		return second.Compare(first)
	},
	"seen": func(a, b drift.Drift) int {
		_, first := spanOf(a)
		_, second := spanOf(b)
		return second.Compare(first)
	},
}

const andWorse = "-and-worse"

// parseDriftFilter reads a filter. What makes no sense is told, rather than read as something else.
func parseDriftFilter(r *http.Request, now time.Time) (driftFilter, error) {
	q := r.URL.Query()
	f := driftFilter{
		severity: q.Get("severity"), facet: q.Get("facet"), baseline: visible(q.Get("baseline")), label: visible(strings.TrimSpace(q.Get("label"))), state: q.Get("state"),
		age: q.Get("age"), text: typed(q.Get("q")), sort: q.Get("sort"),
		machine: visible(q.Get("machine")),
	}
	wrong := func(sentence string) (driftFilter, error) {
		return f, unreadable(sentence, "/drift", "All open drift")
	}
	if f.severity != "" {
		name, worse := strings.CutSuffix(f.severity, andWorse)
		least, err := baseline.ParseSeverity(name)
		if err != nil {
			return wrong("There is no such severity: it is info, low, medium, high or critical.")
		}
		for _, v := range baseline.Severities() {
			if v == least || worse && v > least {
				f.severities = append(f.severities, v)
			}
		}
	}
	if f.facet != "" && !inventory.Facet(f.facet).Known() {
		return wrong("There is no such facet.")
	}
	if !slices.Contains([]string{"", "open", "acknowledged", "resolved", "all"}, f.state) {
		return wrong("There is no such state: it is open, acknowledged, resolved or all.")
	}
	if f.age != "" {
		i := slices.IndexFunc(ages, func(a age) bool { return a.name == f.age })
		switch {
		case i < 0:
			return wrong("There is no such age.")
		case ages[i].older:
			f.to = now.Add(-ages[i].d)
		default:
			f.from = now.Add(-ages[i].d)
		}
	}
	if _, ok := driftOrders[strings.TrimPrefix(f.sort, "-")]; !ok && f.sort != "" {
		return wrong("There is no such order.")
	}
	var err error
	if f.selector, err = parseSelector(f.label); err != nil {
		return wrong(err.Error() + ".")
	}
	return f, nil
}

// query is the part of the filter that the use case answers.
func (f driftFilter) query() drift.FindingQuery {
	q := drift.FindingQuery{States: drift.Live()}
	switch f.state {
	case "all":
		q.States = nil
	case "open", "acknowledged", "resolved":
		q.States = []drift.FindingState{drift.FindingState(f.state)}
	}
	if f.facet != "" {
		q.Facets = []inventory.Facet{inventory.Facet(f.facet)}
	}
	return q
}

// apply returns the drifts that match, in the order asked for. A drift has only those of its findings that match.
func (f driftFilter) apply(findings []drift.FindingRecord, machines map[string]drift.MachineRecord) []drift.Drift {
	part := strings.ToLower(f.text)
	texts := map[drift.ChangeID]bool{} // whether the change itself has the text: one change is on many machines
	var out []drift.FindingRecord
	for _, x := range findings {
		switch {
		case f.machine != "" && visible(x.MachineName) != f.machine,
			f.severities != nil && !slices.Contains(f.severities, x.Change.Severity),
			f.baseline != "" && x.Baseline != f.baseline,
			!f.from.IsZero() && x.OpenedAt.Before(f.from),
			!f.to.IsZero() && x.OpenedAt.After(f.to),
			f.label != "" && !f.selector.Selects(machines[x.MachineName].Machine.Labels):
			continue
		}
		if part != "" {
			has, known := texts[x.ChangeID]
			if !known {
				has = contains(part, x.Change.String(), x.Change.ID())
				texts[x.ChangeID] = has
			}
			if !has && !contains(part, visible(x.MachineName), x.Acknowledged.By, x.Acknowledged.Note) {
				continue
			}
		}
		out = append(out, x)
	}
	drifts := drift.Group(out)
	if f.sort != "" {
		name, turned := strings.CutPrefix(f.sort, "-")
		order := driftOrders[name]
		slices.SortStableFunc(drifts, func(a, b drift.Drift) int {
			if turned {
				return order(b, a)
			}
			return order(a, b)
		})
	}
	return drifts
}

// among returns the machines that the list is about.
func (f driftFilter) among(ms []drift.MachineRecord) []drift.MachineRecord {
	return slices.DeleteFunc(selected(ms, f.selector), func(m drift.MachineRecord) bool {
		return f.machine != "" && visible(m.Machine.Name) != f.machine || f.baseline != "" && m.Baseline != f.baseline
	})
}

// values is the filter as its URL says it, with some of it otherwise.
func (f driftFilter) values(otherwise ...string) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"severity": f.severity, "facet": f.facet, "baseline": f.baseline, "label": f.label, "state": f.state, "age": f.age, "q": f.text, "sort": f.sort, "machine": f.machine,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for i := 0; i < len(otherwise); i += 2 {
		v.Del(otherwise[i])
		if otherwise[i+1] != "" {
			v.Set(otherwise[i], otherwise[i+1])
		}
	}
	return v
}

func address(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// A pager leads through a long list.
type pager struct {
	From, To, Of string
	Prev, Next   string // addresses; empty at the ends
	All          bool   // the whole list is on the page
}

// pageOf reads ?page= and returns which of n entries are on it.
func pageOf(r *http.Request, n, size int) (from, to int, p pager) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = min(max(page, 1), max((n+size-1)/size, 1))
	from = (page - 1) * size
	to = min(from+size, n)
	there := func(page int) string {
		v := r.URL.Query()
		v.Set("page", strconv.Itoa(page))
		if page == 1 {
			v.Del("page")
		}
		return address(r.URL.EscapedPath(), v)
	}
	p = pager{From: number(min(from+1, n)), To: number(to), Of: number(n), All: n <= size}
	if page > 1 {
		p.Prev = there(page - 1)
	}
	if to < n {
		p.Next = there(page + 1)
	}
	return from, to, p
}

// A column is the head of a list's column that can be sorted by.
type column struct {
	Text, Href, Sorted string // Sorted is "ascending", "descending" or empty
	Number             bool
}

// columnsFor heads columns: name, text, and whether its first order is ascending. The one that is current leads to
// its own reverse.
func columnsFor(current, fallback string, there func(sort string) string, heads ...sortHead) []column {
	is, turned := strings.CutPrefix(either(current, fallback), "-")
	var out []column
	for _, h := range heads {
		c := column{Text: h.text, Number: h.number}
		switch {
		case h.name == "":
		case h.name != is:
			c.Href = there(h.name)
		default:
			c.Href, c.Sorted = there("-"+h.name), "descending"
			if turned {
				c.Href = there(h.name)
			}
			if h.ascending != turned {
				c.Sorted = "ascending"
			}
		}
		out = append(out, c)
	}
	return out
}

type sortHead struct {
	name, text string
	ascending  bool // what order comes first
	number     bool
}
