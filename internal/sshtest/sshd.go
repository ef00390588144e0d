// Package sshtest starts real SSH servers on loopback for tests and benchmarks,
// each in a folder of its own with keys of its own. It needs neither root nor a
// running system: a normal user's server lets in that user.
package sshtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Options are what a test may want of a server. The zero value is one port, an
// Ed25519 host key, and a client key that is let in.
type Options struct {
	// Ports is how many ports one server listens on; 0 is 1. Fifty ports are fifty
	// targets at the price of one server.
	Ports int
	// Config are lines of sshd_config. They go before the defaults, and so win.
	Config []string
	// HostKeys are the types of host key: ed25519 (default), ecdsa, rsa.
	HostKeys []string
	// Dir is used instead of a new folder. Host keys found in it are kept.
	Dir string
}

// A Server is a running server.
type Server struct {
	Dir        string
	Addrs      []string // 127.0.0.1:port, one per port
	User       string   // who is let in
	ClientKey  string   // the private key that is let in; beside it, .pub
	KnownHosts string   // a known_hosts file with the host keys for all ports
	HostKeys   []HostKey

	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	log  bytes.Buffer
}

// Addr is the first address.
func (s *Server) Addr() string { return s.Addrs[0] }

// Port is the port of the first address.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr())
	return port
}

// Log is what the server has said so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// StartSSHD starts OpenSSH's sshd and returns once every port listens. It stops
// when the test ends.
func StartSSHD(t testing.TB, o Options) *Server {
	t.Helper()
	sshd := Need(t, "sshd")
	s := prepare(t, o)
	if os.Getuid() == 0 {
		// sshd, as root, wants its empty folder for the unprivileged half.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatalf("sshtest: %v", err)
		}
	}
	// Another process may take a free port before sshd does.
	for try := 0; ; try++ {
		s.Addrs = freeAddrs(t, max(o.Ports, 1))
		if err := s.startSSHD(sshd, o); err == nil {
			break
		} else if try == 2 {
			t.Fatalf("sshtest: start sshd: %v\n%s", err, s.Log())
		}
	}
	t.Cleanup(s.Stop)
	s.writeKnownHosts(t)
	return s
}

func prepare(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Dir: o.Dir}
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	me, err := user.Current()
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	s.User = me.Username
	types := o.HostKeys
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	for _, typ := range types {
		s.HostKeys = append(s.HostKeys, hostKey(t, filepath.Join(s.Dir, "host_"+typ), typ))
	}
	client := hostKey(t, filepath.Join(s.Dir, "client"), "ed25519")
	s.ClientKey = client.Path
	WriteFile(t, filepath.Join(s.Dir, "authorized_keys"), client.Authorized())
	return s
}

func (s *Server) startSSHD(sshd string, o Options) error {
	var conf strings.Builder
	for _, line := range o.Config {
		fmt.Fprintln(&conf, line)
	}
	for _, addr := range s.Addrs {
		fmt.Fprintf(&conf, "ListenAddress %s\n", addr)
	}
	for _, k := range s.HostKeys {
		fmt.Fprintf(&conf, "HostKey %s\n", k.Path)
	}
	fmt.Fprintf(&conf, `AuthorizedKeysFile %s/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
LogLevel VERBOSE
MaxStartups 1000:30:2000
`, s.Dir)
	path := filepath.Join(s.Dir, "sshd_config")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		return err
	}
	s.cmd = exec.Command(sshd, "-D", "-e", "-f", path)
	return s.run("Server listening on ", len(s.Addrs))
}

// run starts the server and waits until it has said ready n times.
func (s *Server) run(ready string, n int) error {
	out, in := io.Pipe()
	s.cmd.Stdout, s.cmd.Stderr = in, in
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	go func() {
		s.cmd.Wait()
		in.Close()
	}()
	listening := make(chan bool, 1)
	go func() {
		defer close(s.done)
		lines := bufio.NewScanner(out)
		for left := n; lines.Scan(); {
			s.mu.Lock()
			fmt.Fprintln(&s.log, lines.Text())
			s.mu.Unlock()
			if strings.Contains(lines.Text(), ready) {
				if left--; left == 0 {
					listening <- true
				}
			}
			if strings.Contains(lines.Text(), "Address already in use") {
				listening <- false
			}
		}
		io.Copy(io.Discard, out)
		close(listening)
	}()
	if !<-listening {
		s.Stop()
		return fmt.Errorf("it does not listen on %s", strings.Join(s.Addrs, ", "))
	}
	return nil
}

// Stop ends the server and waits for it. Connections that it serves end when
// their clients close them.
func (s *Server) Stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
}

func (s *Server) writeKnownHosts(t testing.TB) {
	t.Helper()
	var lines strings.Builder
	for _, addr := range s.Addrs {
		for _, k := range s.HostKeys {
			lines.WriteString(k.KnownHostsLine(addr))
		}
	}
	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	WriteFile(t, s.KnownHosts, lines.String())
}

func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		// All are held until the last is found, or one would be found twice.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("sshtest: %v", err)
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
	}
	return addrs
}
