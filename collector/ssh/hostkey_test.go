package ssh_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

func hint(err error) string {
	if e, ok := err.(*collector.Error); ok {
		return e.Hint
	}
	return ""
}

func TestUnknownHostKeyStopsBeforeAuthentication(t *testing.T) {
	t.Parallel()
	f := fakeServer{}.start(t)
	empty := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, empty, "")
	_, err := run(t, newDialer(t, ssh.Options{KnownHosts: []string{empty}}), f.addr, "x", "")
	wantOutcome(t, err, collector.HostKeyUnknown, "ED25519 "+gossh.FingerprintSHA256(f.signersOf[0].PublicKey()))
	_, port, _ := net.SplitHostPort(f.addr)
	if h := hint(err); !strings.Contains(h, "ssh-keyscan -p "+port+" 127.0.0.1 >> "+empty) || !strings.Contains(h, "--accept-new") {
		t.Errorf("hint: %s", h)
	}
	<-f.gone
	if n := f.authTries.Load(); n != 0 {
		t.Errorf("%d attempts to authenticate", n)
	}
}

func TestAcceptNewRecordsOnceAndAChangedKeyStillStops(t *testing.T) {
	t.Parallel()
	first, second := fakeServer{}.start(t), fakeServer{}.start(t)
	conf := filepath.Join(t.TempDir(), "config")
	// The alias is one name; behind it stands first the one, then the other.
	known := filepath.Join(t.TempDir(), "sub", "known") // its folder is made
	write := func(f *fake, more string) {
		_, port, _ := net.SplitHostPort(f.addr)
		sshtest.WriteFile(t, conf, fmt.Sprintf("Host web\nHostName 127.0.0.1\nHostKeyAlias web\nPort %s\n%s", port, more))
	}
	write(first, "")
	for range 2 {
		if _, err := run(t, newDialer(t, ssh.Options{ConfigFiles: []string{conf}, KnownHosts: []string{known}, AcceptNew: true}), "web", "x", ""); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(known)
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.HasPrefix(string(text), "web ssh-ed25519 ") {
		t.Fatalf("recorded %q, %v", text, err)
	}
	write(second, "StrictHostKeyChecking no\n")
	_, err = run(t, newDialer(t, ssh.Options{ConfigFiles: []string{conf}, KnownHosts: []string{known}, AcceptNew: true}), "web", "x", "")
	wantOutcome(t, err, collector.HostKeyChanged, known+":1",
		gossh.FingerprintSHA256(first.signersOf[0].PublicKey()), gossh.FingerprintSHA256(second.signersOf[0].PublicKey()))
	if !strings.Contains(hint(err), "ssh-keygen -R 'web' -f "+known) {
		t.Errorf("hint: %s", hint(err))
	}
	<-second.gone
	if n := second.authTries.Load(); n != 0 {
		t.Errorf("%d attempts to authenticate with the changed host", n)
	}
}

func TestStrictHostKeyCheckingNoIsAcceptNewAndNeedsAFileThatKeeps(t *testing.T) {
	t.Parallel()
	f := fakeServer{}.start(t)
	home := t.TempDir()
	conf := filepath.Join(home, "config")
	sshtest.WriteFile(t, conf, "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n")
	_, err := run(t, newDialer(t, ssh.Options{Home: home, ConfigFiles: []string{conf}}), f.addr, "x", "")
	wantOutcome(t, err, collector.HostKeyUnknown)
	sshtest.WriteFile(t, conf, "StrictHostKeyChecking no\nHashKnownHosts yes\n")
	for range 2 { // the second time it is found under its hash
		if _, err := run(t, newDialer(t, ssh.Options{Home: home, ConfigFiles: []string{conf}}), f.addr, "x", ""); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(filepath.Join(home, ".ssh", "known_hosts"))
	if !strings.HasPrefix(string(text), "|1|") || strings.Count(string(text), "\n") != 1 {
		t.Errorf("recorded %q", text)
	}
}

func TestManyScansRecordNewKeysSideBySide(t *testing.T) {
	t.Parallel()
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, "# a comment without its newline")
	// Each Dialer stands for a process: they share the file and nothing else.
	var dialers []*ssh.Dialer
	for range 3 {
		dialers = append(dialers, newDialer(t, ssh.Options{KnownHosts: []string{known}, AcceptNew: true}))
	}
	var servers []*fake
	for range 8 {
		servers = append(servers, fakeServer{}.start(t))
	}
	var all sync.WaitGroup
	for _, d := range dialers {
		for _, f := range servers {
			all.Go(func() {
				if _, err := run(t, d, f.addr, "x", ""); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	text, _ := os.ReadFile(known)
	if n := strings.Count(string(text), "ssh-ed25519"); n != len(servers) {
		t.Errorf("%d lines for %d hosts:\n%s", n, len(servers), text)
	}
	for _, f := range servers {
		if !strings.Contains(string(text), "\n"+knownhosts.Normalize(f.addr)+" ssh-ed25519 ") {
			t.Errorf("%s is missing, or not on a line of its own", f.addr)
		}
	}
}

func TestServerWithSeveralKeyTypesShowsTheKnownOne(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{HostKeys: []string{"ed25519", "ecdsa", "rsa"}})
	for _, k := range s.HostKeys {
		known := filepath.Join(t.TempDir(), "known")
		sshtest.WriteFile(t, known, k.KnownHostsLine(s.Addr()))
		d := newDialer(t, ssh.Options{IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{known}})
		if _, err := run(t, d, s.Addr(), "true", ""); err != nil {
			t.Errorf("%s: %v", k.Signer.PublicKey().Type(), err)
		}
	}
	// A key of another type than the known one is a changed key, not a new one.
	only := sshtest.StartSSHD(t, sshtest.Options{HostKeys: []string{"ecdsa"}})
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, s.HostKeys[2].KnownHostsLine(only.Addr()))
	_, err := run(t, newDialer(t, ssh.Options{KnownHosts: []string{known}, AcceptNew: true}), only.Addr(), "true", "")
	wantOutcome(t, err, collector.HostKeyChanged, "shows ECDSA", "known is RSA")
}

func TestRevokedKeyStops(t *testing.T) {
	t.Parallel()
	f := fakeServer{}.start(t)
	known := filepath.Join(t.TempDir(), "known")
	sshtest.WriteFile(t, known, f.knownLine()+"@revoked * "+sshtest.HostKey{Signer: f.signersOf[0]}.Authorized())
	_, err := run(t, newDialer(t, ssh.Options{KnownHosts: []string{known}}), f.addr, "x", "")
	wantOutcome(t, err, collector.HostKeyChanged, "revoked", known+":2")
}
