package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/vmdrift/vmdrift/collector"
)

// A greeting is a connection whose first line is watched: until the server has
// said who it is (SSH-2.0-…), an ended connection means something else. It also
// reads ahead, as x/crypto takes the line byte by byte, by one system call each.
type greeting struct {
	net.Conn

	mu   sync.Mutex
	said []byte // what came before and with the greeting, up to a limit
	done bool

	ahead []byte // read and not yet taken
	past  bool   // nothing is read ahead any more
}

// maxSaid is how much a server may say before its greeting. The protocol allows
// some lines; more of them, or HTTP, is no SSH server, however long one waits.
const maxSaid = 4096

var errNotSSH = errors.New("not an SSH server")

func (g *greeting) Read(p []byte) (int, error) {
	if g.past {
		return g.Conn.Read(p)
	}
	if len(g.ahead) == 0 {
		if g.complete() {
			g.past, g.ahead = true, nil
			return g.Conn.Read(p)
		}
		var buf [512]byte
		n, err := g.Conn.Read(buf[:])
		if n == 0 {
			return 0, err
		}
		if !g.watch(buf[:n]) {
			return 0, errNotSSH
		}
		g.ahead = append([]byte(nil), buf[:n]...)
	}
	n := copy(p, g.ahead)
	g.ahead = g.ahead[n:]
	return n, nil
}

// watch looks for the greeting, and reports whether it may still come.
func (g *greeting) watch(b []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.said = append(g.said, b...)
	if i := bytes.Index(g.said, []byte("SSH-")); i == 0 || i > 0 && g.said[i-1] == '\n' {
		g.done = bytes.IndexByte(g.said[i:], '\n') >= 0
	}
	return g.done || len(g.said) <= maxSaid && !bytes.HasPrefix(g.said, []byte("HTTP/"))
}

// complete reports whether the server has greeted.
func (g *greeting) complete() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done
}

// failure is the error of a handshake that ended before the greeting.
func (g *greeting) failure(err error) error {
	g.mu.Lock()
	line, _, _ := strings.Cut(strings.TrimSpace(string(g.said)), "\n")
	said := serverText(strings.TrimSpace(line))
	spoke := len(g.said) > 0
	g.mu.Unlock()
	if gone(err) {
		return &droppedError{said}
	}
	if spoke {
		return &collector.Error{
			Outcome: collector.Broken,
			Err:     fmt.Errorf("not an SSH server: it says \"%s\"", said),
			Hint:    "Check the port.",
		}
	}
	return &collector.Error{Outcome: collector.Broken, Err: errors.New("greeting: " + lostText(err))}
}

// A droppedError is a connection that the server closed before its greeting.
type droppedError struct{ said string }

func (e *droppedError) Error() string { return e.verdict().Error() }

func (e *droppedError) verdict() error {
	text := "the server closes the connection before its greeting"
	if e.said != "" {
		text += fmt.Sprintf(", saying \"%s\"", e.said)
	}
	return &collector.Error{
		Outcome: collector.Unreachable,
		Err:     errors.New(text),
		Hint:    "It may be busy or shutting this address out: see MaxStartups and PerSourcePenalties of its sshd, and the log there.",
	}
}
