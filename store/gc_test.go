package store_test

import (
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/testdb"
)

func TestGCForgetsWhatIsOldAndKeepsWhatIs(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	fleet := simfleet.New(1, 50)
	for n := range 100 { // more than three months
		if n > 0 {
			fleet.Night()
		}
		recordNight(t, s, n, fleet.Machines())
	}
	old := opened(1, change("deb/old"), 0)
	gone := opened(1, change("deb/gone"), 0)
	gone.State, gone.ResolvedAt = drift.Resolved, night(3)
	lately := opened(1, change("deb/lately"), 0)
	lately.State, lately.ResolvedAt = drift.Resolved, night(95)
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.PutFindings(t.Context(), []drift.Finding{old, gone, lately}))
		for n := range 100 {
			must(t, tx.PutEvents(t.Context(), drift.RunID(n+1), night(n), []drift.FindingEvent{{Finding: old, Kind: drift.EventOpened}}))
		}
	})
	count := func(sql string) (n int) {
		t.Helper()
		must(t, testdb.Conn(t, url).QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	before, err := s.ListMachines(t.Context())
	must(t, err)
	cutoff := night(60)
	late := func(n int) int { return 100 - n }

	cleaned, err := s.GC(t.Context(), cutoff)
	must(t, err)
	if len(cleaned.Partitions) < 3 {
		t.Errorf("only %v were dropped", cleaned.Partitions)
	}
	// Whole months only: up to a month more is kept.
	for _, table := range []string{"run_results", "finding_events"} {
		if n := count("SELECT count(*) FROM " + table); n < late(60) || n > late(60)+31 {
			t.Errorf("%s has %d rows, want %d and at most a month more", table, n, late(60))
		}
	}
	if n := count("SELECT count(*) FROM state_history WHERE until_at < '" + night(29).Format(time.RFC3339) + "'"); n != 0 {
		t.Errorf("%d stretches are older", n)
	}
	if n := count("SELECT count(*) FROM findings"); n != 2 {
		t.Errorf("%d findings are left, want the open one and the one that was resolved lately", n)
	}
	again, err := s.GC(t.Context(), cutoff)
	must(t, err)
	if len(again.Partitions) != 0 || again.Rows != 0 {
		t.Errorf("the second time it took %+v", again)
	}
	after, err := s.ListMachines(t.Context())
	must(t, err)
	for i := range before {
		if len(after[i].Facets) != len(before[i].Facets) || after[i].Facets[0].State != before[i].Facets[0].State || after[i].FirstSeen != before[i].FirstSeen {
			t.Errorf("%s is not what it was", before[i].Machine.Name)
		}
	}
	recordNight(t, s, 101, fleet.Machines())
	if n := count("SELECT count(*) FROM run_results_rest"); n != 0 {
		t.Errorf("%d results have no month", n)
	}
	stats, size, err := s.Stats(t.Context())
	must(t, err)
	found := false
	for _, st := range stats {
		found = found || st.Table == "run_results" && st.Partitions > 1 && st.Bytes > 0
	}
	if !found || size == 0 {
		t.Errorf("%d bytes, %+v", size, stats)
	}
}
