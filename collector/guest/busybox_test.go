package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// TestTheProbeOnAMachineOfBusyboxAlone runs it where there is nothing else: no ss,
// no getent, no systemctl, no bash; with a package database as Alpine has it.
func TestTheProbeOnAMachineOfBusyboxAlone(t *testing.T) {
	needRoot(t)
	need(t, "busybox", "ldd", "ss")
	root := t.TempDir()
	copyFile := func(from, to string) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(root, to)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, to), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	busybox, _ := exec.LookPath("busybox")
	copyFile(busybox, "/bin/busybox")
	libraries, _ := exec.Command("ldd", busybox).Output() // fails on a static one, which needs none
	for word := range strings.FieldsSeq(string(libraries)) {
		if strings.HasPrefix(word, "/") {
			copyFile(word, word)
		}
	}
	for _, f := range []string{"/etc/passwd", "/etc/group", "/etc/shadow"} {
		copyFile(f, f)
	}
	copyFile("testdata/apk.txt", "/lib/apk/db/installed")
	copyFile("/dev/null", "/dev/null")
	for _, dir := range []string{"/proc", "/dev", "/sys"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const inside = `set -e
mount --bind /proc "$1/proc"
mount --bind /dev "$1/dev"
"$1/bin/busybox" --install -s "$1/bin"
exec chroot "$1" /bin/sh -c "$2"`
	// --install links to the path it was called by; inside, that is /bin/busybox.
	fixed := strings.Replace(inside, `"$1/bin/busybox" --install -s "$1/bin"`, `chroot "$1" /bin/busybox --install -s /bin`, 1)

	listen(t, "tcp4", "127.0.0.1:0")
	listen(t, "tcp6", "[::1]:0")
	host, err := collect(t, wrapped{argv: []string{"sh", "-c"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := collect(t, wrapped{argv: []string{"unshare", "-m", "sh", "-c", fixed, "sh", root}})
	if err != nil {
		t.Fatal(err)
	}
	if o := observation(t, s, inventory.Packages); o.State == nil || o.State.Len() != 4 {
		t.Errorf("packages are %s: %s", o.Status, o.Reason)
	}
	for _, f := range []inventory.Facet{inventory.Users, inventory.Groups} {
		if a, b := observation(t, host, f), observation(t, s, f); b.State == nil || a.State.Text() != b.State.Text() {
			t.Errorf("%s are %s: %s", f, b.Status, b.Reason)
		}
	}
	if o := observation(t, s, inventory.Services); o.Status != inventory.Unsupported {
		t.Errorf("services are %s: %s", o.Status, o.Reason)
	}
	// What ss says and what the kernel's tables say are the same, but for what they do not say.
	tables, ss := observation(t, s, inventory.Ports), observation(t, host, inventory.Ports)
	if tables.State == nil {
		t.Fatalf("ports are %s: %s", tables.Status, tables.Reason)
	}
	seen := 0
	for _, it := range tables.State.Items() {
		same, ok := ss.State.Get(it.Key())
		if !ok {
			continue // another test's, that came or went in between
		}
		seen++
		for f := range it.Fields() {
			if v, _ := same.Field(f.Name); v != f.Value {
				t.Errorf("%s: %s is %q, ss says %q", it.Key(), f.Name, f.Value, v)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d sockets are in both:\n%s\n%s", seen, tables.State.Text(), ss.State.Text())
	}
}
