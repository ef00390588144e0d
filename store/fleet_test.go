package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/simfleet"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// recordNight records a run over machines of a fleet the way the service does, 200 per transaction.
func recordNight(t testing.TB, s *store.Store, n int, machines []*simfleet.Machine) {
	t.Helper()
	run, err := s.StartRun(context.Background(), "test", len(machines), night(n))
	must(t, err)
	for part := range slices.Chunk(machines, 200) {
		inTx(t, s, func(tx drift.Tx) { recordMachines(t, tx, run, part) })
	}
	must(t, s.FinishRun(context.Background(), run.ID, drift.RunFinished, night(n)))
}

func recordMachines(t testing.TB, tx drift.Tx, run drift.Run, machines []*simfleet.Machine) {
	t.Helper()
	ctx := context.Background()
	ms := make([]inventory.Machine, len(machines))
	for i, m := range machines {
		ms[i] = m.Machine
	}
	recs, err := tx.LockMachines(ctx, ms, run.StartedAt)
	must(t, err)

	var put []drift.NewState
	var sets []drift.SetFacet
	seen := make([]drift.SeenMachine, len(machines))
	for i, m := range machines {
		seen[i] = drift.SeenMachine{Machine: recs[i].Row, Outcome: collector.OK, Observed: true, Changed: recs[i].Outcome != collector.OK}
		for _, st := range m.States {
			old := facetOf(recs[i], st.Facet())
			if old.State.Digest == st.Digest() {
				continue
			}
			put = append(put, drift.NewState{State: st, Near: old.State.ID})
			rec := drift.FacetRecord{
				Facet: st.Facet(), Status: inventory.Complete, ItemsComplete: true,
				State: drift.StateRef{Digest: st.Digest()}, StateSince: run.StartedAt, StatusSince: old.StatusSince,
			}
			if old.State.ID == 0 {
				rec.StatusSince = run.StartedAt
			}
			sets = append(sets, drift.SetFacet{Machine: recs[i].Row, Record: rec, NewStretch: true, At: run.StartedAt})
		}
	}
	ids, err := tx.PutStates(ctx, put)
	must(t, err)
	for i := range sets {
		sets[i].Record.State.ID = ids[sets[i].Record.State.Digest]
	}
	must(t, tx.SetFacets(ctx, sets))
	must(t, tx.Seen(ctx, run.ID, run.StartedAt, seen))
	results := make([]drift.MachineResult, len(seen))
	for i, m := range seen {
		results[i] = drift.MachineResult{Machine: m.Machine, Outcome: m.Outcome, Took: time.Duration(700+i) * time.Millisecond}
	}
	_, err = tx.AddResults(ctx, run, results)
	must(t, err)
}

// diskOf returns the bytes of the tables and indexes of the schema, by table, after VACUUM.
func diskOf(t testing.TB, url string) (total int64, byTable map[string]int64) {
	t.Helper()
	ctx := context.Background()
	conn := testdb.Conn(t, url)
	defer conn.Close(ctx)
	_, err := conn.Exec(ctx, "VACUUM ANALYZE")
	must(t, err)
	rows, err := conn.Query(ctx, `
		SELECT relname, pg_total_relation_size(oid) FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC`)
	must(t, err)
	byTable = map[string]int64{}
	var table string
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&table, &size}, func() error {
		byTable[table] = size
		total += size
		return nil
	})
	must(t, err)
	return total, byTable
}
