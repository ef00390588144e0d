package store_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

// A nightFigure is what one night cost, and how long questions take after it.
type nightFigure struct {
	record, machines, find time.Duration
	disk                   int64 // bytes, all tables and indexes
}

// BenchmarkHundredNights records a hundred nights of 2,000 machines, of which 2 % change every night, and all of one image once a
// month. What a night takes, and what is asked after it, is to stay as it is: the last ten nights take at most 1.5 times what the
// ten after the first month took, and the disk grows by a line. With VMDRIFT_PLOT it writes a picture of it there.
func BenchmarkHundredNights(b *testing.B) {
	const machines, nights = 2000, 100
	url := testdb.New(b)
	s := testdb.Open(b, url)
	fleet := simfleet.New(1, machines)
	var all []nightFigure
	for b.Loop() {
		if len(all) > 0 {
			b.Fatal("run it with -benchtime 1x")
		}
		for n := range nights {
			if n > 0 {
				fleet.Night()
			}
			var f nightFigure
			f.record = timed(func() { recordNight(b, s, n, fleet.Machines()) })
			f.machines = timed(func() {
				_, err := s.ListMachines(context.Background())
				must(b, err)
			})
			f.find = timed(func() {
				_, err := s.FindItems(context.Background(), inventory.Ports, []string{"tcp/0.0.0.0:8042"}, func(inventory.Item) bool { return true }, time.Time{})
				must(b, err)
			})
			if n%5 == 4 || n == 0 {
				f.disk, _ = diskOf(b, url)
			}
			all = append(all, f)
		}
	}
	for _, c := range []struct {
		what string
		of   func(nightFigure) time.Duration
	}{
		{"night", func(f nightFigure) time.Duration { return f.record }},
		{"list", func(f nightFigure) time.Duration { return f.machines }},
		{"find", func(f nightFigure) time.Duration { return f.find }},
	} {
		early, late := medianOf(all[30:40], c.of), medianOf(all[90:], c.of)
		b.ReportMetric(late.Seconds()/early.Seconds(), "x-"+c.what)
		if late > early*3/2 {
			b.Errorf("%s: %s in the last ten nights, %s in nights 30 to 40: it grows", c.what, late, early)
		}
	}
	b.ReportMetric(float64(all[99].disk-all[49].disk)/50/machines, "bytes/VM-night")
	if path := os.Getenv("VMDRIFT_PLOT"); path != "" {
		must(b, os.WriteFile(path, []byte(plot(all, machines)), 0o644))
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func medianOf(fs []nightFigure, of func(nightFigure) time.Duration) time.Duration {
	var ds []time.Duration
	for _, f := range fs {
		ds = append(ds, of(f))
	}
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// plot draws the nights: time per night and per question on the left, the disk on the right.
func plot(all []nightFigure, machines int) string {
	const w, h, left, top = 860, 300, 60, 30
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", w+2*left, h+2*top+20)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="18">%d machines, %d nights, 2 %% changed every night, one image patched each month</text>`+"\n", left, machines, len(all))
	draw := func(colour, name string, value func(nightFigure) float64, most float64, unit string, row int) {
		var points []string
		for i, f := range all {
			if v := value(f); v > 0 {
				points = append(points, fmt.Sprintf("%.1f,%.1f", left+float64(i)*w/float64(len(all)-1), top+h-v/most*h))
			}
		}
		fmt.Fprintf(&out, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colour, strings.Join(points, " "))
		fmt.Fprintf(&out, `<text x="%d" y="%d" fill="%s">%s (top: %.3g %s)</text>`+"\n", left+row*210, top+h+35, colour, name, most, unit)
	}
	top2 := func(value func(nightFigure) float64) float64 {
		most := 0.0
		for _, f := range all[1:] {
			most = max(most, value(f))
		}
		return most * 1.1
	}
	record := func(f nightFigure) float64 { return f.record.Seconds() }
	list := func(f nightFigure) float64 { return f.machines.Seconds() * 1000 }
	find := func(f nightFigure) float64 { return f.find.Seconds() * 1000 }
	disk := func(f nightFigure) float64 { return float64(f.disk) / 1e6 }
	fmt.Fprintf(&out, `<path d="M%d %dV%dH%d" fill="none" stroke="#888"/>`+"\n", left, top, top+h, left+w)
	all[0].record = all[1].record // the first is of another kind: everything is new
	draw("#0b57b7", "a night", record, top2(record), "s", 0)
	draw("#c2570c", "list of machines", list, top2(list), "ms", 1)
	draw("#7a3db8", "find", find, top2(find), "ms", 2)
	draw("#2e7d4f", "disk", disk, top2(disk), "MB", 3)
	out.WriteString("</svg>\n")
	return out.String()
}
