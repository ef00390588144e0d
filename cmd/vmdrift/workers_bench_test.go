package main

import (
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// BenchmarkWorkers is one run over machines that take a second each to answer, by one, two and four worker processes, in
// turns: beyond one, time is what is shared. The bounds are 0.6 and 0.35 of one worker's.
func BenchmarkWorkers(b *testing.B) {
	n := newNight(b)
	for _, h := range n.fleet.Hosts() {
		h.Slow(time.Second)
	}
	took := map[int]time.Duration{}
	for range b.N {
		for _, workers := range []int{1, 2, 4} {
			stops := []func(){n.serve("serve", "--listen", "", "--no-scan")}
			for range workers {
				stops = append(stops, n.serve("work", "--slots", "2"))
			}
			id := n.begin(0)
			var run drift.Run
			for run.FinishedAt.IsZero() {
				time.Sleep(50 * time.Millisecond)
				var err error
				if run, err = n.svc.Run(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
			if run.Outcomes[collector.OK] != nightMachines {
				b.Fatalf("%v", run.Outcomes)
			}
			took[workers] += run.FinishedAt.Sub(run.StartedAt)
			for _, stop := range stops {
				stop()
			}
		}
	}
	two, four := took[2].Seconds()/took[1].Seconds(), took[4].Seconds()/took[1].Seconds()
	b.ReportMetric(took[1].Seconds()/float64(b.N), "s-by-one")
	b.ReportMetric(two, "x-by-two")
	b.ReportMetric(four, "x-by-four")
	if two > 0.6 || four > 0.35 {
		b.Errorf("two workers take %.2f of one's time (bound 0.6), four %.2f (0.35)", two, four)
	}
	b.Logf("%d machines, 2 at once in each worker: %s by one, %.2f x by two, %.2f x by four", nightMachines, took[1]/time.Duration(b.N), two, four)
}
