package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// A HostKey is a private key in a file, with its public half beside it.
type HostKey struct {
	Path   string
	Signer ssh.Signer
}

// Authorized is the public key as a line of authorized_keys.
func (k HostKey) Authorized() string {
	return string(ssh.MarshalAuthorizedKey(k.Signer.PublicKey()))
}

// KnownHostsLine is the public key as a line of known_hosts for host:port.
func (k HostKey) KnownHostsLine(addr string) string {
	return knownhosts.Line([]string{addr}, k.Signer.PublicKey()) + "\n"
}

// NewKey makes a key of a type: ed25519, ecdsa, rsa.
func NewKey(t testing.TB, typ string) crypto.PrivateKey {
	t.Helper()
	var key crypto.PrivateKey
	var err error
	switch typ {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("sshtest: no key type %q", typ)
	}
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	return key
}

// WriteKey makes a key and writes it to path, and its public half to path.pub.
func WriteKey(t testing.TB, path, typ string) HostKey {
	t.Helper()
	key := NewKey(t, typ)
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "sshtest")
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	k := HostKey{path, signer}
	WriteFile(t, path, string(pem.EncodeToMemory(block)))
	WriteFile(t, path+".pub", k.Authorized())
	return k
}

// hostKey returns the key in path, made if it is missing.
func hostKey(t testing.TB, path, typ string) HostKey {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return WriteKey(t, path, typ)
	}
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		t.Fatalf("sshtest: %s: %v", path, err)
	}
	return HostKey{path, signer}
}

// WriteFile writes a file that only its owner may read, as keys want it.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("sshtest: %v", err)
	}
}

// Need returns the path of a program. Without it the test is skipped; under
// CI=true it fails, so that nothing goes untested unnoticed.
func Need(t testing.TB, name string) string {
	t.Helper()
	for _, try := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(try); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI skips nothing", name)
	}
	t.Skipf("NOT COVERED HERE: %s is not installed", name)
	return ""
}
