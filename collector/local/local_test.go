package local_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunFeedsStdinAndCopiesStdout(t *testing.T) {
	var out bytes.Buffer
	if err := (local.Runner{}).Run(context.Background(), "cat; echo done; echo noise >&2", []byte("in\n"), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "in\ndone\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestRunReportsTheExitStatusAndWhatTheCommandSaid(t *testing.T) {
	var out bytes.Buffer
	err := local.Runner{}.Run(context.Background(), `echo partial; printf 'no \033[31mway\n' >&2; exit 7`, nil, &out)
	var exit interface{ ExitStatus() int }
	if !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Fatalf("got %v, want exit status 7", err)
	}
	if collector.OutcomeOf(err) != collector.Broken || !strings.Contains(err.Error(), `no \x1b[31mway`) {
		t.Errorf("got %v", err)
	}
	if out.String() != "partial\n" {
		t.Errorf("output before the failure is lost: %q", out.String())
	}
}

func TestOutputThatEndsWithoutTheCommandReadingItsInput(t *testing.T) {
	if err := (local.Runner{}).Run(context.Background(), "exit 0", bytes.Repeat([]byte("x"), 1<<20), io.Discard); err != nil {
		t.Fatal(err)
	}
}

// firstWrite tells when the command has begun.
type firstWrite struct{ begun chan string }

func (w firstWrite) Write(p []byte) (int, error) { w.begun <- string(p); return len(p), nil }

func TestEndOfContextKillsTheWholeProcessGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Whoever lives of the group holds the pipe open: its end is their end.
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	alive, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	w := firstWrite{make(chan string, 1)}
	done := make(chan error, 1)
	go func() { done <- local.Runner{}.Run(ctx, "exec 9>"+fifo+"; sleep 1000 & echo begun; wait", nil, w) }()
	<-w.begun
	start := time.Now()
	cancel()
	err = <-done
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if collector.OutcomeOf(err) != collector.Cancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := alive.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(alive); err != nil {
		t.Errorf("the grandchild lives: %v", err)
	}
}

func TestTimeLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := local.Runner{}.Run(ctx, "sleep 1000", nil, io.Discard)
	if collector.OutcomeOf(err) != collector.TimedOut {
		t.Errorf("got %v", err)
	}
}

func TestGrandchildThatKeepsTheOutputOpenDoesNotHoldTheRun(t *testing.T) {
	start := time.Now()
	err := local.Runner{}.Run(context.Background(), "sleep 1000 & echo early", nil, io.Discard)
	if collector.OutcomeOf(err) != collector.Broken || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
}

type fullWriter struct{ err error }

func (w fullWriter) Write([]byte) (int, error) { return 0, w.err }

func TestErrorOfTheWriterIsReturnedAsItIs(t *testing.T) {
	full := errors.New("enough")
	err := local.Runner{}.Run(context.Background(), "yes", nil, fullWriter{full})
	if err != full {
		t.Errorf("got %v", err)
	}
}

func TestEnvironmentIsThatOfALogin(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "s3cret")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	var out bytes.Buffer
	if err := (local.Runner{}).Run(context.Background(), "env", nil, &out); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "s3cret") || strings.Contains(s, "LC_ALL") || !strings.Contains(s, "PATH=") {
		t.Errorf("got %s", s)
	}
}

func TestNameIsNeverEmpty(t *testing.T) {
	if local.Name() == "" {
		t.Error("it is")
	}
}
