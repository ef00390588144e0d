package store_test

import (
	"testing"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func setListed(t *testing.T, s *store.Store, on int, ids ...string) int {
	t.Helper()
	gone := 0
	inTx(t, s, func(tx drift.Tx) {
		n, err := tx.SetListed(t.Context(), "hosts", ids, night(on))
		must(t, err)
		gone = n
	})
	return gone
}

func record(t *testing.T, s *store.Store, name string) drift.MachineRecord {
	t.Helper()
	m, err := s.Machine(t.Context(), name)
	must(t, err)
	return m
}

func TestAMachineThatIsListedNoMoreIsGoneUntilItIsBack(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	run := startRun(t, s, night(0))
	for _, name := range []string{"web-1", "web-2"} {
		observe(t, s, run, machine(name), packages(t, 3, nil))
	}
	if n := setListed(t, s, 1, "web-1", "web-2", "new"); n != 0 {
		t.Errorf("%d are gone", n)
	}
	if n := setListed(t, s, 2, "web-1"); n != 1 || !record(t, s, "web-2").GoneAt.Equal(night(2)) || !record(t, s, "web-1").Here() {
		t.Errorf("%d are gone; %+v", n, record(t, s, "web-2"))
	}
	all := func(inventory.Item) bool { return true }
	hits, err := s.FindItems(t.Context(), inventory.Packages, []string{"deb/p001"}, all, night(1))
	must(t, err)
	now, err := s.FindItems(t.Context(), inventory.Packages, []string{"deb/p001"}, all, night(-1))
	must(t, err)
	if len(hits) != 2 || len(now) != 0 {
		t.Errorf("it was found on %v, and before the first night on %v", hits, now)
	}
	if n := setListed(t, s, 3); n != 1 || !record(t, s, "web-1").Here() {
		t.Error("a source that lists nothing takes machines away")
	}
	if setListed(t, s, 4, "web-1", "web-2"); !record(t, s, "web-2").Here() {
		t.Error("a machine that is listed again is not back")
	}
}

func TestLinkedMachinesAreOneUntilOneIsGone(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	run := startRun(t, s, night(0))
	vm, line := machine("vm-1"), machine("web-1")
	line.ID.Source = "config"
	for _, m := range []inventory.Machine{vm, line} {
		observe(t, s, run, m, packages(t, 3, nil))
	}
	link := drift.Link{From: line.ID, Into: vm.ID, Name: "web-1"}
	for range 2 { // the same again changes nothing
		inTx(t, s, func(tx drift.Tx) { must(t, tx.Link(t.Context(), link)) })
	}
	one := record(t, s, "web-1")
	if one.Machine.ID != vm.ID || record(t, s, "web-1~2").SameAs != "web-1" {
		t.Errorf("web-1 is %+v", one)
	}
	aliases, err := s.Aliases(t.Context())
	must(t, err)
	if len(aliases) != 1 || aliases[0].ID != line.ID || aliases[0].Into.ID != vm.ID {
		t.Errorf("got %+v", aliases)
	}
	hits, err := s.FindItems(t.Context(), inventory.Packages, []string{"deb/p001"}, func(inventory.Item) bool { return true }, night(99))
	must(t, err)
	if len(hits) != 1 || hits[0].Machine != "web-1" {
		t.Errorf("it is found on %v", hits)
	}
	// A machine that is not known yet can't be linked, and that is no error.
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.Link(t.Context(), drift.Link{From: machine("nobody").ID, Into: vm.ID}))
	})
	setListed(t, s, 1, "vm-2")
	if !record(t, s, "web-1~2").Here() || record(t, s, "web-1").Here() {
		t.Error("the line of the inventory went with the VM")
	}
}

func TestWhatWasOneWithAForgottenMachineIsAMachineOfItsOwn(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	run := startRun(t, s, night(0))
	vm, line := machine("vm-1"), machine("web-1")
	line.ID.Source = "config"
	for _, m := range []inventory.Machine{vm, line} {
		observe(t, s, run, m, packages(t, 3, nil))
	}
	inTx(t, s, func(tx drift.Tx) {
		must(t, tx.Link(t.Context(), drift.Link{From: vm.ID, Into: line.ID, Name: "web-1"}))
	})
	if r := record(t, s, "vm-1"); r.SameAs != "web-1" {
		t.Fatalf("vm-1 is %+v", r)
	}
	row := record(t, s, "web-1").Row
	for range 2 { // the same again changes nothing
		inTx(t, s, func(tx drift.Tx) { must(t, tx.Forget(t.Context(), []drift.MachineRow{row}, night(1))) })
	}
	if r := record(t, s, "web-1"); !r.GoneAt.Equal(night(1)) {
		t.Errorf("web-1 is %+v", r)
	}
	if r := record(t, s, "vm-1"); !r.Here() {
		t.Errorf("vm-1 is %+v", r)
	}
	observe(t, s, startRun(t, s, night(2)), line, packages(t, 3, nil))
	if r := record(t, s, "web-1"); !r.Here() {
		t.Errorf("who is scanned again is back: %+v", r)
	}
}
