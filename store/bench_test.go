package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

// cpu returns the CPU time of this process so far, in user and system mode. The server's is not in it.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The budget: 10,000 machines for 30 nights, at most 100 bytes per machine and night, indexes and all.
func BenchmarkDiskPerVMNight(b *testing.B) {
	const machines, nights = 10_000, 30
	url := testdb.New(b)
	s := testdb.Open(b, url)
	fleet := simfleet.New(1, machines)
	b.ResetTimer()
	for range b.N {
		for n := range nights {
			if n > 0 {
				fleet.Night()
			}
			recordNight(b, s, n, fleet.Machines())
		}
	}
	b.StopTimer()
	total, byTable := diskOf(b, url)
	for _, table := range slices.Sorted(maps.Keys(byTable)) {
		if per := float64(byTable[table]) / machines / nights; per >= 0.1 {
			b.Logf("%-20s %6.1f bytes per VM-night", table, per)
		}
	}
	per := float64(total) / machines / nights
	b.ReportMetric(per, "bytes/VM-night")
	if per > 100 {
		b.Errorf("%.0f bytes per VM-night, the budget is 100", per)
	}
}

// Machines that nothing is known of, in an empty database.
func BenchmarkColdIngest(b *testing.B) {
	const machines = 2000
	var used time.Duration
	for range b.N {
		b.StopTimer()
		s := testdb.Store(b)
		fleet := simfleet.New(1, machines)
		b.StartTimer()
		before := cpu()
		recordNight(b, s, 0, fleet.Machines())
		used += cpu() - before
	}
	b.ReportMetric(float64(machines*b.N)/used.Seconds(), "snapshots/CPU-s")
	b.ReportMetric(float64(machines*b.N)/b.Elapsed().Seconds(), "snapshots/s")
}

// A night in which nothing has changed.
func BenchmarkQuietNight(b *testing.B) {
	const machines = 2000
	s := testdb.Store(b)
	fleet := simfleet.New(1, machines)
	recordNight(b, s, 0, fleet.Machines())
	b.ResetTimer()
	before, n := cpu(), 0
	for b.Loop() {
		n++
		recordNight(b, s, n, fleet.Machines())
	}
	b.ReportMetric(float64(machines*n)/(cpu()-before).Seconds(), "machines/CPU-s")
	b.ReportMetric(float64(machines*n)/b.Elapsed().Seconds(), "machines/s")
}

// Which machines have this item, among 10,000.
func BenchmarkFind(b *testing.B) {
	const machines = 10_000
	s := testdb.Store(b)
	fleet := simfleet.New(1, machines)
	recordNight(b, s, 0, fleet.Machines())
	for n := range 5 {
		recordNight(b, s, n+1, fleet.Night())
	}
	for _, c := range []struct {
		name   string
		facet  inventory.Facet
		prefix string
		at     time.Time
	}{
		{"rare", inventory.Ports, "tcp/0.0.0.0:8042", time.Time{}},
		{"rare then", inventory.Ports, "tcp/0.0.0.0:8042", night(3)},
		{"on all", inventory.Ports, "tcp/0.0.0.0:22", time.Time{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			hits := 0
			for b.Loop() {
				got, err := s.FindItems(context.Background(), c.facet, []string{c.prefix}, func(inventory.Item) bool { return true }, c.at)
				must(b, err)
				hits = len(got)
			}
			b.ReportMetric(float64(hits), "hits")
			if hits == 0 {
				b.Error(fmt.Errorf("nothing has %s", c.prefix))
			}
		})
	}
}

// What a machine with news costs where there are many findings: reading its findings, and writing one.
func BenchmarkFindingsOfAMachine(b *testing.B) {
	const machines, each = 2000, 50
	ctx := context.Background()
	s := testdb.Store(b)
	fleet := simfleet.New(1, machines)
	recordNight(b, s, 0, fleet.Machines())
	all, err := s.ListMachines(ctx)
	must(b, err)
	for part := range slices.Chunk(all, 200) {
		var fs []drift.Finding
		for i, m := range part {
			for n := range each {
				fs = append(fs, opened(m.Row, change(fmt.Sprintf("deb/%d", (i+n)%500)), 0))
			}
		}
		inTx(b, s, func(tx drift.Tx) { must(b, tx.PutFindings(ctx, fs)) })
	}
	b.ResetTimer()
	n := 0
	for b.Loop() {
		row := all[n%machines].Row
		n++
		inTx(b, s, func(tx drift.Tx) {
			c := change(fmt.Sprintf("deb/%d", 400+n%100))
			fs, err := tx.FindingsOf(ctx, map[drift.MachineRow][]inventory.Digest{row: {c.Digest()}})
			must(b, err)
			if len(fs) < each {
				b.Errorf("machine %d has %d", row, len(fs))
			}
			must(b, tx.PutFindings(ctx, []drift.Finding{opened(row, c, 1)}))
		})
	}
}
