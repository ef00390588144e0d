package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func lockMachines(t testing.TB, s *store.Store, n int, ms ...inventory.Machine) []drift.MachineRecord {
	t.Helper()
	var recs []drift.MachineRecord
	inTx(t, s, func(tx drift.Tx) {
		var err error
		recs, err = tx.LockMachines(context.Background(), ms, night(n))
		must(t, err)
	})
	return recs
}

func TestLockingReturnsMachinesInTheOrderGiven(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	lockMachines(t, s, 0, machine("m"))
	recs := lockMachines(t, s, 1, machine("z"), machine("m"), machine("a"), machine("m"))
	var names []string
	for _, r := range recs {
		names = append(names, r.Machine.Name)
	}
	if !slices.Equal(names, []string{"z", "m", "a", "m"}) || recs[1].Row != recs[3].Row {
		t.Errorf("got %v", names)
	}
	if !recs[0].FirstSeen.Equal(night(1)) || !recs[1].FirstSeen.Equal(night(0)) || !recs[0].LastTried.IsZero() || recs[0].Outcome != "" {
		t.Errorf("got %+v", recs)
	}
	all, err := s.ListMachines(t.Context())
	must(t, err)
	if len(all) != 3 || all[0].Machine.Name != "a" || all[2].Machine.Name != "z" {
		t.Errorf("got %v", all)
	}
}

func TestAMachineKeepsItsIdentityWhenItsNameAndAddressChange(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := machine("old")
	row := lockMachines(t, s, 0, m)[0].Row
	m.Name, m.Address, m.Labels = "new", "elsewhere:22", map[string]string{"role": "db"}
	rec := lockMachines(t, s, 1, m)[0]
	if rec.Row != row || rec.Machine.Name != "new" || rec.Machine.Address != "elsewhere:22" || rec.Machine.Labels["role"] != "db" {
		t.Errorf("got %+v", rec)
	}
	got, err := s.Machine(t.Context(), "new")
	must(t, err)
	if got.Row != row || got.Machine.Labels["role"] != "db" {
		t.Errorf("got %+v", got)
	}
	if _, err := s.Machine(t.Context(), "old"); !errors.Is(err, drift.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestANameThatAnotherMachineHasGetsASuffixAndKeepsIt(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	twin := func(source string) inventory.Machine {
		return inventory.Machine{ID: inventory.MachineID{Source: source, NativeID: "1"}, Name: "web"}
	}
	recs := lockMachines(t, s, 0, twin("a"), twin("b"))
	recs = append(recs, lockMachines(t, s, 0, twin("c"))...)
	recs = append(recs, lockMachines(t, s, 1, twin("c"), twin("b"))...)
	var names []string
	for _, r := range recs {
		names = append(names, r.Machine.Name)
	}
	if !slices.Equal(names, []string{"web", "web~2", "web~3", "web~3", "web~2"}) {
		t.Errorf("got %v", names)
	}
	// Renamed to a name that is taken.
	d := inventory.Machine{ID: inventory.MachineID{Source: "d", NativeID: "1"}, Name: "other"}
	lockMachines(t, s, 1, d)
	d.Name = "web"
	if rec := lockMachines(t, s, 2, d)[0]; rec.Machine.Name != "web~4" {
		t.Errorf("got %s", rec.Machine.Name)
	}
}

func TestManyWhoCreateTheSameMachinesAtOnceAgree(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	var ms []inventory.Machine
	for i := range 40 {
		m := machine(fmt.Sprintf("m%02d", i))
		m.Name = fmt.Sprintf("name%d", i%10) // four each
		ms = append(ms, m)
	}
	rows := make([][]drift.MachineRow, 8)
	var wg sync.WaitGroup
	for w := range rows {
		wg.Go(func() {
			s := testdb.Open(t, url)
			mine := slices.Clone(ms)
			if w%2 == 0 {
				slices.Reverse(mine)
			}
			err := s.InTx(context.Background(), func(tx drift.Tx) error {
				recs, err := tx.LockMachines(context.Background(), mine, night(0))
				if err != nil {
					return err
				}
				rows[w] = nil
				for _, r := range recs {
					rows[w] = append(rows[w], r.Row)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if w%2 == 0 {
				slices.Reverse(rows[w])
			}
		})
	}
	wg.Wait()
	for w := range rows {
		if !slices.Equal(rows[w], rows[0]) {
			t.Fatalf("%v and %v", rows[w], rows[0])
		}
	}
	all, err := testdb.Open(t, url).ListMachines(t.Context())
	must(t, err)
	if len(all) != 40 || all[3].Machine.Name != "name0~4" {
		t.Errorf("%d machines, the fourth is %s", len(all), all[3].Machine.Name)
	}
}

func TestALockedMachineWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	m := machine("a")
	lockMachines(t, s, 0, m)
	entered := make(chan struct{})
	var wg sync.WaitGroup
	inTx(t, s, func(tx drift.Tx) {
		_, err := tx.LockMachines(t.Context(), []inventory.Machine{m}, night(1))
		must(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() {
			close(entered)
			err := s.InTx(ctx, func(tx drift.Tx) error {
				_, err := tx.LockMachines(ctx, []inventory.Machine{m}, night(1))
				return err
			})
			if err == nil {
				t.Error("two hold one machine")
			}
		})
		<-entered
		cancel()
		wg.Wait()
	})
}

func TestMachinesThatTheDatabaseCannotHoldAreRefusedByName(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	for what, change := range map[string]func(*inventory.Machine){
		"is not text": func(m *inventory.Machine) { m.Labels = map[string]string{"a": "b\x00"} },
		"has no name": func(m *inventory.Machine) { m.Name = "" },
		"too long":    func(m *inventory.Machine) { m.Name = strings.Repeat("x", 2000) },
	} {
		m := machine("a")
		change(&m)
		err := s.InTx(t.Context(), func(tx drift.Tx) error {
			_, err := tx.LockMachines(t.Context(), []inventory.Machine{m}, night(0))
			return err
		})
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q, got %v", what, err)
		}
	}
}
