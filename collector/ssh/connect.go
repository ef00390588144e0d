package ssh

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
)

// A client is an authenticated connection.
type client struct {
	gossh.Conn
	net  net.Conn
	stop func() bool
}

// connect reaches the host and authenticates. The connection closes when st ends.
//
// A server with many connections in the making drops some of them before its
// greeting, at random (MaxStartups 10:30:100): at scale that is normal, so such a
// drop is tried again, twice, a little later.
func (h *Host) connect(st *stages) (*client, error) {
	if err := h.keys.load(); err != nil {
		return nil, err
	}
	a := h.newAuth()
	for try := 1; ; try++ {
		c, err := h.connectOnce(st, a)
		var dropped *droppedError
		if !errors.As(err, &dropped) {
			return c, err
		}
		if try == 3 || !pause(st, time.Duration(try*try)*100*time.Millisecond) {
			return nil, dropped.verdict()
		}
	}
}

// pause waits for between once and twice d, so that those dropped together do not
// come back together.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *Host) connectOnce(st *stages, a *auth) (*client, error) {
	nc, err := h.dial(st)
	if err != nil {
		return nil, err
	}
	c := &client{net: nc}
	c.stop = context.AfterFunc(st, func() { nc.Close() })
	if err := h.shakeHands(st, c, a); err != nil {
		c.stop()
		nc.Close()
		if p, ok := nc.(*proxyConn); ok {
			err = p.explain(err)
		}
		return nil, err
	}
	return c, nil
}

func (h *Host) shakeHands(st *stages, c *client, a *auth) error {
	st.enter(shakingHands, h.limits.Handshake)
	g := &greeting{Conn: c.net}
	var verified atomic.Bool
	var mu sync.Mutex
	var keyErr error
	conf := &gossh.ClientConfig{
		Config:            gossh.Config{KeyExchanges: h.kex, Ciphers: h.ciphers, MACs: h.macs},
		User:              h.user,
		AuthCallback:      a.next,
		HostKeyAlgorithms: h.keys.algorithms(h.hostKeyAlgos),
		ClientVersion:     "SSH-2.0-vmdrift",
		HostKeyCallback: func(addr string, remote net.Addr, key gossh.PublicKey) error {
			err := h.keys.check(addr, remote, key)
			if err != nil {
				mu.Lock()
				keyErr = err
				mu.Unlock()
				return err
			}
			if !verified.Swap(true) { // it is called again when keys are exchanged anew
				st.enter(authenticating, h.limits.Auth)
			}
			return nil
		},
	}
	conn, chans, reqs, err := gossh.NewClientConn(g, h.hostport(), conf)
	if err == nil {
		c.Conn = conn
		go refuse(chans, reqs)
		return nil
	}
	mu.Lock()
	defer mu.Unlock()
	switch {
	case keyErr != nil:
		return keyErr
	case verified.Load():
		return a.failed(handshakeCause(err))
	case !g.complete():
		return g.failure(handshakeCause(err))
	}
	return &collector.Error{Outcome: brokenOrGone(err), Err: errors.New("key exchange: " + lostText(handshakeCause(err)))}
}

// refuse answers whatever the server asks for with no. A client that runs one
// command has nothing to offer: no agent, no display, no port.
func refuse(chans <-chan gossh.NewChannel, reqs <-chan *gossh.Request) {
	for chans != nil || reqs != nil {
		select {
		case ch, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			ch.Reject(gossh.Prohibited, "")
		case r, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			if r.WantReply {
				r.Reply(false, nil)
			}
		}
	}
}

// Close closes the connection. It does not wait for the server.
func (c *client) Close() error {
	c.stop()
	return c.net.Close()
}

// dial opens the connection that SSH is spoken over.
func (h *Host) dial(st *stages) (net.Conn, error) {
	switch {
	case h.jump != nil:
		return h.jump.pool.dial(st, h)
	case h.proxyCommand != "":
		st.enter(connecting, h.limits.Connect)
		return startProxy(h.proxyCommand)
	}
	st.enter(connecting, h.limits.Connect)
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if h.bind != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(h.bind)}
	}
	nc, err := d.DialContext(st, h.network, h.hostport())
	if err != nil {
		return nil, dialError(err)
	}
	return ackAtOnce(nc), nil
}
