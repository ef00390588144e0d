package worker_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/worker"
	"github.com/vmdrift/vmdrift/inventory"
)

// A cost is what a night took from the database server.
type cost struct {
	cpu time.Duration // of all its processes
	wal int64         // bytes
	at  time.Time
}

func costNow(b *testing.B, pool *pgxpool.Pool) cost {
	b.Helper()
	var c cost
	var backend int
	must(b, pool.QueryRow(context.Background(), `SELECT pg_backend_pid(), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`).Scan(&backend, &c.wal))
	c.at = time.Now()
	postmaster := stat(backend)[1]
	dirs, err := os.ReadDir("/proc")
	must(b, err)
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		s := stat(pid)
		if s == nil || pid != postmaster && s[1] != postmaster {
			continue
		}
		ticks := s[11] + s[12]
		if pid == postmaster {
			ticks += s[13] + s[14] // of those that have ended
		}
		c.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return c
}

// stat is /proc/pid/stat from its third field on: [0] is the state (as 0), [1] the parent, [11] to [14] the times.
func stat(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var out []int
	for _, f := range strings.Fields(rest) {
		n, _ := strconv.Atoi(f)
		out = append(out, n)
	}
	return out
}

func (c cost) since(o cost) cost {
	return cost{cpu: c.cpu - o.cpu, wal: c.wal - o.wal, at: c.at}
}

// peak is the most memory that this process has had since it was last asked, in MB.
func peak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	must(b, err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return kb / 1024
}

// BenchmarkNight10000 is a quiet night of 10,000 machines through the real queue and the real database, and beside it, on the
// same database, the same night without a queue: the store's part. The machines are in this process, and their memory
// counts as the worker's.
func BenchmarkNight10000(b *testing.B) {
	const machines = 10_000
	s := newSite(b)
	fleet := simfleet.New(1, machines)
	snaps := make(map[inventory.MachineID]inventory.Snapshot, machines)
	var listed []collector.Listed
	for _, m := range fleet.Machines() {
		m.Machine.Labels = map[string]string{"name": m.Machine.Name}
		listed = append(listed, collector.Listed{Kind: collector.Host, Machine: m.Machine})
		snap := inventory.Snapshot{Machine: m.Machine, TakenAt: time.Now()}
		for _, st := range m.States {
			snap.Observations = append(snap.Observations, inventory.Observe(st))
		}
		snaps[m.Machine.ID] = snap
	}
	s.list = func() []collector.Listed { return listed }
	s.visit = func(_ context.Context, l collector.Listed) (inventory.Snapshot, error) {
		return snaps[l.Machine.ID], nil
	}
	s.schedule("nightly", drift.ScheduleSpec{})
	s.start(worker.Options{Central: true, Zones: []string{drift.DefaultZone}, Slots: 200})
	s.nightWithin(b, 5*time.Minute) // everything is new
	pool := s.st.Pool()
	_, err := pool.Exec(b.Context(), `VACUUM ANALYZE`)
	must(b, err)

	rows := map[string]drift.MachineRow{}
	all, err := s.st.ListMachines(b.Context())
	must(b, err)
	for _, m := range all {
		rows[m.Machine.Name] = m.Row
	}
	slices.SortFunc(listed, func(x, y collector.Listed) int { return int(rows[x.Machine.Name] - rows[y.Machine.Name]) })

	var whole, store cost
	var dispatched float64
	peak(b)
	b.ResetTimer()
	for range b.N {
		_, err := pool.Exec(b.Context(), `CHECKPOINT`)
		must(b, err)
		before := costNow(b, pool)
		run := s.nightWithin(b, 5*time.Minute)
		whole = costNow(b, pool).since(before)
		dispatched = machines / run.FinishedAt.Sub(run.StartedAt).Seconds()

		_, err = pool.Exec(b.Context(), `CHECKPOINT`)
		must(b, err)
		before = costNow(b, pool)
		s.recordAll(b, listed, snaps)
		store = costNow(b, pool).since(before)
	}
	b.StopTimer()
	mb := peak(b)
	b.ReportMetric(dispatched, "jobs/s")
	b.ReportMetric(whole.cpu.Seconds(), "db-CPU-s")
	b.ReportMetric(store.cpu.Seconds(), "store-db-CPU-s")
	b.ReportMetric(float64(whole.wal)/machines, "WAL-B/machine")
	b.ReportMetric(float64(store.wal)/machines, "store-WAL-B/machine")
	b.ReportMetric(mb, "peak-MB")
	b.Logf("%.0f jobs/s; database: %s CPU and %d bytes of WAL per machine, of it %s and %d for the store's part; %.0f MB at most",
		dispatched, whole.cpu, whole.wal/machines, store.cpu, store.wal/machines, mb)
	if store.cpu > 2500*time.Millisecond || store.wal/machines > 150 || dispatched < 1000 || mb > 300 {
		b.Errorf("a bound is missed: 2.5 s of database CPU and 150 bytes of WAL per machine for the store's part, 1000 jobs/s, 300 MB")
	}
}

func (s *site) nightWithin(b *testing.B, limit time.Duration) drift.Run {
	b.Helper()
	run, err := s.svc.RunNow(b.Context(), "nightly", "a benchmark")
	must(b, err)
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r, err := s.svc.Run(b.Context(), run.ID)
		must(b, err)
		if r.State.Ended() {
			return r
		}
	}
	b.Fatalf("the night took more than %s", limit)
	return run
}

// recordAll is the store's part of a night: the run, and its machines in the batches in which workers record them.
func (s *site) recordAll(b *testing.B, listed []collector.Listed, snaps map[inventory.MachineID]inventory.Snapshot) {
	b.Helper()
	ctx := b.Context()
	run, err := s.svc.StartRun(ctx, "benchmark", len(listed))
	must(b, err)
	for part := range slices.Chunk(listed, 100) {
		results := make([]collector.Result, len(part))
		for i, l := range part {
			results[i] = collector.Result{Machine: l.Machine, Outcome: collector.OK, Snapshot: snaps[l.Machine.ID], Duration: time.Second}
		}
		_, err := s.svc.Record(ctx, run, results, "")
		must(b, err)
	}
	must(b, s.svc.FinishRun(ctx, run.ID, drift.RunFinished))
}
