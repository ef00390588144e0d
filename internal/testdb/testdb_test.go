package testdb

import (
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for range 3 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			s := Store(t)
			ms, err := s.ListMachines(t.Context())
			if err != nil || len(ms) != 0 {
				t.Fatalf("it holds %d machines, %v", len(ms), err)
			}
			err = s.InTx(t.Context(), func(tx drift.Tx) error {
				_, err := tx.LockMachines(t.Context(), []inventory.Machine{{Name: "a"}}, time.Now())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestADatabaseIsGoneWithItsTest(t *testing.T) {
	var url string
	t.Run("", func(t *testing.T) { url = New(t) })
	var there bool
	err := Conn(t, New(t)).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE position('/' || datname || '?' IN $1) > 0)`, url).Scan(&there)
	if err != nil || there {
		t.Errorf("it is still there: %v, %v", there, err)
	}
}
