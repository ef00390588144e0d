package ssh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

func publicKey(t testing.TB, typ string) gossh.PublicKey {
	t.Helper()
	s, err := gossh.NewSignerFromKey(sshtest.NewKey(t, typ))
	if err != nil {
		t.Fatal(err)
	}
	return s.PublicKey()
}

func authorized(k gossh.PublicKey) string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(k)))
}

// TestVerdictsAreThoseOfKnownhosts holds the index against x/crypto's package.
func TestVerdictsAreThoseOfKnownhosts(t *testing.T) {
	a, b, c := publicKey(t, "ed25519"), publicKey(t, "ecdsa"), publicKey(t, "rsa")
	lines := []string{
		"# comment", "",
		"web,10.0.0.1 " + authorized(a),
		"web " + authorized(b) + " a comment",
		"[web]:2222 " + authorized(c),
		"*.example.com,!bad.example.com " + authorized(a),
		knownhosts.HashHostname("db") + " " + authorized(b),
		knownhosts.HashHostname("[db]:2222") + " " + authorized(a),
		"[fe80::1]:22,fe80::2 " + authorized(c),
	}
	path := filepath.Join(t.TempDir(), "known")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	reference, err := knownhosts.New(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &knownFile{path: path}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"web", "WEB", "10.0.0.1", "x.example.com", "bad.example.com", "db", "other", "fe80::2"} {
		for _, port := range []int{22, 2222} {
			for _, key := range []gossh.PublicKey{a, b, c} {
				hk := newHostKeys(host, port, "")
				hk.files = []*knownFile{f}
				mine := hk.check("", nil, key)
				addr := net.JoinHostPort(strings.ToLower(host), fmt.Sprint(port))
				theirs := reference(addr, &net.TCPAddr{}, key)
				if got, want := verdictOf(mine), verdictOf(theirs); got != want {
					// Known for port 22 and asked for another port: OpenSSH takes it.
					if port != 22 && got == "ok" && verdictOf(reference(net.JoinHostPort(host, "22"), &net.TCPAddr{}, key)) == "ok" {
						continue
					}
					t.Errorf("%s %s: %s, knownhosts says %s", addr, key.Type(), got, want)
				}
			}
		}
	}
}

func verdictOf(err error) string {
	var keyErr *knownhosts.KeyError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &keyErr) && len(keyErr.Want) > 0, collector.OutcomeOf(err) == collector.HostKeyChanged:
		return "changed"
	}
	return "unknown"
}

func TestLinesThatCannotBeReadVouchForNothingAndHideNothing(t *testing.T) {
	key := publicKey(t, "ed25519")
	path := filepath.Join(t.TempDir(), "known")
	text := strings.Join([]string{
		"web sk-new-type@example.com AAAA", "web", "@unknown web " + authorized(key), "|1|bad|hash " + authorized(key),
		"web ssh-rsa " + strings.Fields(authorized(key))[1], // another type than the key's
		"web " + authorized(key),
	}, "\r\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &knownFile{path: path}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	found := f.find("web")
	if len(found) != 1 || found[0].line != 6 {
		t.Errorf("found %d lines: %v", len(found), found)
	}
}

func TestAlgorithmsPutTheKnownTypesFirst(t *testing.T) {
	key, ca := publicKey(t, "rsa"), publicKey(t, "ed25519")
	path := filepath.Join(t.TempDir(), "known")
	if err := os.WriteFile(path, []byte("web "+authorized(key)+"\n@cert-authority *.example.com "+authorized(ca)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &knownFile{path: path}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"web": gossh.KeyAlgoRSASHA512, "x.example.com": gossh.CertAlgoED25519v01, "new": gossh.KeyAlgoED25519,
	} {
		hk := newHostKeys(host, 22, "")
		hk.files = []*knownFile{f}
		if got := hk.algorithms(nil); got[0] != want {
			t.Errorf("%s: %v, want %s first", host, got, want)
		}
	}
}

func BenchmarkFindInTenThousandLines(b *testing.B) {
	key := publicKey(b, "ed25519")
	for _, hashed := range []bool{false, true} {
		var text strings.Builder
		for i := range 10_000 {
			name := fmt.Sprintf("host-%d", i)
			if hashed {
				name = knownhosts.HashHostname(name)
			}
			fmt.Fprintf(&text, "%s %s\n", name, authorized(key))
		}
		path := filepath.Join(b.TempDir(), "known")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		f := &knownFile{path: path}
		if err := f.load(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("hashed=%t", hashed), func(b *testing.B) {
			for b.Loop() {
				if len(f.find("host-9999")) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}
