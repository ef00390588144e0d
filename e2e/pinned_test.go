//go:build linux

package e2e

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/internal/realguest"
)

// In the pinned mode the machine carries the probe, the scanner's key runs nothing
// else, and sudo runs those bytes only.
func TestAPinnedKeyReadsAnInventoryAndNothingElse(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.Start(t, realguest.Options{Setup: fixtureScript + "\nuseradd --uid 1650 --create-home --shell /bin/bash --password '*' scanner\n"}))
	full := m.scan(t, "root")

	key, err := os.ReadFile(m.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSpace(string(gossh.MarshalAuthorizedKey(signer.PublicKey())))
	m.Run(t, "mkdir -p $(dirname "+guest.InstallPath+")\ncat >"+guest.InstallPath+" <<'END-OF-PROBE'\n"+string(guest.Script())+"END-OF-PROBE\n"+
		"chmod 0755 "+guest.InstallPath+"\n"+
		"mkdir ~scanner/.ssh\ncat >~scanner/.ssh/authorized_keys <<'END'\n"+guest.AuthorizedKey(public)+"\nEND\n"+
		"cat >/etc/sudoers.d/scanner <<'END'\n"+guest.Sudoers("scanner")+"\nEND\nchmod 0440 /etc/sudoers.d/scanner; visudo --check --quiet")

	t.Run("it reads what root reads", func(t *testing.T) {
		s := m.scan(t, "scanner")
		if s.Privilege != "sudo" {
			t.Errorf("privilege is %q, want sudo", s.Privilege)
		}
		sameDigests(t, full, s)
	})
	t.Run("it runs nothing else", func(t *testing.T) {
		host, err := m.dialer.Host("scanner@" + m.Addr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), scanTimeout)
		defer cancel()
		var out bytes.Buffer
		err = host.Run(ctx, "id; cat /etc/passwd; touch /tmp/i-was-here", []byte("id; touch /tmp/i-was-here\n"), &out)
		if err == nil || out.Len() > 0 {
			t.Errorf("another command gave %v and %q", err, out.String())
		}
		if got := m.Run(t, "ls /tmp"); strings.Contains(got, "i-was-here") {
			t.Errorf("it ran: %s", got)
		}
	})
	t.Run("other bytes get no root", func(t *testing.T) {
		m.Run(t, "echo '# another' >>"+guest.InstallPath)
		s := m.scan(t, "scanner")
		if s.Privilege != "user" {
			t.Errorf("privilege is %q, want user", s.Privilege)
		}
	})
}
