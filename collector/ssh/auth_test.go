package ssh_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

// startAgent runs a real ssh-agent and adds the key in file to it.
func startAgent(t testing.TB, file string) string {
	t.Helper()
	bin := sshtest.Need(t, "ssh-agent")
	add := sshtest.Need(t, "ssh-add")
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(bin, "-D", "-a", socket)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var line [1]byte
	if _, err := out.Read(line[:]); err != nil { // it says where it listens, once it does
		t.Fatal(err)
	}
	c := exec.Command(add, "-q", file)
	c.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v: %s", err, text)
	}
	return socket
}

func wantOutcome(t testing.TB, err error, want collector.Outcome, texts ...string) {
	t.Helper()
	if got := collector.OutcomeOf(err); got != want {
		t.Errorf("outcome %q, want %q: %v", got, want, err)
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v does not say %q", err, text)
		}
	}
}

func TestKeyInTheAgentLetsIn(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{})
	d := newDialer(t, ssh.Options{AgentSocket: startAgent(t, s.ClientKey), KnownHosts: []string{s.KnownHosts}})
	if out, err := run(t, d, s.Addr(), "echo in", ""); err != nil || out != "in\n" {
		t.Errorf("%q, %v\n%s", out, err, s.Log())
	}
}

func TestIdentityFileMayBeThePublicHalfOfAKeyInTheAgent(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{})
	socket := startAgent(t, s.ClientKey)
	only := filepath.Join(t.TempDir(), "only.pub")
	sshtest.WriteFile(t, only, sshtest.HostKey{Signer: clientSigner(t, s)}.Authorized())
	conf := filepath.Join(t.TempDir(), "config")
	sshtest.WriteFile(t, conf, "IdentitiesOnly yes\n")
	d := newDialer(t, ssh.Options{ConfigFiles: []string{conf}, AgentSocket: socket, IdentityFiles: []string{only}, KnownHosts: []string{s.KnownHosts}})
	if _, err := run(t, d, s.Addr(), "true", ""); err != nil {
		t.Error(err)
	}
}

func clientSigner(t testing.TB, s *sshtest.Server) gossh.Signer {
	t.Helper()
	data, err := os.ReadFile(s.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestNamedKeyGoesBeforeAFullAgent(t *testing.T) {
	t.Parallel()
	// The server hangs up after two tries; the agent holds ten strange keys.
	s := sshtest.StartSSHD(t, sshtest.Options{Config: []string{"MaxAuthTries 2"}})
	keys := agent.NewKeyring()
	for range 10 {
		if err := keys.Add(agent.AddedKey{PrivateKey: sshtest.NewKey(t, "ed25519"), Comment: "strange"}); err != nil {
			t.Fatal(err)
		}
	}
	socket := serveAgent(t, keys)
	d := newDialer(t, ssh.Options{AgentSocket: socket, IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{s.KnownHosts}})
	if _, err := run(t, d, s.Addr(), "true", ""); err != nil {
		t.Error(err)
	}
	d = newDialer(t, ssh.Options{AgentSocket: socket, KnownHosts: []string{s.KnownHosts}})
	_, err := run(t, d, s.Addr(), "true", "")
	wantOutcome(t, err, collector.AuthFailed, "agent strange (SHA256:", "Too many authentication failures")
	if n := strings.Count(err.Error(), "SHA256:"); n > 3 {
		t.Errorf("%d keys are said to be tried, the server hung up after 2", n)
	}
}

func serveAgent(t testing.TB, keys agent.Agent) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); os.RemoveAll(dir) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { agent.ServeAgent(keys, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestFailedAuthenticationSaysWhatWasTriedAndWhatCouldNotBe(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{})
	dir := t.TempDir()
	stranger := sshtest.WriteKey(t, filepath.Join(dir, "stranger"), "ecdsa")
	sealed := sealedKey(t, filepath.Join(dir, "sealed"), "phrase")
	open := sshtest.WriteKey(t, filepath.Join(dir, "open"), "ed25519")
	if err := os.Chmod(open.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDialer(t, ssh.Options{IdentityFiles: []string{stranger.Path, sealed, open.Path}, KnownHosts: []string{s.KnownHosts}})
	_, err := run(t, d, s.Addr(), "true", "")
	wantOutcome(t, err, collector.AuthFailed,
		"not let in as "+s.User, stranger.Path, gossh.FingerprintSHA256(stranger.Signer.PublicKey()),
		sealed+" (encrypted, and no passphrase is given)", "chmod 600", "the server takes publickey")
}

func TestEncryptedKeyOpensWithAPassphraseByFileOrCommand(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{})
	dir := t.TempDir()
	key := sealedKey(t, filepath.Join(dir, "sealed"), "pass phrase")
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	sshtest.WriteFile(t, filepath.Join(s.Dir, "authorized_keys"), string(public))
	phrase := filepath.Join(dir, "phrase")
	sshtest.WriteFile(t, phrase, "pass phrase\n")
	base := ssh.Options{IdentityFiles: []string{key}, KnownHosts: []string{s.KnownHosts}}
	byFile, byCommand, wrong := base, base, base
	byFile.PassphraseFile = phrase
	byCommand.PassphraseCommand = "cat " + phrase
	wrong.PassphraseCommand = "echo wrong"
	for _, o := range []ssh.Options{byFile, byCommand} {
		if _, err := run(t, newDialer(t, o), s.Addr(), "true", ""); err != nil {
			t.Error(err)
		}
	}
	_, err = run(t, newDialer(t, wrong), s.Addr(), "true", "")
	wantOutcome(t, err, collector.AuthFailed, "the passphrase does not open it")
}

// sealedKey makes an encrypted key that takes one round to open, not the usual
// sixteen: the race detector makes each of them long.
func sealedKey(t testing.TB, path, passphrase string) string {
	t.Helper()
	keygen(t, "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", path)
	return path
}

func keygen(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.Command(sshtest.Need(t, "ssh-keygen"), append([]string{"-q"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %v: %v: %s", args, err, out)
	}
}

func TestCertificatesOfUserAndHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := sshtest.WriteKey(t, filepath.Join(dir, "ca"), "ed25519")
	client := sshtest.WriteKey(t, filepath.Join(dir, "id"), "ecdsa")
	host := sshtest.WriteKey(t, filepath.Join(dir, "host_ed25519"), "ed25519")
	name := sshtest.StartSSHD(t, sshtest.Options{}).User
	keygen(t, "-s", ca.Path, "-I", "tester", "-n", name, client.Path+".pub")
	keygen(t, "-s", ca.Path, "-I", "host", "-h", "-n", "127.0.0.1", host.Path+".pub")
	s := sshtest.StartSSHD(t, sshtest.Options{Dir: dir, Config: []string{
		"TrustedUserCAKeys " + ca.Path + ".pub", "HostCertificate " + host.Path + "-cert.pub",
	}})
	known := filepath.Join(dir, "known_ca")
	sshtest.WriteFile(t, known, "@cert-authority 127.0.0.* "+ca.Authorized())

	beside := newDialer(t, ssh.Options{IdentityFiles: []string{client.Path}, KnownHosts: []string{known}})
	if _, err := run(t, beside, s.Addr(), "true", ""); err != nil {
		t.Errorf("certificate beside the key: %v", err)
	}
	moved := filepath.Join(dir, "elsewhere-cert.pub")
	if err := os.Rename(client.Path+"-cert.pub", moved); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "config")
	sshtest.WriteFile(t, conf, "CertificateFile "+moved+"\n")
	named := newDialer(t, ssh.Options{ConfigFiles: []string{conf}, IdentityFiles: []string{client.Path}, KnownHosts: []string{known}})
	if _, err := run(t, named, s.Addr(), "true", ""); err != nil {
		t.Errorf("CertificateFile: %v", err)
	}
	without := newDialer(t, ssh.Options{IdentityFiles: []string{client.Path}, KnownHosts: []string{known}})
	_, err := run(t, without, s.Addr(), "true", "")
	wantOutcome(t, err, collector.AuthFailed)
}

func TestHostCertificateOfAStrangeAuthorityOrForAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := sshtest.WriteKey(t, filepath.Join(dir, "ca"), "ed25519")
	other := sshtest.WriteKey(t, filepath.Join(dir, "other"), "ed25519")
	host := sshtest.WriteKey(t, filepath.Join(dir, "host_ed25519"), "ed25519")
	keygen(t, "-s", ca.Path, "-I", "host", "-h", "-n", "db.example.com", host.Path+".pub")
	s := sshtest.StartSSHD(t, sshtest.Options{Dir: dir, Config: []string{"HostCertificate " + host.Path + "-cert.pub"}})
	for _, c := range []struct{ line, want string }{
		{"@cert-authority * " + ca.Authorized(), "not valid"},
		{"@cert-authority * " + other.Authorized(), "known_hosts has no key of it"},
	} {
		known := filepath.Join(t.TempDir(), "known")
		sshtest.WriteFile(t, known, c.line)
		d := newDialer(t, ssh.Options{IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{known}})
		_, err := run(t, d, s.Addr(), "true", "")
		wantOutcome(t, err, collector.HostKeyUnknown, c.want)
	}
}

func TestPasswordByFileAndByCommand(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"password", "keyboard-interactive"} {
		s := fakeServer{password: "hunter2", method: method}.start(t)
		file := filepath.Join(t.TempDir(), "pw")
		sshtest.WriteFile(t, file, "hunter2\r\nsecond line\n")
		for _, o := range []ssh.Options{{PasswordFile: file}, {PasswordCommand: "printf 'hunter2\\n'"}} {
			o.KnownHosts = []string{s.known}
			if out, err := run(t, newDialer(t, o), s.addr, "hello", ""); err != nil || out != "ran hello\n" {
				t.Errorf("%s: %q, %v", method, out, err)
			}
		}
		d := newDialer(t, ssh.Options{PasswordCommand: "echo wrong", KnownHosts: []string{s.known}})
		_, err := run(t, d, s.addr, "hello", "")
		wantOutcome(t, err, collector.AuthFailed, "tried the password")
		d = newDialer(t, ssh.Options{PasswordCommand: "echo no vault >&2; exit 3", KnownHosts: []string{s.known}})
		_, err = run(t, d, s.addr, "hello", "")
		wantOutcome(t, err, collector.AuthFailed, "nothing to offer", "no vault")
	}
}

func TestPasswordIsSentOnceAndOnlyToOneHiddenPrompt(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]fakeServer{
		"both methods":  {password: "right", method: "password,keyboard-interactive"},
		"echoed prompt": {password: "wrong", method: "keyboard-interactive", echo: true},
		"two prompts":   {password: "wrong", method: "keyboard-interactive", prompts: 2},
	} {
		f := s.start(t)
		d := newDialer(t, ssh.Options{PasswordCommand: "echo wrong", KnownHosts: []string{f.known}})
		_, err := run(t, d, f.addr, "x", "")
		wantOutcome(t, err, collector.AuthFailed)
		want := 0
		if name == "both methods" {
			want = 1
		}
		if got := f.passwordsSeen.Load(); got != int32(want) {
			t.Errorf("%s: the password was sent %d times, want %d", name, got, want)
		}
	}
}

func TestRealDropbear(t *testing.T) {
	t.Parallel()
	s, letsIn := sshtest.StartDropbear(t, sshtest.Options{HostKeys: []string{"rsa"}})
	d := newDialer(t, ssh.Options{User: s.User, IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{s.KnownHosts}})
	if !letsIn {
		_, err := run(t, d, s.Addr(), "true", "")
		wantOutcome(t, err, collector.AuthFailed, "the server takes publickey")
		return
	}
	if out, err := run(t, d, s.Addr(), "cat; exit 3", "x"); out != "x" || err == nil || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("%q, %v\n%s", out, err, s.Log())
	}
	if out, err := run(t, d, s.Addr(), fmt.Sprintf("head -c %d /dev/zero", 3<<20), ""); len(out) != 3<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
