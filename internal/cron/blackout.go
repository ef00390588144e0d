package cron

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Blackout is a time in which nothing is scanned: every day, on some days of the week, or once.
type Blackout struct {
	zone     *time.Location
	days     []time.Weekday // on which it begins; none are all
	from, to int            // minutes of the day; to is greater, and beyond 24 h if it ends on the next day
	begin    time.Time      // of one that comes once
	end      time.Time
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseBlackout reads one of
//
//	08:00-18:00            every day; the end may lie on the next day: 22:00-06:00
//	mon,fri 08:00-18:00    on days of the week
//	2026-12-24/2027-01-02  whole days, both of them too
//
// in a zone as Parse takes it.
func ParseBlackout(text, zone string) (Blackout, error) {
	loc, err := location(zone)
	if err != nil {
		return Blackout{}, err
	}
	b := Blackout{zone: loc}
	wrong := fmt.Errorf("%q is no blackout; write 22:00-06:00, mon,fri 08:00-18:00 or 2026-12-24/2027-01-02", text)
	if first, last, ok := strings.Cut(text, "/"); ok {
		var errs [2]error
		b.begin, errs[0] = time.ParseInLocation(time.DateOnly, first, loc)
		b.end, errs[1] = time.ParseInLocation(time.DateOnly, last, loc)
		if b.end = b.end.AddDate(0, 0, 1); errs[0] != nil || errs[1] != nil || !b.end.After(b.begin) {
			return Blackout{}, wrong
		}
		return b, nil
	}
	days, span, ok := strings.Cut(text, " ")
	if !ok {
		days, span = "", text
	}
	for d := range strings.SplitSeq(days, ",") {
		i := slices.Index(weekdays, strings.ToLower(d))
		if i < 0 && days != "" {
			return Blackout{}, wrong
		}
		if i >= 0 {
			b.days = append(b.days, time.Weekday(i))
		}
	}
	from, to, _ := strings.Cut(span, "-")
	var okFrom, okTo bool
	b.from, okFrom = minutes(from)
	b.to, okTo = minutes(to)
	if !okFrom || !okTo || b.from == b.to || b.from == 24*60 {
		return Blackout{}, wrong
	}
	if b.to < b.from {
		b.to += 24 * 60
	}
	return b, nil
}

// minutes reads 00:00 to 24:00.
func minutes(text string) (int, bool) {
	if text == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil && len(text) == 5
}

// Until returns when the blackout that holds at t ends, or the zero time if none does.
func (b Blackout) Until(t time.Time) time.Time {
	if !b.end.IsZero() {
		if t.Before(b.begin) || !t.Before(b.end) {
			return time.Time{}
		}
		return b.end
	}
	y, m, d := t.In(b.zone).Date()
	for _, day := range []int{d - 1, d} {
		if begins := time.Date(y, m, day, 0, b.from, 0, 0, b.zone); len(b.days) > 0 && !slices.Contains(b.days, begins.Weekday()) {
			continue
		} else if end := time.Date(y, m, day, 0, b.to, 0, 0, b.zone); !t.Before(begins) && t.Before(end) {
			return end
		}
	}
	return time.Time{}
}

// Blackouts are several.
type Blackouts []Blackout

// ParseBlackouts reads all of them.
func ParseBlackouts(texts []string, zone string) (Blackouts, error) {
	var out Blackouts
	for _, text := range texts {
		b, err := ParseBlackout(text, zone)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// Until returns when t is free of all of them, t itself if it is, and the zero time if that takes more than a year.
func (bs Blackouts) Until(t time.Time) time.Time {
	for limit := t.AddDate(1, 0, 0); t.Before(limit); {
		end := time.Time{}
		for _, b := range bs {
			if e := b.Until(t); e.After(end) {
				end = e
			}
		}
		if end.IsZero() {
			return t
		}
		t = end
	}
	return time.Time{}
}
