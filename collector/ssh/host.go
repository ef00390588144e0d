package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/vmdrift/vmdrift/collector"
)

// A Host is one machine, resolved: how it is reached, what its host key may be,
// what is offered to it. It implements collector.Runner.
type Host struct {
	d     *Dialer
	name  string // as typed, without user
	alias string // what ssh_config was asked for

	user, host string
	port       int
	network    string // tcp, tcp4, tcp6
	bind       string // local address, or empty
	limits     Timeouts

	jump         *Host // the last hop before this host, or nil
	proxyCommand string
	pool         *pool // of a jump host: the connections that targets share

	keys                             hostKeys
	hostKeyAlgos, kex, ciphers, macs []string // empty: the defaults

	methods        []string // authentication, in order
	identities     []string // named by flag or ssh_config
	defaults       []string // those in ~/.ssh
	certificates   []string
	identitiesOnly bool
	agentSocket    string
}

var _ collector.Runner = (*Host)(nil)

// Name returns the target as it was typed, without the user: an alias of
// ssh_config stays one.
func (h *Host) Name() string { return h.name }

// Address returns where the target leads to: user@host:port.
func (h *Host) Address() string { return h.user + "@" + h.hostport() }

func (h *Host) hostport() string { return net.JoinHostPort(h.host, strconv.Itoa(h.port)) }

// grace is how long an ended Run waits for its goroutine. On a connection of its
// own, closing the connection ends it at once. Through a jump host that hangs, it
// ends when the connection to the jump host does.
const grace = 50 * time.Millisecond

// Run implements collector.Runner. Its errors are *collector.Error, except that an
// error of stdout is returned as it is. If the command itself failed, the error
// wraps an *ExitError; the output has been written then, and may be whole.
func (h *Host) Run(ctx context.Context, command string, stdin []byte, stdout io.Writer) error {
	st := newStages(ctx)
	defer st.end()
	out := &gate{w: stdout}
	done := make(chan error, 1)
	go func() { done <- h.run(st, command, stdin, out) }()
	var err error
	select {
	case err = <-done:
	case <-st.Done():
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case err = <-done:
		case <-late.C:
			err = context.Cause(st)
		}
		out.close()
	}
	return st.verdict(err)
}

func (h *Host) run(st *stages, command string, stdin []byte, out io.Writer) error {
	c, err := h.connect(st)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.exec(st, h.limits.Idle, command, stdin, out)
}

// A gate is a writer that can be shut: once Run has returned, its caller owns
// stdout again, whatever a goroutine still does.
type gate struct {
	mu   sync.Mutex
	shut bool
	w    io.Writer
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return 0, errors.New("the run is over")
	}
	n, err := g.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
}

// A writeError is an error of the caller's own writer.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// An ExitError is a command that was run, and ended badly.
type ExitError struct {
	Status int    // 0 if a signal ended it
	Signal string // without SIG
	Stderr string // the end of its standard error, escaped
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("the command ended with status %d", e.Status)
	if e.Signal != "" {
		text = "the command was ended by signal " + e.Signal
	}
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// ExitStatus returns the exit status, -1 for a signal, as package os has it.
func (e *ExitError) ExitStatus() int {
	if e.Signal != "" {
		return -1
	}
	return e.Status
}
