package simvm_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/internal/simvm"
)

// BenchmarkScans tells how many whole scans (connection, probe, simulated machine,
// parsing, hashing) a second of CPU time yields: client and target together.
func BenchmarkScans(b *testing.B) {
	for _, d := range simvm.Distributions() {
		b.Run(string(d), func(b *testing.B) {
			var machines []*simvm.Machine
			for i := range 8 {
				machines = append(machines, simvm.New(fmt.Sprintf("sim-%d", i), d))
			}
			l := start(b, machines...)
			targets := make([]collector.Target, b.N)
			for i := range targets {
				targets[i] = l.target(b, l.Hosts()[i%len(machines)], simvm.Root)
			}
			before := cpuSeconds(b)
			b.ResetTimer()
			collector.Each(b.Context(), targets, collector.Limits{Concurrency: 8}, func(r collector.Result) {
				if r.Err != nil {
					b.Fatal(r.Err)
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/(cpuSeconds(b)-before), "scans/cpu-s")
		})
	}
}

func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
