//go:build linux

package realguest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

//go:embed boot.sh
var bootScript string

//go:embed sweep.sh
var sweepScript string

// Options say what a guest is like. The zero value is a small Debian stable server.
type Options struct {
	Suite    string   // Debian's release, "bookworm" if empty
	Packages []string // on the image, besides imagePackages; a set of its own is an image of its own
	SSHD     string   // lines for sshd_config, before the distribution's own
	Setup    string   // a shell script (sh -eu) that runs as root in the guest's files before it boots
}

// A Guest is a running machine. Its users root, admin (who may use sudo without a
// password) and plain (who may not) log in by KeyFile.
type Guest struct {
	Name       string // host name, new with every guest
	Addr       string // 127.0.0.1:port, forwarded to the guest's port 22
	KeyFile    string // path of the private key, OpenSSH's format, mode 0600
	KnownHosts string // path of a known_hosts file that holds the guest's keys at Addr

	dir   string
	enter []string // the command before a command that shall run in the guest

	// Of a guest that booted.
	leader    int // the process id that the guest's PID 1 has here
	netns     *os.File
	boot      *exec.Cmd
	ended     <-chan error
	log       *bytes.Buffer // the guest's console
	forwarder *forwarder

	server *inetd // of a guest that did not: see StartRoot
}

const (
	bootTimeout = 90 * time.Second // 3 s on an idle machine
	runTimeout  = 60 * time.Second
	stopTimeout = 10 * time.Second
)

// Start boots a guest and waits until its system is up and its sshd listens. The
// guest ends with the test. Where none can be booted the test ends as Require says.
func Start(t testing.TB, o Options) *Guest {
	t.Helper()
	Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout+bootTimeout)
	defer cancel()
	g, err := start(ctx, o)
	if err != nil {
		giveUp(t, "boot a guest", err)
	}
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("stop the guest: %v", err)
		}
	})
	return g
}

func start(ctx context.Context, o Options) (_ *Guest, err error) {
	g, root, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.stop())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	if err := g.bootUp(ctx, root); err != nil {
		return nil, err
	}
	g.enter = []string{"nsenter", "--target", strconv.Itoa(g.leader), "--all"}
	if g.forwarder, err = forward(g.netns, "127.0.0.1:22"); err != nil {
		return nil, err
	}
	g.Addr = g.forwarder.Addr()
	return g, writeKnownHosts(g.KnownHosts, root, g.Addr)
}

// prepare makes the folder of a new guest, with its keys and its setup script, and
// returns it with the root file system of its image.
func prepare(ctx context.Context, o Options) (g *Guest, root string, err error) {
	if o.Suite == "" {
		o.Suite = defaultSuite
	}
	if root, err = image(ctx, o.Suite, o.Packages); err != nil {
		return nil, "", err
	}
	// Not a test's own folder: a socket's path must fit into 107 bytes.
	dir, err := os.MkdirTemp("", "vmdrift-guest-")
	if err != nil {
		return nil, "", err
	}
	g = &Guest{
		Name: filepath.Base(dir), dir: dir, log: new(bytes.Buffer),
		KeyFile: filepath.Join(dir, "id_ed25519"), KnownHosts: filepath.Join(dir, "known_hosts"),
	}
	authorized, err := writeKey(g.KeyFile)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "setup.sh"), []byte(setupScript(g.Name, authorized, o)), 0o600)
	}
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return g, root, nil
}

// bootUp starts the guest's first process and waits for its word that it is up.
func (g *Guest) bootUp(ctx context.Context, root string) error {
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(g.dir, "notify"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer notify.Close()

	g.boot = exec.Command("/bin/sh", "-c", bootScript, "sh", root, g.dir, g.Name)
	g.boot.Env = []string{"PATH=" + hostPath, "NOTIFY_SOCKET=" + notify.LocalAddr().String(), "LC_ALL=C"}
	g.boot.Stdout, g.boot.Stderr = g.log, g.log
	g.boot.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if g.ended, err = startOnOwnThread(g.boot); err != nil {
		return err
	}
	// Held open, the network is there until the last connection into it is closed.
	if g.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", g.boot.Process.Pid)); err != nil {
		return err
	}

	ready := make(chan error, 1)
	go func() { ready <- g.awaitReady(notify) }()
	select {
	case err = <-ready:
		return err
	case err = <-g.ended:
		g.ended = nil
		return fmt.Errorf("it ended while booting: %w: %s", err, tail(g.log.String()))
	case <-ctx.Done():
		return fmt.Errorf("it is not up yet: %w", ctx.Err())
	}
}

// awaitReady reads systemd-nspawn's messages up to the one that PID 1 of the
// guest sends when the last job of its boot is done.
func (g *Guest) awaitReady(notify *net.UnixConn) error {
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if err != nil {
			return err
		}
		if slices.Contains(strings.Fields(string(buf[:n])), "READY=1") {
			g.leader, err = onlyChild(g.boot.Process.Pid)
			return err
		}
	}
}

// onlyChild returns the process id of the child of pid: what systemd-nspawn tells
// is an id in its own namespace.
func onlyChild(pid int) (int, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		return 0, fmt.Errorf("systemd-nspawn has no or several children: %w", err)
	}
	return child, nil
}

// Run runs a shell script (sh -eu) as root in the guest and returns what it
// printed, without the newlines at its end. It is no login and leaves no trace of
// one. What the script leaves running ends with the guest at the latest.
func (g *Guest) Run(t testing.TB, script string) string {
	t.Helper()
	out, err := g.Try(script)
	if err != nil {
		t.Fatalf("in the guest: %v\nthe script was:\n%s", err, script)
	}
	return out
}

// Try is Run for what may fail.
func (g *Guest) Try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	args := append(slices.Clone(g.enter), "/bin/sh", "-euc", script)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a process left running may hold the pipes
	err := runOnOwnThread(cmd)
	out := strings.TrimRight(stdout.String(), "\n")
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return out, fmt.Errorf("%w: %s%s", err, tail(out), tail(stderr.String()))
	}
	return out, nil
}

// NetNS returns the path of the guest's network namespace, for a process that
// measures and must not be forwarded: nsenter --net=PATH.
func (g *Guest) NetNS() string { return fmt.Sprintf("/proc/%d/ns/net", g.leader) }

// Dial connects to a TCP address inside the guest's network: an IP and a port.
func (g *Guest) Dial(addr string) (net.Conn, error) { return dialIn(g.netns, addr) }

// stop ends the guest by its first process, waits until all of it is gone, and
// removes what it had.
func (g *Guest) stop() error {
	var errs []error
	if g.server != nil {
		g.server.Close()
	}
	if g.forwarder != nil {
		g.forwarder.Close()
	}
	if g.netns != nil {
		errs = append(errs, g.netns.Close())
	}
	if g.ended != nil {
		if g.leader > 0 {
			_ = syscall.Kill(g.leader, syscall.SIGKILL) // systemd-nspawn tidies up and follows
		} else {
			_ = g.boot.Process.Kill()
		}
		select {
		case <-g.ended:
		case <-time.After(stopTimeout):
			_ = g.boot.Process.Kill()
			<-g.ended
		}
	}
	if g.boot != nil && g.boot.Process != nil {
		cmd := exec.Command("/bin/sh", "-c", sweepScript, "sh", g.Name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("remove its control groups: %w: %s", err, tail(string(out))))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(g.dir))...)
}

const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// setupScript is what runs in the guest's files before it boots.
func setupScript(name, authorized string, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "echo %[1]s >/etc/hostname\nprintf '127.0.0.1 localhost %[1]s\\n::1 localhost %[1]s\\n' >/etc/hosts\n", name)
	for _, home := range []string{"/root", "/home/admin", "/home/plain"} {
		fmt.Fprintf(&b, "cat >%s/.ssh/authorized_keys <<'END'\n%sEND\n", home, authorized)
	}
	fmt.Fprintf(&b, "cat >/etc/ssh/sshd_config.d/10-test.conf <<'END'\n%s\nEND\n", o.SSHD)
	b.WriteString(o.Setup)
	b.WriteByte('\n')
	return b.String()
}

// writeKey makes a key, writes it to path, and returns its line of authorized_keys.
func writeKey(path string) (authorized string, err error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return string(ssh.MarshalAuthorizedKey(key)), nil
}

// writeKnownHosts writes to path the host keys of the root file system, at addr.
func writeKnownHosts(path, root, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*_key.pub"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("the image has no host keys: %v", err)
	}
	var lines strings.Builder
	for _, f := range files {
		key, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "[%s]:%s %s", host, port, key)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o600)
}
