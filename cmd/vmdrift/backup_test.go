package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/testdb"
)

// A backup that is made in the middle of a run is restored elsewhere, and goes on: the run ends there, and nothing is lost or
// doubled.
func TestABackupIsRestoredAndGoesOn(t *testing.T) {
	if _, err := embeddedpg.Program(t.Context(), "pg_dump"); err != nil {
		t.Fatal(err)
	}
	n := newNight(t)
	first := n.start("serve", "--listen", "")
	id := n.begin(5)
	dump := filepath.Join(n.dir, "vmdrift.dump")
	n.run(exitSame, "admin", "dump", dump)
	if err := first.Process.Kill(); err != nil { // the site is lost
		t.Fatal(err)
	}

	url := testdb.NewEmpty(t)
	restored := &killed{t: t, dir: n.dir, env: []string{"DATABASE_URL=" + url, "HOME=" + n.dir}}
	restored.run(exitSame, "admin", "restore", dump)
	restored.run(exitTrouble, "admin", "restore", dump) // not into one that is in use
	st := testdb.Open(t, url)
	other := &night{killed: restored, fleet: n.fleet, st: st, svc: drift.New(st, nil), mu: n.mu, told: n.told}
	before, err := other.svc.Run(t.Context(), id)
	if err != nil || before.Recorded() == 0 {
		t.Fatalf("the run was not restored: %+v, %v", before, err)
	}
	other.start("serve", "--listen", "")
	other.check(id)
	restored.run(exitDrift, "scan", fmt.Sprintf("web-%d", 1))
}
