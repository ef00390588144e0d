package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

// A killed fleet scans machines in processes of their own, which can be killed.
type killed struct {
	t   testing.TB
	dir string
	env []string
}

func (k *killed) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	self, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	var out bytes.Buffer
	return &exec.Cmd{
		Path: self, Args: append([]string{"vmdrift"}, args...), Dir: k.dir, Env: append(os.Environ(), k.env...),
		Stdout: &out, Stderr: &out, SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}, &out
}

func (k *killed) run(wantStatus int, args ...string) {
	k.t.Helper()
	cmd, out := k.command(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != wantStatus {
		k.t.Fatalf("vmdrift %v: %v, want status %d\n%s", args, err, wantStatus, out)
	}
}

// kill starts a scan and kills it, and it alone, after a while. It returns whether the scan came first.
func (k *killed) kill(after time.Duration) (ended bool) {
	k.t.Helper()
	cmd, out := k.command("scan", "--concurrency", "3")
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	if status := cmd.ProcessState; status.Exited() && status.ExitCode() != exitDrift && status.ExitCode() != exitSame {
		k.t.Fatalf("a scan that was not killed: %v\n%s", err, out)
	}
	return cmd.ProcessState.Exited()
}

// TestAScanThatIsKilledLosesAndDoublesNothing kills scans at any point, on a server
// of its own and on the private cluster, whose server dies with them.
func TestAScanThatIsKilledLosesAndDoublesNothing(t *testing.T) {
	for name, setup := range map[string]func(t *testing.T, dir string) (env []string, open func() *store.Store){
		"server": func(t *testing.T, _ string) ([]string, func() *store.Store) {
			url := testdb.New(t)
			return []string{"DATABASE_URL=" + url}, func() *store.Store { return testdb.Open(t, url) }
		},
		"private cluster": func(t *testing.T, dir string) ([]string, func() *store.Store) {
			data := filepath.Join(dir, "data")
			return []string{"DATABASE_URL=", "VMDRIFT_DATA=" + data}, func() *store.Store {
				server, err := embeddedpg.Start(t.Context(), filepath.Join(data, "postgres"), nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = server.Stop() })
				return testdb.Open(t, server.URL())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			env, open := setup(t, dir)
			k := &killed{t: t, dir: dir, env: append(env, "HOME="+dir)}
			const machines = 12
			var ms []*simvm.Machine
			for i := range machines {
				ms = append(ms, simvm.New(fmt.Sprintf("web-%d", i), simvm.Debian12))
			}
			fleet, err := startFleet(t, dir, ms...)
			if err != nil {
				t.Fatal(err)
			}
			k.run(exitSame, "scan")
			k.run(exitSame, "baseline", "capture", "web", "--from", "web-0", "--selector", "role=web")
			for _, h := range fleet.Hosts() {
				if err := h.Listen("tcp", "0.0.0.0", 4444, "nc", "root"); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			if !k.kill(time.Minute) {
				t.Fatal("a scan takes more than a minute")
			}
			whole := time.Since(start)
			kills := 0
			for range 12 {
				if !k.kill(time.Duration(rand.Int64N(int64(whole)))) {
					kills++
				}
			}
			if kills == 0 {
				t.Error("no scan was killed in time: the test shows nothing")
			}
			for _, h := range fleet.Hosts() { // and something that only the last scan sees
				if err := h.UpgradePackage("openssl", "3.0.99-1"); err != nil {
					t.Fatal(err)
				}
			}
			k.run(exitDrift, "scan")
			checkKilled(t, open(), machines, kills)
		})
	}
}

// checkKilled looks into the database: each machine has its two findings once, and a
// history in which no state follows itself.
func checkKilled(t *testing.T, st *store.Store, machines, kills int) {
	t.Helper()
	ctx := t.Context()
	fs, err := st.Findings(ctx, drift.FindingQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		if f.State != drift.Open || f.Reopened != 0 {
			t.Errorf("%s %s: %s, reopened %d times", f.MachineName, f.Change.Key, f.State, f.Reopened)
		}
	}
	if len(fs) != 2*machines || len(drift.Group(fs)) != 2 {
		t.Errorf("%d findings of %d drifts, want %d of 2", len(fs), len(drift.Group(fs)), 2*machines)
	}
	ms, err := st.ListMachines(ctx)
	if err != nil || len(ms) != machines {
		t.Fatalf("%d machines, %v; want %d", len(ms), err, machines)
	}
	for _, m := range ms {
		stretches, err := st.History(ctx, m.Row)
		if err != nil {
			t.Fatal(err)
		}
		n := map[inventory.Facet]int{}
		last := map[inventory.Facet]inventory.Digest{}
		for _, s := range stretches {
			if last[s.Facet] == s.State.Digest {
				t.Errorf("%s: %s has the same state twice in a row", m.Machine.Name, s.Facet)
			}
			last[s.Facet] = s.State.Digest
			n[s.Facet]++
		}
		if n[inventory.Ports] != 2 || n[inventory.Packages] != 2 || n[inventory.Users] != 1 {
			t.Errorf("%s: stretches %v, want two of ports and packages, one of the others", m.Machine.Name, n)
		}
	}
	// A killed process is gone at once, its session in the server soon: until then its run counts as alive.
	for deadline := time.Now().Add(time.Minute); ; {
		probe, err := st.StartRun(ctx, "test", 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := st.FinishRun(ctx, probe.ID, drift.RunFinished, time.Now()); err != nil {
			t.Fatal(err)
		}
		runs, err := st.ListRuns(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n := map[drift.RunState]int{}
		for _, r := range runs {
			n[r.State]++
		}
		if n[drift.RunRunning] == 0 {
			if n[drift.RunInterrupted] > kills {
				t.Errorf("%d runs are interrupted, and only %d were killed", n[drift.RunInterrupted], kills)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d runs of killed processes are still running", n[drift.RunRunning])
		}
	}
}

// shortDir is a temporary folder whose path leaves room for a socket's, and which the
// user that Postgres runs as under root may enter.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vmd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}
