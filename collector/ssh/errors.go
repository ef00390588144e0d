package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// maxServerText bounds, in bytes, what a server's words take up in an error.
const maxServerText = 300

// serverText makes text of the other side fit to be shown: bounded, then escaped,
// so that no cut goes through an escape.
func serverText(s string) string {
	if len(s) > maxServerText {
		end := maxServerText
		for end > maxServerText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		return inventory.Escape(s[:end]) + "…"
	}
	return inventory.Escape(s)
}

// gone reports whether the other side ended the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

func brokenOrGone(err error) collector.Outcome {
	if gone(err) {
		return collector.Unreachable
	}
	return collector.Broken
}

// handshakeCause takes off what x/crypto puts around an error.
func handshakeCause(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "ssh: handshake failed: ") {
		return inner
	}
	return err
}

// lostText says why a connection ended, in words of ours where they are known.
func lostText(err error) string {
	var algo *gossh.AlgorithmNegotiationError
	if errors.As(err, &algo) {
		return "no common " + serverText(strings.TrimPrefix(err.Error(), "ssh: no common algorithm for "))
	}
	if gone(err) {
		return "the server closed the connection"
	}
	if errors.Is(err, syscall.ETIMEDOUT) {
		return "the machine answers no more"
	}
	// x/crypto does not export the type of a disconnect message.
	text := err.Error()
	if _, said, ok := strings.Cut(text, "ssh: disconnect, reason "); ok {
		_, said, _ = strings.Cut(said, ": ")
		if plain, err := strconv.Unquote(said); err == nil {
			said = plain
		}
		return fmt.Sprintf("the server says \"%s\"", serverText(said))
	}
	return serverText(strings.TrimPrefix(text, "ssh: "))
}

// dialError is the error of a TCP connection that was not made.
func dialError(err error) error {
	e := &collector.Error{Outcome: collector.Unreachable}
	where := ""
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Addr != nil {
		where = " (" + op.Addr.String() + ")"
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Err = fmt.Errorf("no such host: %s", serverText(dns.Name))
		e.Hint = "Check the name, or give it a HostName in ssh_config."
	case errors.As(err, &dns):
		e.Err = fmt.Errorf("name server does not answer for %s: %s", serverText(dns.Name), serverText(dns.Err))
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Err = errors.New("connection refused" + where)
		e.Hint = "Nothing listens on this port: is sshd running there, on another port?"
	case errors.Is(err, syscall.EHOSTUNREACH):
		e.Err = errors.New("no route to host" + where)
	case errors.Is(err, syscall.ENETUNREACH):
		e.Err = errors.New("network is unreachable" + where)
	case errors.Is(err, syscall.ETIMEDOUT):
		e.Err = errors.New("no answer to the connection" + where)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.Outcome = collector.Broken
		e.Err = errors.New("too many open files on this machine")
		e.Hint = "Raise the limit (ulimit -n), or scan fewer machines at once."
	default:
		e.Err = fmt.Errorf("connect: %w", err)
	}
	return e
}
