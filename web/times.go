package web

import (
	"fmt"
	"time"
)

// A moment is a time as a page shows it: relative, with the exact one at hand.
type moment struct {
	ISO   string // for machines; empty if it never was
	Exact string
	Text  string
}

const exactForm = "2006-01-02 15:04 UTC"

// at shows a time as people read it: how long ago, and on which day beyond a week.
func at(t, now time.Time) moment {
	if t.IsZero() {
		return moment{Text: "never"}
	}
	t = t.UTC()
	m := moment{ISO: t.Format(time.RFC3339), Exact: t.Format(exactForm), Text: t.Format("2006-01-02")}
	switch ago := now.Sub(t); {
	case ago < 0:
		m.Text = m.Exact
	case ago < time.Minute:
		m.Text = "just now"
	case ago < time.Hour:
		m.Text = fmt.Sprintf("%d min ago", int(ago.Minutes()))
	case ago < 48*time.Hour:
		m.Text = fmt.Sprintf("%d h ago", int(ago.Hours()))
	case ago < 8*24*time.Hour:
		m.Text = fmt.Sprintf("%d days ago", int(ago.Hours()/24))
	}
	return m
}

// lasted writes how long something took: "42 s", "7 min", "2 h 5 min".
func lasted(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Second:
		return "less than 1 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// parseAt reads a moment that somebody typed, in UTC; empty is the zero time. A date alone is its end.
func parseAt(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t.AddDate(0, 0, 1).Add(-time.Microsecond), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time; write 2026-11-01, 2026-11-01T04:00, or RFC 3339", s)
}
