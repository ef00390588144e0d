package guest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// asUser is what it takes to run the probe as the user daemon, where sudoers has one
// more line than the machine's own, in a namespace of mounts that ends with it.
const asUser = `set -e
mount -t tmpfs -o mode=755 none /etc/sudoers.d
printf '%s\n' "$1" >/etc/sudoers.d/probe
chmod 440 /etc/sudoers.d/probe
visudo -c >/dev/null
mount -t tmpfs -o mode=755 none /usr/local
mkdir -p /usr/local/libexec
cat "$2" >/usr/local/libexec/vmdrift-probe
chmod 755 /usr/local /usr/local/libexec /usr/local/libexec/vmdrift-probe
exec setpriv --reuid=1 --regid=1 --clear-groups sh -c "${3:-$4}"`

func runAsUser(t *testing.T, sudoers, forced string) wrapped {
	t.Helper()
	needRoot(t)
	need(t, "sudo", "visudo", "setpriv")
	file := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(file, Script(), 0o600); err != nil {
		t.Fatal(err)
	}
	return wrapped{argv: []string{"unshare", "-m", "sh", "-c", asUser, "sh", sudoers, file, forced}}
}

func TestTheProbeUsesSudoOnce(t *testing.T) {
	root, err := collect(t, wrapped{argv: []string{"sh", "-c"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := collect(t, runAsUser(t, "daemon ALL=(ALL) NOPASSWD: ALL", ""))
	if err != nil || s.Privilege != "sudo" {
		t.Fatalf("privilege %q: %v", s.Privilege, err)
	}
	for _, f := range []inventory.Facet{inventory.Users, inventory.Packages, inventory.Services} {
		if a, b := observation(t, root, f), observation(t, s, f); a.State == nil || b.State == nil || a.State.Digest() != b.State.Digest() {
			t.Errorf("%s differ under sudo", f)
		}
	}
	s, err = collect(t, runAsUser(t, "# nothing", ""))
	if err != nil || s.Privilege != "user" || !strings.Contains(observation(t, s, inventory.Users).Reason, "sudo refused") {
		t.Errorf("privilege %q: %v", s.Privilege, err)
	}
}

func TestThePinnedProbeRunsUnderSudoByItsDigestAlone(t *testing.T) {
	s, err := collect(t, runAsUser(t, Sudoers("daemon"), InstallPath))
	if err != nil || s.Privilege != "sudo" {
		t.Fatalf("privilege %q: %v", s.Privilege, err)
	}
	if o := observation(t, s, inventory.Users); o.Status != inventory.Complete {
		t.Errorf("users are %s: %s", o.Status, o.Reason)
	}
	// Neither another command, nor arguments, nor a script of other bytes.
	for name, forced := range map[string]string{
		"another command": "sudo -n sh -c 'echo in'",
		"an argument":     "sudo -n " + InstallPath + " x",
	} {
		out := new(bounded)
		if err := runAsUser(t, Sudoers("daemon"), forced).Run(context.Background(), "", nil, out); err == nil || len(out.buf) > 0 {
			t.Errorf("%s: %q, %v", name, out.buf, err)
		}
	}
	other := strings.Replace(Sudoers("daemon"), "sha256:", "sha256:0", 1)
	other = strings.Replace(other, ScriptDigest(), ScriptDigest()[1:], 1)
	if s, err := collect(t, runAsUser(t, other, InstallPath)); err != nil || s.Privilege != "user" {
		t.Errorf("other bytes: privilege %q: %v", s.Privilege, err)
	}
}
