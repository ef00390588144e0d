package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
)

const trendDays = 90

// A trend is how many findings were open at the end of each of the last 90 days (UTC), the
// last one being now. Of a finding that came back only its last stay counts, since no more is kept.
type trend struct {
	From, To    string // dates
	Most        string
	All, Bad    string // SVG paths in a box of 900 by 100; Bad is high and critical
	Label       string // the whole in one sentence
	Rows        []trendRow
	KnownSince  string // a date, if nothing was known before it; else empty
	KnownOffset string // where that date stands in the box
}

type trendRow struct{ Day, All, Bad string }

// trendOf counts a finding on every day at whose end it was open. It takes one pass over the findings.
func trendOf(findings []drift.FindingRecord, known, now time.Time) *trend {
	now = now.UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	first := today.AddDate(0, 0, 1-trendDays)
	dayOf := func(t time.Time) int { return int(t.Sub(first)/(24*time.Hour)) - btoi(t.Before(first)) }
	var all, bad [trendDays + 1]int // what began on a day less what ended on it
	for _, f := range findings {
		from, to := max(dayOf(f.OpenedAt), 0), trendDays
		if f.State == drift.Resolved {
			to = dayOf(f.ResolvedAt)
		}
		if to <= from || from >= trendDays {
			continue // over before the day's end, or before the first day
		}
		all[from]++
		all[to]--
		if f.Change.Severity >= baseline.High {
			bad[from]++
			bad[to]--
		}
	}
	most := 0
	for d := 1; d < trendDays; d++ {
		all[d] += all[d-1]
		bad[d] += bad[d-1]
	}
	for _, n := range all[:trendDays] {
		most = max(most, n)
	}
	t := &trend{From: first.Format("2 Jan"), To: "today", Most: number(most)}
	from := 0 // before it nothing is known, which is not zero
	if d := dayOf(known); !known.IsZero() && d > 0 {
		from = min(d, trendDays-1)
		t.KnownSince, t.KnownOffset = known.UTC().Format("2 January"), fmt.Sprintf("%.1f", xOf(from))
	}
	t.All, t.Bad = area(all[:trendDays], from, most), area(bad[:trendDays], from, most)
	t.Label = fmt.Sprintf("Open findings on %d days: %s on %s, %s today, at most %s; of these high or critical: %s today.",
		trendDays, number(all[0]), first.Format("2 January"), number(all[trendDays-1]), number(most), number(bad[trendDays-1]))
	for d := trendDays - 1; d >= from; d -= 7 {
		t.Rows = append(t.Rows, trendRow{first.AddDate(0, 0, d).Format("2006-01-02"), number(all[d]), number(bad[d])})
	}
	return t
}

// xOf is where a day stands.
func xOf(day int) float64 { return 900 * float64(day) / (trendDays - 1) }

// area draws one point a day, the most at the top.
func area(values []int, from, most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f 100", xOf(from))
	for d := from; d < len(values); d++ {
		y := 100.0
		if most > 0 {
			y = 100 - 100*float64(values[d])/float64(most)
		}
		fmt.Fprintf(&b, "L%.1f %.1f", xOf(d), y)
	}
	b.WriteString("L900 100Z")
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
