package simvm

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Host is a machine that runs: the machine, and its SSH server.
type Host struct {
	*Machine
	fleet *Fleet
	addr  string

	mu       sync.Mutex
	signer   ssh.Signer
	listener net.Listener // nil while disconnected
	conns    map[net.Conn]bool
	hangs    bool
	slow     time.Duration // before a command begins
}

// Limits of one server.
const (
	maxConnections = 64               // at once; more are closed at once
	maxSessions    = 10               // on one connection, as OpenSSH has it
	loginGrace     = 20 * time.Second // to authenticate
)

func (f *Fleet) startHost(m *Machine) (*Host, error) {
	signer, err := newHostKey()
	if err != nil {
		return nil, err
	}
	h := &Host{Machine: m, fleet: f, addr: "127.0.0.1:0", signer: signer, conns: map[net.Conn]bool{}}
	return h, h.Connect()
}

// Addr returns where the server listens, 127.0.0.1:port, also while it is disconnected.
func (h *Host) Addr() string { return h.addr }

// Connect makes the machine reachable, at the address it had before.
func (h *Host) Connect() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != nil {
		return nil
	}
	if err := h.fleet.ctx.Err(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		return err
	}
	h.listener, h.addr = l, l.Addr().String()
	h.fleet.work.Go(func() { h.accept(l) })
	return nil
}

// Disconnect makes the machine unreachable: connections are refused, those there are end.
func (h *Host) Disconnect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != nil {
		h.listener.Close()
		h.listener = nil
	}
	for c := range h.conns {
		c.Close()
	}
}

// Hang makes the machine take connections and drop them without a word, as one that is
// out of memory does; with false it recovers. Other than Disconnect it keeps its port.
func (h *Host) Hang(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangs = on
}

// Slow makes each command begin that much later, as on a machine that is far away or busy.
func (h *Host) Slow(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = by
}

// ChangeHostKey gives the server another key, as after an installation from scratch,
// or as somebody in between would have one. The fleet's KnownHosts keeps the old.
func (h *Host) ChangeHostKey() error {
	signer, err := newHostKey()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signer = signer
	return nil
}

func (h *Host) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		signer, ok := h.admit(l, c)
		if !ok {
			c.Close()
			continue
		}
		h.fleet.work.Go(func() {
			defer h.forget(c)
			h.serve(c, signer)
		})
	}
}

// admit takes note of a connection, unless the server is full or no longer there.
func (h *Host) admit(l net.Listener, c net.Conn) (ssh.Signer, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != l || h.hangs || len(h.conns) >= maxConnections {
		return nil, false
	}
	h.conns[c] = true
	return h.signer, true
}

func (h *Host) forget(c net.Conn) {
	c.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

var errRefused = errors.New("no such user, or not with this key")

// serve speaks SSH on one connection until it ends.
func (h *Host) serve(c net.Conn, signer ssh.Signer) {
	conf := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-" + h.dist.sshVersion,
		MaxAuthTries:  6,
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !h.letsIn(meta.User()) || !bytes.Equal(key.Marshal(), h.fleet.client.Marshal()) {
				return nil, errRefused
			}
			return nil, nil
		},
	}
	conf.AddHostKey(signer)
	if err := c.SetDeadline(time.Now().Add(loginGrace)); err != nil {
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return
	}
	defer conn.Close()
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	var sessions sync.WaitGroup
	defer sessions.Wait()
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	slots := make(chan struct{}, maxSessions)
	for ch := range channels {
		if ch.ChannelType() != "session" {
			refuse(ch, ssh.UnknownChannelType, "only sessions")
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			refuse(ch, ssh.ResourceShortage, "too many sessions")
			continue
		}
		channel, in, err := ch.Accept()
		if err != nil {
			return
		}
		sessions.Go(func() {
			defer func() { <-slots }()
			h.session(conn.User(), channel, in)
		})
	}
}

func refuse(ch ssh.NewChannel, why ssh.RejectionReason, text string) {
	ch.Reject(why, text) //nolint:errcheck // the connection may have ended
}

// letsIn reports whether a user can log in: one with a shell.
func (h *Host) letsIn(user string) bool {
	s := h.image().state
	i, err := s.findUser(user)
	if err != nil {
		return false
	}
	shell := s.users[i].Shell
	return !strings.HasSuffix(shell, "nologin") && !strings.HasSuffix(shell, "false")
}

// String returns name (address).
func (h *Host) String() string { return fmt.Sprintf("%s (%s)", h.name, h.addr) }
