package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

func TestAliasThroughTwoRealJumpHosts(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{Ports: 3})
	port := func(i int) string { _, p, _ := net.SplitHostPort(s.Addrs[i]); return p }
	conf := filepath.Join(s.Dir, "ssh_config")
	sshtest.WriteFile(t, conf, fmt.Sprintf(`
Host outer
  Port %s
Host inner
  Port %s
  ProxyJump outer
Host web
  Port %s
  ProxyJump inner
Host *
  HostName 127.0.0.1
  IdentityFile %s
  UserKnownHostsFile %s
`, port(0), port(1), port(2), s.ClientKey, s.KnownHosts))
	d := newDialer(t, ssh.Options{ConfigFiles: []string{conf}})
	out, err := run(t, d, "web", `echo "$SSH_CONNECTION"`, "")
	if err != nil || !strings.HasSuffix(out, " "+port(2)+"\n") {
		t.Fatalf("%q, %v\n%s", out, err, s.Log())
	}
	// The same by flag, and targets in numbers over the same two connections.
	d = newDialer(t, ssh.Options{ConfigFiles: []string{conf}, Jump: "127.0.0.1:" + port(0) + ",127.0.0.1:" + port(1)})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := run(t, d, s.Addrs[2], "true", ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// bastion is a fake jump host that connects to wherever it is told.
func bastion(t testing.TB, s fakeServer) *fake {
	s.open = func(n gossh.NewChannel) bool {
		var to struct {
			Host     string
			Port     uint32
			FromHost string
			FromPort uint32
		}
		if n.ChannelType() != "direct-tcpip" || gossh.Unmarshal(n.ExtraData(), &to) != nil {
			return false
		}
		go func() {
			c, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
			if err != nil {
				n.Reject(gossh.ConnectionFailed, "Connection refused\x1b[2J")
				return
			}
			ch, reqs, err := n.Accept()
			if err != nil {
				c.Close()
				return
			}
			go gossh.DiscardRequests(reqs)
			go func() { io.Copy(c, ch); c.Close() }()
			io.Copy(ch, c)
			ch.Close()
		}()
		return true
	}
	return s.start(t)
}

func TestManyTargetsShareAFewConnectionsToTheJumpHost(t *testing.T) {
	t.Parallel()
	b := bastion(t, fakeServer{})
	web := fakeServer{}.start(t)
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, b.knownLine()+web.knownLine())
	d := newDialer(t, ssh.Options{KnownHosts: []string{known}, Jump: b.addr})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if out, err := run(t, d, web.addr, "x", ""); err != nil || out != "ran x\n" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	all.Wait()
	if n := b.conns.Load(); n > 2 {
		t.Errorf("%d connections to the jump host for 100 targets", n)
	}
}

func TestDyingJumpHostFailsItsTargetsAndIsReachedAgainByLaterOnes(t *testing.T) {
	t.Parallel()
	b := bastion(t, fakeServer{})
	started := make(chan struct{}, 1)
	web := fakeServer{exec: func(ch gossh.Channel, _ *gossh.ServerConn, cmd string) {
		if cmd == "hang" {
			started <- struct{}{}
			return
		}
		endWith(ch, 0)
	}}.start(t)
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, b.knownLine()+web.knownLine())
	d := newDialer(t, ssh.Options{KnownHosts: []string{known}, Jump: b.addr})
	h, err := d.Host(web.addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(context.Background(), "hang", nil, io.Discard) }()
	<-started
	b.drop()
	wantOutcome(t, <-done, collector.Broken)
	if err := h.Run(context.Background(), "x", nil, io.Discard); err != nil {
		t.Errorf("after the jump host came back: %v", err)
	}
}

func TestErrorsOnTheWayNameTheJumpHost(t *testing.T) {
	t.Parallel()
	b := bastion(t, fakeServer{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	d := newDialer(t, ssh.Options{KnownHosts: []string{b.known}, Jump: b.addr})
	_, err = run(t, d, nobody, "x", "")
	wantOutcome(t, err, collector.Unreachable, "jump host "+b.addr+" cannot reach "+nobody, `Connection refused\x1b[2J`)

	d = newDialer(t, ssh.Options{KnownHosts: []string{b.known}, Jump: nobody})
	_, err = run(t, d, b.addr, "x", "")
	wantOutcome(t, err, collector.Unreachable, "jump host "+nobody+": connection refused")

	strange := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, strange, "")
	d = newDialer(t, ssh.Options{KnownHosts: []string{strange}, Jump: b.addr})
	_, err = run(t, d, nobody, "x", "")
	wantOutcome(t, err, collector.HostKeyUnknown, "jump host "+b.addr+": the server shows")

	sshd := sshtest.StartSSHD(t, sshtest.Options{Config: []string{"AllowTcpForwarding no"}})
	d = newDialer(t, ssh.Options{KnownHosts: []string{sshd.KnownHosts}, IdentityFiles: []string{sshd.ClientKey}, Jump: sshd.Addr()})
	_, err = run(t, d, nobody, "x", "")
	wantOutcome(t, err, collector.Unreachable, "forwards no connection")
	if !strings.Contains(hint(err), "AllowTcpForwarding") {
		t.Errorf("hint %q", hint(err))
	}
}

func TestCancelReturnsAtOnceBehindAJumpHostThatHangs(t *testing.T) {
	t.Parallel()
	opened := make(chan struct{}, 1)
	var hangs atomic.Bool
	b := fakeServer{open: func(n gossh.NewChannel) bool {
		hangs.Store(true)
		opened <- struct{}{}
		return true // neither accepted nor refused
	}}.start(t)
	d := newDialer(t, ssh.Options{KnownHosts: []string{b.known}, Jump: b.addr})
	h, err := d.Host("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, "x", nil, io.Discard) }()
	<-opened
	start := time.Now()
	cancel()
	err = <-done
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	wantOutcome(t, err, collector.Cancelled)
	d.Close()
	<-b.gone
}

func TestProxyCommand(t *testing.T) {
	t.Parallel()
	web := fakeServer{}.start(t)
	sshd := sshtest.StartSSHD(t, sshtest.Options{})
	client := sshtest.Need(t, "ssh")
	conf := filepath.Join(t.TempDir(), "config")
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, web.knownLine())
	sshtest.WriteFile(t, conf, fmt.Sprintf("ProxyCommand %s -F none -i %s -o UserKnownHostsFile=%s -p %s -W %%h:%%p 127.0.0.1\n",
		client, sshd.ClientKey, sshd.KnownHosts, sshd.Port()))
	d := newDialer(t, ssh.Options{ConfigFiles: []string{conf}, KnownHosts: []string{known}})
	if out, err := run(t, d, web.addr, "x", ""); err != nil || out != "ran x\n" {
		t.Errorf("%q, %v", out, err)
	}
	sshtest.WriteFile(t, conf, "ProxyCommand echo 'no way \x1b[5m' >&2; exit 1\n")
	d = newDialer(t, ssh.Options{ConfigFiles: []string{conf}, KnownHosts: []string{known}})
	_, err := run(t, d, web.addr, "x", "")
	wantOutcome(t, err, collector.Unreachable, `no way \x1b[5m`)

	// One that never answers dies with the run, and what it started too.
	sshtest.WriteFile(t, conf, "ProxyCommand sleep 1000 & wait\n")
	d = newDialer(t, ssh.Options{ConfigFiles: []string{conf}, KnownHosts: []string{known}, Timeouts: shortHandshake})
	start := time.Now()
	_, err = run(t, d, web.addr, "x", "")
	wantOutcome(t, err, collector.TimedOut, "exchanging keys")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestCloseEndsRunsUnderWay(t *testing.T) {
	t.Parallel()
	b := bastion(t, fakeServer{})
	started := make(chan struct{})
	web := fakeServer{exec: func(gossh.Channel, *gossh.ServerConn, string) { close(started) }}.start(t)
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, b.knownLine()+web.knownLine())
	d := newDialer(t, ssh.Options{KnownHosts: []string{known}, Jump: b.addr})
	h, err := d.Host(web.addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(context.Background(), "x", nil, io.Discard) }()
	<-started
	d.Close()
	wantOutcome(t, <-done, collector.Broken)
	var known2 *collector.Error
	if err := h.Run(context.Background(), "x", nil, io.Discard); !errors.As(err, &known2) {
		t.Errorf("after Close: %v", err)
	}
}
