package cron_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vmdrift/vmdrift/internal/cron"
)

func dues(t *testing.T, expr, zone, from string, n int) []string {
	t.Helper()
	s, err := cron.Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for range n {
		at = s.Next(at)
		out = append(out, at.In(loc).Format("01-02 15:04 MST"))
	}
	return out
}

func TestClocksThatChangeNeitherSkipNorDouble(t *testing.T) {
	for _, c := range []struct{ name, expr, zone, from, want string }{
		{"jumped over", "30 2 * * *", "Europe/Berlin", "2027-03-27T00:00:00Z", "03-27 02:30 CET, 03-28 03:30 CEST, 03-29 02:30 CEST"},
		{"shown twice", "30 2 * * *", "Europe/Berlin", "2027-10-30T00:00:00Z", "10-30 02:30 CEST, 10-31 02:30 CEST, 11-01 02:30 CET"},
		{"between the two", "30 2 * * *", "Europe/Berlin", "2027-10-31T00:45:00Z", "11-01 02:30 CET"},
		{"in the second one", "30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", "11-01 02:30 CET"},
		{"every hour, an hour less", "0 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", "03-28 03:00 CEST, 03-28 04:00 CEST"},
		{"every hour, an hour more", "0 * * * *", "Europe/Berlin", "2027-10-31T00:00:00Z", "10-31 02:00 CET, 10-31 03:00 CET"},
		{"every quarter", "*/15 * * * *", "America/New_York", "2027-11-07T05:44:00Z", "11-07 01:45 EDT, 11-07 01:00 EST, 11-07 01:15 EST"},
		{"half an hour's change", "0 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z", "10-03 02:30 +11, 10-04 02:00 +11"},
		{"two that fall together", "30 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", "03-28 03:30 CEST, 03-29 02:30 CEST"},
		{"a leap day", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "02-29 00:00 UTC"},
		{"by name", "@daily", "UTC", "2026-01-01T00:00:00Z", "01-02 00:00 UTC, 01-03 00:00 UTC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(dues(t, c.expr, c.zone, c.from, strings.Count(c.want, ",")+1), ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Whatever the zone and the year, a night's scan is due once a day.
func TestANightlyScheduleIsDueOncePerDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC", "Asia/Kolkata", "Africa/Casablanca"}).Draw(t, "zone")
		expr := rapid.SampledFrom([]string{"0 0 * * *", "30 1 * * *", "0 2 * * *", "30 2 * * *", "59 2 * * *", "0 3 * * *", "15 23 * * *"}).Draw(t, "expr")
		s, err := cron.Parse(expr, zone)
		if err != nil {
			t.Fatal(err)
		}
		loc, _ := time.LoadLocation(zone)
		year := rapid.IntRange(2020, 2035).Draw(t, "year")
		at := time.Date(year, 1, 1, 23, 59, 0, 0, loc)
		for day := 2; day <= 365; day++ {
			at = s.Next(at)
			if want := time.Date(year, 1, day, 12, 0, 0, 0, loc); at.In(loc).Format(time.DateOnly) != want.Format(time.DateOnly) {
				t.Fatalf("%s in %s: due %s, want on %s", expr, zone, at.In(loc), want.Format(time.DateOnly))
			}
		}
	})
}

func TestWhatIsNoScheduleSaysSo(t *testing.T) {
	for expr, want := range map[string]string{
		"":                    "no cron expression",
		"61 2 * * *":          "no cron expression",
		"0 2 * *":             "no cron expression",
		"@every 5m":           "*/15 * * * *",
		"TZ=UTC 0 2 * * *":    "setting of its own",
		"CRON_TZ=UTC 0 2 * *": "setting of its own",
	} {
		if _, err := cron.Parse(expr, "UTC"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expr, err, want)
		}
	}
	for _, zone := range []string{"Berlin", "Local", "../etc"} {
		if _, err := cron.Parse("0 2 * * *", zone); err == nil || !strings.Contains(err.Error(), "Europe/Berlin") {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
	s, err := cron.Parse("0 0 30 2 *", "UTC")
	if err != nil || !s.Next(time.Now()).IsZero() {
		t.Errorf("the 30th of February: %v, %v", s.Next(time.Now()), err)
	}
}

func TestBlackouts(t *testing.T) {
	for _, c := range []struct{ texts, at, want string }{
		{"08:00-18:00", "2026-11-02T12:00:00Z", "2026-11-02T18:00:00Z"},
		{"08:00-18:00", "2026-11-02T18:00:00Z", "2026-11-02T18:00:00Z"},
		{"08:00-18:00", "2026-11-02T07:59:59Z", "2026-11-02T07:59:59Z"},
		{"22:00-06:00", "2026-11-02T23:00:00Z", "2026-11-03T06:00:00Z"},
		{"22:00-06:00", "2026-11-03T05:00:00Z", "2026-11-03T06:00:00Z"},
		{"mon 22:00-06:00", "2026-11-03T05:00:00Z", "2026-11-03T06:00:00Z"}, // the 2nd is a Monday
		{"tue 22:00-06:00", "2026-11-03T05:00:00Z", "2026-11-03T05:00:00Z"},
		{"mon,Wed 00:00-24:00", "2026-11-04T10:00:00Z", "2026-11-05T00:00:00Z"},
		{"2026-11-02/2026-11-03", "2026-11-03T23:59:00Z", "2026-11-04T00:00:00Z"},
		{"2026-11-02/2026-11-03;00:00-06:00", "2026-11-02T12:00:00Z", "2026-11-04T06:00:00Z"},
		{"00:00-12:00;12:00-24:00", "2026-11-02T12:00:00Z", "0001-01-01T00:00:00Z"},
		{"", "2026-11-02T12:00:00Z", "2026-11-02T12:00:00Z"},
	} {
		var texts []string
		if c.texts != "" {
			texts = strings.Split(c.texts, ";")
		}
		bs, err := cron.ParseBlackouts(texts, "UTC")
		if err != nil {
			t.Errorf("%s: %v", c.texts, err)
			continue
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		if got := bs.Until(at).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s at %s: free at %s, want %s", c.texts, c.at, got, c.want)
		}
	}
	for _, text := range []string{"", "8-18", "08:00", "08:00-08:00", "24:00-06:00", "someday 08:00-18:00", "2026-12-24/2026-12-01", "mon", "25:00-26:00"} {
		if _, err := cron.ParseBlackout(text, "UTC"); err == nil || !strings.Contains(err.Error(), "22:00-06:00") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
