// Package local is the transport to the machine that vmdrift runs on. It runs the
// same command as package ssh does, and knows nothing of what it says.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Runner runs commands on this machine, as the user that vmdrift runs as.
// The zero value is ready.
type Runner struct{}

var _ collector.Runner = Runner{}

// waitDelay is how long output is waited for once the command's own process has
// ended or was killed. A process that left the group may hold the pipe for ever.
const waitDelay = 100 * time.Millisecond

// Name is this machine's host name.
func Name() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return inventory.Escape(name)
}

// Run implements collector.Runner with `sh -c command`. The command gets a process
// group of its own, which is killed as a whole when ctx ends, and of the
// environment what a login by SSH would have.
func (Runner) Run(ctx context.Context, command string, stdin []byte, stdout io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Should the writer want no more, the command ends at once and not at its next write.
	out := &writer{w: stdout, stop: func(err error) { cancel(err) }}
	var errs tail
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = waitDelay
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		return &collector.Error{Outcome: collector.Broken, Err: fmt.Errorf("start the command: %w", err)}
	}
	err := cmd.Wait()
	out.close()
	var exit *exec.ExitError
	switch {
	case out.failure() != nil:
		return out.failure()
	case ctx.Err() != nil && err != nil:
		return ended(ctx)
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &collector.Error{Outcome: collector.Broken, Err: &ExitError{exit.ProcessState, errs.text()}}
	case errors.Is(err, exec.ErrWaitDelay):
		killGroup(cmd)
		return &collector.Error{Outcome: collector.Broken, Err: errors.New("the command ended, but something it started holds its output")}
	}
	return &collector.Error{Outcome: collector.Broken, Err: fmt.Errorf("run the command: %w", err)}
}

// killGroup ends the command and what it started. The number of the group is its
// own as long as the command was not waited for, and for a good while after: the
// kernel goes round all numbers before it gives one out again.
func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
		return &collector.Error{Outcome: collector.TimedOut, Err: fmt.Errorf("the time limit passed while the command ran: %w", err)}
	}
	return &collector.Error{Outcome: collector.Cancelled, Err: fmt.Errorf("stopped while the command ran: %w", ctx.Err())}
}

// environment is what sshd sets. The rest of ours (tokens, library paths, a
// locale) is none of the command's business, and would change what it prints.
func environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// An ExitError is a command that was run, and ended badly.
type ExitError struct {
	*os.ProcessState
	Stderr string // the end of its standard error, escaped
}

func (e *ExitError) Error() string {
	text := "the command ended with " + e.ProcessState.String()
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// ExitStatus returns the exit status, -1 for a signal.
func (e *ExitError) ExitStatus() int { return e.ExitCode() }

// A writer passes on output, keeps the error of the caller's writer apart from all
// others, and is shut when Run returns: a process that lives on writes to nobody.
type writer struct {
	stop func(error)

	mu   sync.Mutex
	w    io.Writer
	err  error
	shut bool
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut || w.err != nil {
		return 0, os.ErrClosed
	}
	n, err := w.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = err
		w.stop(err)
	}
	return n, err
}

func (w *writer) close() {
	w.mu.Lock()
	w.shut = true
	w.mu.Unlock()
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// A tail keeps the end of standard error, where the reason stands.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const maxTail = 300

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-maxTail):]...)
	if over := len(t.buf) - maxTail; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	buf := t.buf
	for len(buf) > 0 && len(t.buf) == maxTail && !utf8.RuneStart(buf[0]) {
		buf = buf[1:] // the cut went through a character
	}
	return inventory.Escape(strings.TrimSpace(string(buf)))
}
