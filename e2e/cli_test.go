//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/internal/realguest"
)

// A cli is the vmdrift binary with a data folder of its own, and one real machine.
type cli struct {
	*realguest.Guest
	bin, data string
	target    []string // the machine, as flags and arguments
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	c := &cli{Guest: realguest.Start(t, realguest.Options{Setup: fixtureScript}), bin: filepath.Join(t.TempDir(), "vmdrift")}
	if out, err := exec.Command("go", "build", "-o", c.bin, "../cmd/vmdrift").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	// Not t.TempDir: a socket's path must fit into 107 bytes.
	var err error
	if c.data, err = os.MkdirTemp("", "vmdrift-e2e-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(c.data) })
	if err := os.Chmod(c.data, 0o755); err != nil { // as root, the database runs as another user
		t.Fatal(err)
	}
	c.target = []string{"-F", "none", "-i", c.KeyFile, "--known-hosts", c.KnownHosts}
	return c
}

// run runs vmdrift for at most limit, and returns its exit status, or -1 if it was
// killed. What it writes to standard error is shown if the test fails.
func (c *cli) run(t *testing.T, limit time.Duration, args ...string) (stdout []byte, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.bin, args...)
	// Nothing of this machine's own: no configuration, no agent, no database.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.data, "VMDRIFT_DATA=" + filepath.Join(c.data, "data"), "LC_ALL=C.UTF-8"}
	cmd.Dir = c.data
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("vmdrift %s: %v", strings.Join(args, " "), err)
	}
	t.Logf("vmdrift %s: %d\n%s", args[0], cmd.ProcessState.ExitCode(), stderr.String())
	return stdout, cmd.ProcessState.ExitCode()
}

func (c *cli) scan(t *testing.T, limit time.Duration) (stdout []byte, status int) {
	t.Helper()
	return c.run(t, limit, append(append([]string{"scan", "-o", "json"}, c.target...), "root@"+c.Addr)...)
}

// A reported change is one object of scan -o json and drift list -o json.
type reported struct {
	Machine, Facet, Key, Op string
	Fields                  map[string]struct{ Want, Have *string }
	Severity                string
	FirstSeen               string `json:"first_seen"`
	LastSeen                string `json:"last_seen"`
}

func read(t *testing.T, stdout []byte) (all []reported) {
	t.Helper()
	if err := json.Unmarshal(stdout, &all); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	slices.SortFunc(all, func(a, b reported) int { return strings.Compare(a.Facet+a.Key, b.Facet+b.Key) })
	return all
}

func TestTheBinaryFindsDriftOnARealMachine(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("NOT COVERED HERE: there is no go to build vmdrift with")
	}
	c := newCLI(t)
	const long = time.Minute

	if out, status := c.run(t, long, append(append([]string{"baseline", "capture", "golden"}, c.target...), "--from", "root@"+c.Addr)...); status != 0 {
		t.Fatalf("capture: %d: %s", status, out)
	}
	for i := range 10 {
		out, status := c.scan(t, long)
		if all := read(t, out); status != 0 || len(all) != 0 {
			t.Fatalf("scan %d of the untouched machine: %d, %+v", i+1, status, all)
		}
	}

	do, undo := listen("-4 -lk 4711", "-4 -t sport = :4711")
	c.Run(t, do+"\nusermod --shell /bin/sh alice")
	out, status := c.scan(t, long)
	first := read(t, out)
	if status != 1 || len(first) != 2 {
		t.Fatalf("scan of a machine with two changes: %d, %s", status, out)
	}
	port, shell := first[0], first[1]
	if port.Facet != "ports" || port.Key != "tcp/0.0.0.0:4711" || port.Op != "added" || port.Severity != "high" {
		t.Errorf("the port is reported as %+v", port)
	}
	if f := shell.Fields["shell"]; shell.Facet != "users" || shell.Key != "alice" || shell.Op != "changed" || len(shell.Fields) != 1 ||
		f.Want == nil || *f.Want != "/bin/bash" || f.Have == nil || *f.Have != "/bin/sh" {
		t.Errorf("the shell is reported as %+v", shell)
	}

	// Killed at any time, and scanned again: nothing is lost, nothing is there twice.
	for limit := 50 * time.Millisecond; ; limit += 50 * time.Millisecond {
		_, status := c.scan(t, limit)
		again, _ := c.run(t, long, "drift", "list", "-o", "json")
		if got := read(t, again); !sameFindings(got, first) {
			t.Fatalf("after a scan killed at %s: %s", limit, again)
		}
		if status != -1 {
			break
		}
	}
	out, status = c.scan(t, long)
	if got := read(t, out); status != 1 || !sameFindings(got, first) {
		t.Errorf("scanned again: %d, %s, want the findings of before, %+v", status, out, first)
	}

	c.Run(t, undo+"\nusermod --shell /bin/bash alice")
	out, status = c.scan(t, long)
	if all := read(t, out); status != 0 || len(all) != 0 {
		t.Errorf("scan after the changes were undone: %d, %s", status, out)
	}
}

// sameFindings reports whether a and b are the same findings, seen first at the same time.
func sameFindings(a, b []reported) bool {
	name := func(r reported) string { return fmt.Sprint(r.Machine, r.Facet, r.Key, r.Op, r.Severity, r.FirstSeen) }
	return slices.EqualFunc(a, b, func(x, y reported) bool { return name(x) == name(y) })
}
