package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestATransactionThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	st := packages(t, 20, nil)
	failure := errors.New("no")
	do := func(end func()) error {
		return s.InTx(t.Context(), func(tx drift.Tx) error {
			_, err := tx.LockMachines(t.Context(), []inventory.Machine{machine("a")}, night(0))
			must(t, err)
			_, err = tx.PutStates(t.Context(), []drift.NewState{{State: st}})
			must(t, err)
			end()
			return failure
		})
	}
	if err := do(func() {}); !errors.Is(err, failure) {
		t.Fatalf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = do(func() { panic("boom") })
	}()
	var rows int
	must(t, testdb.Conn(t, url).QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM states) + (SELECT count(*) FROM machines)`).Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
	// Nor does the process remember what never was.
	id := putStates(t, s, drift.NewState{State: st})[st.Digest()]
	if got := readAgain(t, url, id); got.Text() != st.Text() {
		t.Error("it reads otherwise than it was written")
	}
}

func TestAServerSessionKilledInTheMiddleLeavesNothing(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	conn := testdb.Conn(t, url)
	err := s.InTx(t.Context(), func(tx drift.Tx) error {
		_, err := tx.LockMachines(t.Context(), []inventory.Machine{machine("a")}, night(0))
		must(t, err)
		_, err = conn.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state = 'idle in transaction'`)
		must(t, err)
		_, err = tx.PutStates(t.Context(), []drift.NewState{{State: packages(t, 20, nil)}})
		return err
	})
	if err == nil {
		t.Fatal("it did not notice")
	}
	ms, err := s.ListMachines(t.Context())
	must(t, err)
	if len(ms) != 0 {
		t.Errorf("there are %d machines", len(ms))
	}
}

func TestATransactionThatLostIsTriedAgainAndNotForEver(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	tries := 0
	must(t, s.InTx(t.Context(), func(drift.Tx) error {
		if tries++; tries < 4 {
			return &pgconn.PgError{Code: "40001"}
		}
		return nil
	}))
	if tries != 4 {
		t.Errorf("tried %d times", tries)
	}
	tries = 0
	err := s.InTx(t.Context(), func(drift.Tx) error {
		tries++
		return &pgconn.PgError{Code: "40P01"}
	})
	if err == nil || tries < 2 || tries > 20 {
		t.Errorf("tried %d times, then %v", tries, err)
	}
	tries = 0
	err = s.InTx(t.Context(), func(drift.Tx) error {
		tries++
		return &pgconn.PgError{Code: "23514"}
	})
	if err == nil || tries != 1 {
		t.Errorf("tried a hopeless one %d times, then %v", tries, err)
	}
}

func TestADeadlockIsSurvived(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	a, b := machine("a"), machine("b")
	observe(t, s, startRun(t, s, night(0)), a)
	observe(t, s, startRun(t, s, night(0)), b)
	var wg sync.WaitGroup
	var once [2]sync.Once
	met := make(chan struct{}, 2)
	ready := make(chan struct{})
	for i, order := range [][]inventory.Machine{{a, b}, {b, a}} {
		wg.Go(func() {
			err := s.InTx(context.Background(), func(tx drift.Tx) error {
				if _, err := tx.LockMachines(context.Background(), order[:1], night(1)); err != nil {
					return err
				}
				once[i].Do(func() {
					met <- struct{}{}
					<-ready // both hold their first one: now they must meet
				})
				_, err := tx.LockMachines(context.Background(), order[1:], night(1))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-met
	<-met
	close(ready)
	wg.Wait()
}
