package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

// Whoever locks a machine has it until the end of the transaction: few machines, which are locked one by one, and many, which
// are locked all at once, keep one another out.
func TestMachinesAreLockedUntilTheTransactionEnds(t *testing.T) {
	t.Parallel()
	many := func(n int) (out []inventory.Machine) {
		for i := range n {
			out = append(out, machine(fmt.Sprintf("m%03d", i)))
		}
		return out
	}
	for _, c := range []struct{ first, second int }{{1, 1}, {1, 300}, {300, 1}, {300, 300}, {5, 2}} {
		t.Run(fmt.Sprintf("%d then %d", c.first, c.second), func(t *testing.T) {
			t.Parallel()
			s := testdb.Store(t)
			inTx(t, s, func(tx drift.Tx) { // so that neither waits for the other to create them
				_, err := tx.LockMachines(t.Context(), many(300), night(0))
				must(t, err)
			})
			var ended atomic.Bool
			locked, done := make(chan struct{}), make(chan error, 1)
			inTx(t, s, func(tx drift.Tx) {
				_, err := tx.LockMachines(t.Context(), many(c.first), night(0))
				must(t, err)
				go func() {
					done <- s.InTx(context.Background(), func(tx drift.Tx) error {
						close(locked)
						_, err := tx.LockMachines(context.Background(), many(c.second), night(0))
						if !ended.Load() {
							t.Error("the second has them while the first does")
						}
						return err
					})
				}()
				<-locked
				time.Sleep(300 * time.Millisecond)
				ended.Store(true)
			})
			must(t, <-done)
		})
	}
}

func TestMachinesThatAreNotTheSameAreNotLocked(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	inTx(t, s, func(tx drift.Tx) {
		_, err := tx.LockMachines(t.Context(), []inventory.Machine{machine("a")}, night(0))
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		must(t, s.InTx(ctx, func(tx drift.Tx) error {
			_, err := tx.LockMachines(ctx, []inventory.Machine{machine("b")}, night(0))
			return err
		}))
	})
}
