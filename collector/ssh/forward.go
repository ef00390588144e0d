package ssh

import (
	"context"
	"net"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// open asks the jump host to connect to the target. It owns l: l is released when
// the connection is closed, or there is none.
func (p *pool) open(st *stages, l *link, target *Host) (net.Conn, error) {
	type answer struct {
		ch   gossh.Channel
		reqs <-chan *gossh.Request
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		payload := gossh.Marshal(struct {
			Host     string
			Port     uint32
			FromHost string
			FromPort uint32
		}{target.host, uint32(target.port), "127.0.0.1", 0})
		ch, reqs, err := l.client.OpenChannel("direct-tcpip", payload)
		answers <- answer{ch, reqs, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			p.release(l)
			return nil, a.err
		}
		go gossh.DiscardRequests(a.reqs)
		return &forwarded{Channel: a.ch, release: func() { p.release(l) }, to: target.hostport()}, nil
	case <-st.Done():
		go p.check(l)
		go func() {
			if a := <-answers; a.err == nil {
				go gossh.DiscardRequests(a.reqs)
				a.ch.Close()
			}
			p.release(l)
		}()
		return nil, context.Cause(st)
	}
}

// check ends a link that is silent. A target that does not answer looks the same
// as a jump host that hangs; the jump host can be asked.
func (p *pool) check(l *link) {
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		l.client.SendRequest("keepalive@openssh.com", true, nil)
	}()
	late := time.NewTimer(jumpAlive)
	defer late.Stop()
	select {
	case <-alive:
	case <-late.C:
		p.drop(l)
		l.cancel()
	}
}

// A forwarded is a connection through a jump host.
type forwarded struct {
	gossh.Channel
	release func()
	to      string
	once    sync.Once
}

// Close does not wait for the jump host, which may hang. Reads end when it has
// answered, or its connection ends.
func (f *forwarded) Close() error {
	f.once.Do(func() {
		go func() {
			f.Channel.Close()
			f.release()
		}()
	})
	return nil
}

type forwardedAddr string

func (a forwardedAddr) Network() string { return "ssh" }
func (a forwardedAddr) String() string  { return string(a) }

func (f *forwarded) LocalAddr() net.Addr              { return forwardedAddr("127.0.0.1:0") }
func (f *forwarded) RemoteAddr() net.Addr             { return forwardedAddr(f.to) }
func (f *forwarded) SetDeadline(time.Time) error      { return nil }
func (f *forwarded) SetReadDeadline(time.Time) error  { return nil }
func (f *forwarded) SetWriteDeadline(time.Time) error { return nil }
