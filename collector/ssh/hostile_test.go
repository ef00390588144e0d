package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/ssh"
)

// Limits that a test can wait for: of one stage each, so that on a busy machine
// no other runs into its own.
const soon = 80 * time.Millisecond

var (
	shortHandshake = ssh.Timeouts{Handshake: soon}
	shortAuth      = ssh.Timeouts{Auth: soon}
	shortIdle      = ssh.Timeouts{Idle: soon}
)

func TestServersThatDoNotGetAnywhereRunIntoTheLimitOfTheirStage(t *testing.T) {
	t.Parallel()
	hold := func(c net.Conn) bool { io.Copy(io.Discard, c); return false }
	for name, c := range map[string]struct {
		server fakeServer
		limits ssh.Timeouts
		stage  string
	}{
		"never answers": {fakeServer{raw: hold}, shortHandshake, "exchanging keys"},
		"drips its greeting": {fakeServer{raw: func(c net.Conn) bool {
			for range 1000 {
				if _, err := io.WriteString(c, "x"); err != nil {
					return false
				}
				tick()
			}
			return false
		}}, shortHandshake, "exchanging keys"},
		"greets, then nothing": {fakeServer{raw: func(c net.Conn) bool { io.WriteString(c, "SSH-2.0-x\r\n"); return hold(c) }}, shortHandshake, "exchanging keys"},
		"stalls in authentication": {fakeServer{auth: func(gossh.ConnMetadata) error {
			select {}
		}}, shortAuth, "authenticating"},
		"never ends":          {fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) { io.WriteString(ch, "some") }}, shortIdle, "waiting for output"},
		"never answers exec":  {fakeServer{reply: func(*gossh.Request, gossh.Channel) bool { return true }}, shortIdle, "waiting for output"},
		"never opens session": {fakeServer{open: func(gossh.NewChannel) bool { return true }}, shortIdle, "waiting for output"},
		"ends output, not the session": {fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) {
			ch.CloseWrite()
		}}, shortIdle, "waiting for output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			if c.server.auth != nil {
				c.server.auth = func(gossh.ConnMetadata) error { <-stop; return errors.New("too late") }
			}
			f := c.server.start(t)
			t.Cleanup(func() { close(stop) }) // before the server's own clean-up, which waits
			d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}, Timeouts: c.limits})
			_, err := run(t, d, f.addr, "x", "")
			wantOutcome(t, err, collector.TimedOut, c.stage)
			if c.server.auth == nil { // a callback that hangs does not notice
				<-f.gone // the connection is closed, not left behind
			}
		})
	}
}

// tick waits a moment for servers whose very nature is to be slow.
func tick() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
}

func TestCancelReturnsAtOnceAtEveryStage(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	at := func() { reached <- struct{}{} }
	stop := make(chan struct{})
	defer close(stop)
	for _, c := range []struct {
		name   string
		server fakeServer
	}{
		{"greeting", fakeServer{raw: func(c net.Conn) bool { at(); io.Copy(io.Discard, c); return false }}},
		{"key exchange", fakeServer{raw: func(c net.Conn) bool {
			io.WriteString(c, "SSH-2.0-x\r\n")
			c.Read(make([]byte, 1000))
			at()
			io.Copy(io.Discard, c)
			return false
		}}},
		{"authentication", fakeServer{auth: func(gossh.ConnMetadata) error { at(); <-stop; return io.EOF }}},
		{"session", fakeServer{open: func(gossh.NewChannel) bool { at(); return true }}},
		{"exec", fakeServer{reply: func(*gossh.Request, gossh.Channel) bool { at(); return true }}},
		{"output", fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) { io.WriteString(ch, "some"); at() }}},
	} {
		f := c.server.start(t)
		d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
		h, err := d.Host(f.addr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, "x", nil, io.Discard) }()
		<-reached
		start := time.Now()
		cancel()
		err = <-done
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("%s: it took %s to return", c.name, took)
		}
		wantOutcome(t, err, collector.Cancelled)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not wrap context.Canceled", c.name, err)
		}
		if c.server.auth == nil {
			<-f.gone
		}
	}
}

func TestDrippedOutputRunsIntoTheLimitOfTheWhole(t *testing.T) {
	t.Parallel()
	f := fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) {
		for {
			if _, err := io.WriteString(ch, "."); err != nil {
				return
			}
			tick()
		}
	}}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	h, err := d.Host(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var out bytes.Buffer
	err = h.Run(ctx, "x", nil, &out)
	wantOutcome(t, err, collector.TimedOut, "waiting for output")
	if !errors.Is(err, context.DeadlineExceeded) || out.Len() == 0 {
		t.Errorf("%v, after %d bytes", err, out.Len())
	}
	<-f.gone
}

func TestServersThatHangUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server fakeServer
		want   collector.Outcome
		says   string
	}{
		"speaks HTTP": {
			fakeServer{raw: func(c net.Conn) bool {
				io.WriteString(c, strings.Repeat("HTTP/1.1 400 \x1b[31mno\r\n", 60))
				io.Copy(io.Discard, c)
				return false
			}},
			collector.Broken, `HTTP/1.1 400 \x1b[31mno`,
		},
		"closes in the key exchange": {
			fakeServer{raw: func(c net.Conn) bool { io.WriteString(c, "SSH-2.0-x\r\n"); c.Read(make([]byte, 10)); return false }},
			collector.Unreachable, "key exchange: the server closed",
		},
		"sends rubbish in the key exchange": {
			fakeServer{raw: func(c net.Conn) bool {
				io.WriteString(c, "SSH-2.0-x\r\n")
				io.Copy(c, strings.NewReader(strings.Repeat("\xff\x1b[2J", 10000)))
				return false
			}},
			collector.Broken, "key exchange",
		},
		"hangs up in authentication": {
			fakeServer{password: "x", method: "password", raw: nil, banner: nil, auth: nil},
			collector.AuthFailed, "nothing to offer",
		},
		"cuts the output": {
			fakeServer{exec: func(ch gossh.Channel, c *gossh.ServerConn, _ string) { io.WriteString(ch, "half a"); c.Close() }},
			collector.Broken, "ended before the command did",
		},
		"ends without exit status": {
			fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) { io.WriteString(ch, "all?"); ch.Close() }},
			collector.Broken, "ended before the command did",
		},
		"refuses exec": {
			fakeServer{reply: func(r *gossh.Request, _ gossh.Channel) bool { r.Reply(false, nil); return true }},
			collector.Broken, "runs no command",
		},
		"refuses the session": {
			fakeServer{open: func(n gossh.NewChannel) bool { n.Reject(gossh.Prohibited, "not \x1b[5mhere"); return true }},
			collector.Broken, `opens no session: not \x1b[5mhere`,
		},
		"ends by a signal": {
			fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) {
				ch.SendRequest("exit-signal", false, gossh.Marshal(struct {
					Signal string
					Core   bool
					Error  string
					Lang   string
				}{"KILL", false, "", ""}))
				ch.Close()
			}},
			collector.Broken, "ended by signal KILL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := c.server.start(t)
			d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
			_, err := run(t, d, f.addr, "x", "")
			wantOutcome(t, err, c.want, c.says)
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\r\n") {
				t.Errorf("the error holds control characters: %q", err)
			}
			<-f.gone
		})
	}
}

func TestDroppedBeforeTheGreetingIsTriedAgain(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	f := fakeServer{raw: func(c net.Conn) bool { return n.Add(1) == 3 }}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	if out, err := run(t, d, f.addr, "x", ""); err != nil || out != "ran x\n" {
		t.Errorf("%q, %v", out, err)
	}
	f = fakeServer{raw: func(c net.Conn) bool { io.WriteString(c, "Exceeded MaxStartups\r\n"); return false }}.start(t)
	d = newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	_, err := run(t, d, f.addr, "x", "")
	wantOutcome(t, err, collector.Unreachable, "before its greeting", "Exceeded MaxStartups")
	if got := f.conns.Load(); got != 3 {
		t.Errorf("tried %d times, want 3", got)
	}
}

// A quota is a writer that has had enough after n bytes.
type quota struct {
	n   int
	err error
}

func (q *quota) Write(p []byte) (int, error) {
	if q.n -= len(p); q.n < 0 {
		return 0, q.err
	}
	return len(p), nil
}

func TestFloodEndsWhereTheWriterHasEnough(t *testing.T) {
	t.Parallel()
	f := fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) {
		buf := bytes.Repeat([]byte("flood\n"), 5000)
		for {
			if _, err := ch.Write(buf); err != nil {
				return
			}
		}
	}}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	h, err := d.Host(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	q := &quota{1 << 20, errors.New("enough")}
	if err := h.Run(context.Background(), "x", nil, q); err != q.err {
		t.Errorf("got %v, want the writer's own error", err)
	}
	<-f.gone
}

func TestStderrIsBoundedEscapedAndInTheError(t *testing.T) {
	t.Parallel()
	f := fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) {
		for range 200 {
			io.WriteString(ch.Stderr(), strings.Repeat("ü\x1b]0;title\x07", 1000))
		}
		io.WriteString(ch.Stderr(), "\nsh: \x1b[31mprobe: not found\n")
		io.WriteString(ch, "out")
		endWith(ch, 127)
	}}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	out, err := run(t, d, f.addr, "x", "")
	if out != "out" {
		t.Errorf("output %q", out)
	}
	wantOutcome(t, err, collector.Broken, "status 127", `\x1b[31mprobe: not found`)
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 127 {
		t.Errorf("%v holds no exit status", err)
	}
	if len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\x07\n") {
		t.Errorf("%d bytes: %q", len(err.Error()), err)
	}
}

func TestWhateverTheServerOpensOrAsksIsRefused(t *testing.T) {
	t.Parallel()
	answers := make(chan string, 10)
	f := fakeServer{exec: func(ch gossh.Channel, c *gossh.ServerConn, _ string) {
		for _, typ := range []string{"auth-agent@openssh.com", "x11", "forwarded-tcpip", "session", "direct-tcpip"} {
			_, _, err := c.OpenChannel(typ, nil)
			answers <- fmt.Sprint(typ, " ", err != nil)
		}
		ok, _, _ := c.SendRequest("tcpip-forward", true, nil)
		answers <- fmt.Sprint("global ", !ok)
		ok, _ = ch.SendRequest("keepalive@openssh.com", true, nil)
		answers <- fmt.Sprint("channel ", !ok)
		endWith(ch, 0)
	}}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	if _, err := run(t, d, f.addr, "x", ""); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if a := <-answers; !strings.HasSuffix(a, " true") {
			t.Errorf("not refused: %s", a)
		}
	}
}

func TestBannersWithoutEndRunIntoTheLimit(t *testing.T) {
	t.Parallel()
	f := fakeServer{banner: func(gossh.ConnMetadata) string { return strings.Repeat("welcome \x1b[31m", 10000) }}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	if out, err := run(t, d, f.addr, "x", ""); err != nil || out != "ran x\n" {
		t.Errorf("a long banner: %q, %v", out, err)
	}
}

func TestLargeInputThatTheCommandDoesNotRead(t *testing.T) {
	t.Parallel()
	f := fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, _ string) { io.WriteString(ch, "bye"); endWith(ch, 0) }}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{f.known}})
	if out, err := run(t, d, f.addr, "x", strings.Repeat("x", 8<<20)); err != nil || out != "bye" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	d := newDialer(t, ssh.Options{})
	_, err = run(t, d, addr, "x", "")
	wantOutcome(t, err, collector.Unreachable, "connection refused")
	_, err = run(t, d, "no-such-host.invalid", "x", "")
	wantOutcome(t, err, collector.Unreachable, "no-such-host.invalid")
}
