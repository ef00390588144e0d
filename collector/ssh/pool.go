package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
)

const (
	// perJump is how many targets share a connection to a jump host. OpenSSH sets
	// no limit to forwarded connections; old dropbears have room for a hundred.
	perJump = 64
	// jumpIdle is how long a connection to a jump host waits for another target.
	jumpIdle = 3 * time.Second
	// jumpAlive is how long a jump host may take to say that it is alive.
	jumpAlive = 5 * time.Second
)

// A pool is the connections to one jump host. Thousands of targets behind it open
// a handful: each connection costs the jump host a process and a login.
type pool struct {
	h *Host

	mu     sync.Mutex
	links  []*link
	closed bool
	work   sync.WaitGroup
}

// A link is one connection to a jump host, made or in the making.
type link struct {
	ready  chan struct{} // closed when client or err is set
	client *client
	err    error
	cancel context.CancelFunc

	// Under the pool's lock.
	users int
	idle  *time.Timer
}

func newPool(h *Host) *pool { return &pool{h: h} }

// dial opens a connection to the target through the jump host.
func (p *pool) dial(st *stages, target *Host) (net.Conn, error) {
	for try := 1; ; try++ {
		st.enter(reachingJump, 0) // its stages have limits of their own
		l, shared, err := p.acquire(st)
		if err != nil {
			return nil, p.wrap(err)
		}
		st.enter(connecting, target.limits.Connect)
		conn, err := p.open(st, l, target)
		if err == nil {
			return conn, nil
		}
		var refused *gossh.OpenChannelError
		switch {
		case st.Err() != nil:
			return nil, err
		case errors.As(err, &refused) && refused.Reason != gossh.ResourceShortage:
			return nil, p.refusal(refused, target)
		case try == 1 && shared:
			p.drop(l) // it died while it was idle, or is full: the next is a new one
		default:
			return nil, p.wrap(&collector.Error{Outcome: collector.Unreachable, Err: errors.New(lostText(err))})
		}
	}
}

// acquire returns a link that is up, and whether others have used it before.
func (p *pool) acquire(st *stages) (l *link, shared bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, &collector.Error{Outcome: collector.Cancelled, Err: net.ErrClosed}
	}
	for _, have := range p.links {
		if have.users < perJump {
			l, shared = have, true
			break
		}
	}
	if l == nil {
		l = p.start()
	}
	l.users++
	if l.idle != nil {
		l.idle.Stop()
	}
	p.mu.Unlock()

	select {
	case <-l.ready:
		if l.err == nil {
			return l, shared, nil
		}
		err = l.err
	case <-st.Done():
		err = context.Cause(st)
	}
	p.release(l)
	return nil, false, err
}

// start begins a connection, on a context of its own: the target that happened to
// come first may be cancelled while others wait. The caller holds p.mu.
func (p *pool) start() *link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{ready: make(chan struct{}), cancel: cancel}
	p.links = append(p.links, l)
	p.work.Go(func() {
		defer cancel()
		st := newStages(ctx)
		defer st.end()
		c, err := p.h.connect(st)
		if err != nil {
			p.drop(l)
			l.err = st.verdict(err)
			close(l.ready)
			return
		}
		st.enter("serving", 0)
		l.client = c
		close(l.ready)
		c.Wait() // it ends when the jump host does, when ctx does, or by drop
		p.drop(l)
		c.Close()
	})
	return l
}

// release gives a link back. The last one to do so sets the clock.
func (p *pool) release(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.users--
	if l.users > 0 {
		return
	}
	select {
	case <-l.ready:
	default:
		l.cancel() // nobody waits for it any more
		p.forget(l)
		return
	}
	if !slices.Contains(p.links, l) || p.closed {
		l.cancel()
		return
	}
	l.idle = time.AfterFunc(jumpIdle, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if l.users == 0 {
			p.forget(l)
			l.cancel()
		}
	})
}

// drop takes a link out of use. Targets that it still serves go on.
func (p *pool) drop(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(l)
	if l.users == 0 {
		l.cancel()
	}
}

func (p *pool) forget(l *link) {
	p.links = slices.DeleteFunc(p.links, func(o *link) bool { return o == l })
}

// close ends all connections. It does not wait for them.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.links {
		l.cancel()
		if l.idle != nil {
			l.idle.Stop()
		}
	}
	p.mu.Unlock()
}

func (p *pool) wrap(err error) error {
	out := &collector.Error{Outcome: collector.OutcomeOf(err)}
	var known *collector.Error
	if errors.As(err, &known) {
		out.Outcome, out.Hint = known.Outcome, known.Hint
	}
	out.Err = fmt.Errorf("jump host %s: %w", p.h.name, err)
	return out
}

func (p *pool) refusal(e *gossh.OpenChannelError, target *Host) error {
	out := &collector.Error{Outcome: collector.Unreachable}
	if e.Reason == gossh.Prohibited {
		out.Err = fmt.Errorf("jump host %s forwards no connection to %s: %s", p.h.name, target.hostport(), serverText(e.Message))
		out.Hint = "Allow it in its sshd_config: AllowTcpForwarding, PermitOpen."
	} else {
		out.Err = fmt.Errorf("jump host %s cannot reach %s: %s", p.h.name, target.hostport(), serverText(e.Message))
	}
	return out
}
