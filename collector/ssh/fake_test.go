package ssh_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/internal/sshtest"
)

// A fakeServer does what no sshd does. The zero value lets everyone in and
// answers each command with "ran COMMAND".
type fakeServer struct {
	keys     []string // host key types
	signers  []gossh.Signer
	version  string
	password string
	method   string // of the password: password, keyboard-interactive, or both
	echo     bool
	prompts  int

	raw    func(net.Conn) bool                                       // before SSH; false: that was all
	auth   func(gossh.ConnMetadata) error                            // instead of letting in
	banner func(gossh.ConnMetadata) string                           // of the authentication
	open   func(gossh.NewChannel) bool                               // true: dealt with
	exec   func(ch gossh.Channel, c *gossh.ServerConn, cmd string)   // instead of the answer
	reply  func(r *gossh.Request, ch gossh.Channel) (dealtWith bool) // to a request on the session
	conn   func(*gossh.ServerConn)                                   // once it is let in
}

type fake struct {
	fakeServer
	t             testing.TB
	addr, known   string
	l             net.Listener
	signersOf     []gossh.Signer
	passwordsSeen atomic.Int32
	conns         atomic.Int32 // accepted so far
	authTries     atomic.Int32
	gone          chan struct{} // one value per connection that ended

	mu   sync.Mutex
	open map[net.Conn]bool
	work sync.WaitGroup
}

func (s fakeServer) start(t testing.TB) *fake {
	t.Helper()
	f := &fake{fakeServer: s, t: t, open: map[net.Conn]bool{}, gone: make(chan struct{}, 10000)}
	f.signersOf = s.signers
	types := s.keys
	if len(types) == 0 && len(s.signers) == 0 {
		types = []string{"ed25519"}
	}
	for _, typ := range types {
		signer, err := gossh.NewSignerFromKey(sshtest.NewKey(t, typ))
		if err != nil {
			t.Fatal(err)
		}
		f.signersOf = append(f.signersOf, signer)
	}
	var err error
	if f.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.addr = f.l.Addr().String()
	f.known = filepath.Join(t.TempDir(), "known_hosts")
	sshtest.WriteFile(t, f.known, f.knownLine())
	f.work.Go(f.accept)
	t.Cleanup(f.stop)
	return f
}

func (f *fake) knownLine() string {
	var lines strings.Builder
	for _, s := range f.signersOf {
		lines.WriteString(sshtest.HostKey{Signer: s}.KnownHostsLine(f.addr))
	}
	return lines.String()
}

func (f *fake) stop() {
	f.l.Close()
	f.drop()
	f.work.Wait()
}

// drop cuts all connections.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
}

func (f *fake) accept() {
	for {
		c, err := f.l.Accept()
		if err != nil {
			return
		}
		f.conns.Add(1)
		f.mu.Lock()
		f.open[c] = true
		f.mu.Unlock()
		f.work.Go(func() {
			defer func() {
				c.Close()
				f.mu.Lock()
				delete(f.open, c)
				f.mu.Unlock()
				f.gone <- struct{}{}
			}()
			if f.raw == nil || f.raw(c) {
				f.serve(c)
			}
		})
	}
}

func (f *fake) config() *gossh.ServerConfig {
	conf := &gossh.ServerConfig{ServerVersion: f.version, BannerCallback: f.banner}
	for _, s := range f.signersOf {
		conf.AddHostKey(s)
	}
	if f.password == "" {
		conf.NoClientAuth = true
		conf.NoClientAuthCallback = func(c gossh.ConnMetadata) (*gossh.Permissions, error) {
			f.authTries.Add(1)
			if f.auth != nil {
				return nil, f.auth(c)
			}
			return nil, nil
		}
		return conf
	}
	check := func(given string) (*gossh.Permissions, error) {
		f.passwordsSeen.Add(1)
		if given != f.password {
			return nil, fmt.Errorf("wrong")
		}
		return nil, nil
	}
	if strings.Contains(f.method, "password") {
		conf.PasswordCallback = func(_ gossh.ConnMetadata, pw []byte) (*gossh.Permissions, error) { return check(string(pw)) }
	}
	if strings.Contains(f.method, "keyboard-interactive") {
		conf.KeyboardInteractiveCallback = func(_ gossh.ConnMetadata, ask gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
			n := max(f.prompts, 1)
			questions, echos := make([]string, n), make([]bool, n)
			for i := range n {
				questions[i], echos[i] = "Password: ", f.echo
			}
			answers, err := ask("", "", questions, echos)
			if err != nil {
				return nil, err
			}
			return check(answers[0])
		}
	}
	return conf
}

func (f *fake) serve(nc net.Conn) {
	conn, chans, reqs, err := gossh.NewServerConn(nc, f.config())
	if err != nil {
		return
	}
	f.work.Go(func() { gossh.DiscardRequests(reqs) })
	if f.conn != nil {
		f.work.Go(func() { f.fakeServer.conn(conn) })
	}
	for nch := range chans {
		if f.fakeServer.open != nil && f.fakeServer.open(nch) {
			continue
		}
		if nch.ChannelType() != "session" {
			nch.Reject(gossh.UnknownChannelType, "")
			continue
		}
		ch, chReqs, err := nch.Accept()
		if err != nil {
			return
		}
		f.work.Go(func() { f.session(conn, ch, chReqs) })
	}
}

func (f *fake) session(conn *gossh.ServerConn, ch gossh.Channel, reqs <-chan *gossh.Request) {
	for r := range reqs {
		if f.reply != nil && f.reply(r, ch) {
			continue
		}
		r.Reply(r.Type == "exec", nil)
		if r.Type != "exec" {
			continue
		}
		var cmd struct{ Command string }
		gossh.Unmarshal(r.Payload, &cmd)
		f.work.Go(func() {
			if f.exec != nil {
				f.exec(ch, conn, cmd.Command)
				return
			}
			fmt.Fprintf(ch, "ran %s\n", cmd.Command)
			endWith(ch, 0)
		})
	}
}

// endWith ends a session as sshd does.
func endWith(ch gossh.Channel, status uint32) {
	ch.CloseWrite()
	ch.SendRequest("exit-status", false, gossh.Marshal(struct{ Status uint32 }{status}))
	ch.Close()
}
