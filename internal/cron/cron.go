// Package cron tells when a schedule is due: a cron expression in a time zone, such
// that a change of the clocks neither leaves a night out nor makes it come twice.
package cron

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a minimal container has no zones of its own

	"github.com/robfig/cron/v3"
)

// A Schedule is a parsed expression.
type Schedule struct {
	// wall is the expression on a clock that is never changed.
	wall cron.Schedule
	zone *time.Location
	// elapsed says that the expression comes round by time gone by, every hour or oftener:
	// then it goes by that, and not by what the clock on the wall shows.
	elapsed bool
}

// Parse reads an expression of five fields (minute, hour, day of the month, month, day of the week)
// or one of @hourly, @daily, @weekly, @monthly and @yearly, for a zone of the IANA database; the empty zone is UTC.
func Parse(expression, zone string) (Schedule, error) {
	loc, err := location(zone)
	if err != nil {
		return Schedule{}, err
	}
	text := strings.TrimSpace(expression)
	if strings.Contains(text, "TZ=") {
		return Schedule{}, fmt.Errorf("%q: the time zone is a setting of its own", text)
	}
	if strings.HasPrefix(text, "@every") {
		return Schedule{}, fmt.Errorf("%q: write it as a cron expression, such as */15 * * * *", text)
	}
	wall, err := cron.ParseStandard("TZ=UTC " + text)
	if err != nil {
		return Schedule{}, fmt.Errorf("%q is no cron expression (minute hour day month weekday, such as 0 2 * * *): %w", text, err)
	}
	fields := strings.Fields(text)
	hourly := text == "@hourly" || len(fields) == 5 && strings.HasPrefix(fields[1], "*")
	return Schedule{wall: wall, zone: loc, elapsed: hourly}, nil
}

func location(zone string) (*time.Location, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" { // which is another one on each host
		return nil, fmt.Errorf("there is no time zone %q; write one such as Europe/Berlin or UTC", zone)
	}
	return loc, nil
}

// Next returns the first time after t at which the schedule is due, or the zero time if there is none within
// five years. A time of day that the clocks jump over is due when they have jumped; one that
// they show twice is due the first time.
func (s Schedule) Next(t time.Time) time.Time {
	if s.elapsed {
		return s.nextElapsed(t)
	}
	// An hour back, since the clock may show again what it has shown.
	for w := onWall(t, s.zone).Add(-3 * time.Hour); ; {
		if w = s.wall.Next(w); w.IsZero() {
			return time.Time{}
		}
		if at := s.at(w); at.After(t) {
			return at
		}
	}
}

// nextElapsed follows the zone's offset as it is at each time.
func (s Schedule) nextElapsed(t time.Time) time.Time {
	for limit := t.AddDate(5, 0, 0); t.Before(limit); {
		_, offset := t.In(s.zone).Zone()
		shift := time.Duration(offset) * time.Second
		w := s.wall.Next(t.UTC().Add(shift))
		if w.IsZero() {
			return time.Time{}
		}
		at := w.Add(-shift)
		_, end := t.In(s.zone).ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		// Beyond the change the clock shows something else. One nanosecond before it, so that
		// the moment itself may be due.
		if _, after := end.In(s.zone).Zone(); s.wall.Next(end.UTC().Add(time.Duration(after)*time.Second - time.Nanosecond)).Equal(end.UTC().Add(time.Duration(after) * time.Second)) {
			return end
		}
		t = end
	}
	return time.Time{}
}

// onWall is what the clock on the wall shows at t, as if that were UTC.
func onWall(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// at is when the clock on the wall shows w first, or, if it jumps over it, would have.
func (s Schedule) at(w time.Time) time.Time {
	_, before := w.Add(-24 * time.Hour).In(s.zone).Zone()
	_, after := w.Add(24 * time.Hour).In(s.zone).Zone()
	first, second := w.Add(-time.Duration(before)*time.Second), w.Add(-time.Duration(after)*time.Second)
	if second.Before(first) {
		first, second = second, first
	}
	for _, at := range []time.Time{first, second} {
		if onWall(at, s.zone).Equal(w) {
			return at
		}
	}
	return w.Add(-time.Duration(before) * time.Second)
}
