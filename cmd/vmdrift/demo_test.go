package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/internal/testdb"
)

// The demo holds what it found against what it did, and says so by its status.
func TestDemoFindsExactlyWhatItDid(t *testing.T) {
	testdb.New(t) // skips where there is no Postgres
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/not-this-one")
	t.Setenv("TMPDIR", shortTempDir(t))
	var out, errs bytes.Buffer
	if status := run([]string{"demo", "--once"}, strings.NewReader(""), &out, &errs); status != exitSame {
		t.Fatalf("status %d\n%s\n%s", status, out.String(), errs.String())
	}
	for _, want := range []string{
		`(?m)^\$ vmdrift scan$`,
		`(?m)^web-2  in sync with baseline web@1$`,
		`(?m)^  critical users    \+ toor `,
		`(?m)^  high     ports    \+ tcp/0\.0\.0\.0:4444  process nc, user root$`,
		`(?m)^app-1  unreachable: `,
		`(?m)^build-1  host key changed: `,
		`on web-1, web-3, first seen just now`,
		`(?m)^  high     network  ~ nic/4000 .*attached_to DC0_DVPG0 → VM Network`,
		`(?m)^test-1  switched off: `,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("it does not say %s", want)
		}
	}
	for line := range strings.Lines(out.String()) {
		// Sentences are folded on a terminal only.
		sentence := regexp.MustCompile(`^(app-1|build-1|this-machine)  |^  (It may|If the|partial)|^captured as |^ *(high|critical) .* (network|reach) +[~+] `).MatchString(line)
		if n := len([]rune(line)) - 1; n > maxWidth && !sentence {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("colours although nobody sees them")
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// Afterwards the fleet is there for other commands, until the context ends.
func TestDemoStaysForOtherCommands(t *testing.T) {
	testdb.New(t)
	t.Setenv("TMPDIR", shortTempDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdin, enter := io.Pipe()
	defer enter.Close()
	out := &watched{line: make(chan string, 1000)}
	a := &app{stdin: stdin, stdout: out, stderr: io.Discard}
	root := a.rootCommand()
	root.SetArgs([]string{"demo"})
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		if closeErr := a.close(); err == nil {
			err = closeErr
		}
		ended <- err
	}()
	_, config, _ := strings.Cut(out.wait(t, "export VMDRIFT_CONFIG=", ended), "=")
	out.wait(t, "Press Enter", ended)
	if _, err := io.WriteString(enter, "\n"); err != nil {
		t.Fatal(err)
	}
	machine, _, _ := strings.Cut(out.wait(t, "Find it: ", ended), ":")
	var found, errs bytes.Buffer
	if machine != "build-1" && machine != "app-1" {
		if status := run([]string{"-c", config, "scan", machine}, strings.NewReader(""), &found, &errs); status != exitDrift {
			t.Errorf("scan of %s: status %d\n%s%s", machine, status, found.String(), errs.String())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

func TestDemoWantsAFolderOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if status := run([]string{"demo", "--once", "--data", dir}, strings.NewReader(""), &out, &errs); status != exitTrouble {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(errs.String(), "is not empty") {
		t.Errorf("it says %q", errs.String())
	}
}

// shortTempDir is a folder that the database's server may enter, whoever it runs as.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "vmdrift-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// watched passes on lines as they are written.
type watched struct {
	rest []byte
	line chan string
}

func (w *watched) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line <- string(w.rest[:i])
		w.rest = w.rest[i+1:]
	}
}

// wait returns the next line that has text in it.
func (w *watched) wait(t *testing.T, text string, ended chan error) string {
	t.Helper()
	for {
		select {
		case line := <-w.line:
			if strings.Contains(line, text) {
				return strings.TrimSpace(line)
			}
		case err := <-ended:
			t.Fatalf("the demo ended before it said %q: %v", text, err)
		}
	}
}
