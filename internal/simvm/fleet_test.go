package simvm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/simvm"
)

// run runs one command line on a machine.
func (l *lab) run(t testing.TB, h *simvm.Host, user, line string) (string, error) {
	t.Helper()
	host, err := l.dialer.Host(user + "@" + h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = host.Run(t.Context(), line, nil, &out)
	return out.String(), err
}

func TestHundredMachinesAtOnceWhileTheyChange(t *testing.T) {
	t.Parallel()
	var machines []*simvm.Machine
	for i := range 100 {
		machines = append(machines, simvm.New(fmt.Sprintf("sim-%03d", i), simvm.Distributions()[i%5]))
	}
	l := start(t, machines...)
	var targets []collector.Target
	for _, h := range l.Hosts() {
		targets = append(targets, l.target(t, h, simvm.Root))
	}
	busy := make(chan error, 1)
	go func() {
		var errs []error
		for _, m := range machines {
			errs = append(errs, m.AddUser(simvm.User{Name: "late", UID: 1300, GID: 1300}), m.Listen("tcp", "0.0.0.0", 4444, "nc", "late"))
		}
		busy <- errors.Join(errs...)
	}()
	seen := 0
	collector.Each(t.Context(), targets, collector.Limits{Concurrency: 100, Timeout: 2 * time.Minute}, func(r collector.Result) {
		if seen++; r.Err != nil {
			t.Errorf("%s: %v", r.Machine.Name, r.Err)
		}
	})
	if seen != len(machines) {
		t.Errorf("%d machines were reported", seen)
	}
	if err := <-busy; err != nil {
		t.Error(err)
	}
}

func TestNothingOfTheHostIsThere(t *testing.T) {
	t.Parallel()
	l, h := one(t, simvm.Debian12)
	path := t.TempDir() + "/written"
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"cat /etc/hostname; hostname; uname -n", "sim-1\nsim-1\nsim-1\n"},
		{"cat " + os.Args[0] + " || echo none", "none\n"},
		{"[ -e " + os.Args[0] + " ] || echo none", "none\n"},
		{"echo /*", "/bin /dev /etc /home /lib /proc /root /run /sbin /sys /tmp /usr /var\n"},
		{"go version; echo $?", "127\n"},
		{"command -v go || echo none; command -v ss", "none\n/usr/bin/ss\n"},
		{"type go || echo none", "none\n"},
		{"echo x > " + path + " || echo refused", "refused\n"},
		{". /etc/profile || echo refused", "refused\n"},
		{"sed -e 'r /etc/hostname' -e 'w " + path + "' /etc/hostname || echo refused", "refused\n"},
		{"sed 'w " + path + "' /etc/hostname || echo refused", "refused\n"},
		{"/usr/bin/id -u; /usr/bin/nothing; echo $?; /etc/passwd; echo $?", "0\n127\n126\n"},
		{"echo $UID $EUID $HOME $USER $PWD", "0 0 /root root /\n"},
		{"cd /etc && pwd && cat hostname", "/etc\nsim-1\n"},
		{"cat </etc/hostname | grep -c sim", "1\n"},
		{"exit 3", ""},
	} {
		out, err := l.run(t, h, simvm.Root, c.line)
		if out != c.want {
			t.Errorf("%s: %q (%v), want %q", c.line, out, err, c.want)
		}
		if strings.Contains(out, host) && !strings.Contains(c.want, host) {
			t.Errorf("%s tells the host's name", c.line)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("something was written")
	}
}

func TestRightsAreThoseOfTheUser(t *testing.T) {
	t.Parallel()
	l, h := one(t, simvm.Debian12)
	for _, c := range []struct{ user, line, want string }{
		{simvm.Plain, "cat /etc/shadow || echo refused", "refused\n"},
		{simvm.Plain, "sudo -n cat /etc/shadow || echo refused", "refused\n"},
		{simvm.Plain, "[ -r /etc/shadow ] || echo no; [ -r /etc/passwd ] && echo yes", "no\nyes\n"},
		{simvm.Plain, "echo /root/*; ls /proc/1/fd || echo refused", "/root/*\nrefused\n"},
		{simvm.Sudo, "sudo -n id -un; id -un", "root\ndeploy\n"},
		{"alice", "sudo -n id -u", "0\n"},
	} {
		if out, err := l.run(t, h, c.user, c.line); out != c.want {
			t.Errorf("%s: %s: %q (%v), want %q", c.user, c.line, out, err, c.want)
		}
	}
	for _, user := range []string{"www-data", "nobody-at-all"} {
		if _, err := l.run(t, h, user, "id"); collector.OutcomeOf(err) != collector.AuthFailed {
			t.Errorf("%s logs in: %v", user, err)
		}
	}
}

func TestOnlyTheFleetsKeyIsLetIn(t *testing.T) {
	t.Parallel()
	l, h := one(t, simvm.Debian12)
	other := start(t, simvm.New("other", simvm.Arch))
	dir := t.TempDir()
	key, _, err := other.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	known := dir + "/known_hosts"
	if err := os.WriteFile(known, l.KnownHosts(), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := ssh.New(ssh.Options{ConfigFiles: []string{"none"}, IdentityFiles: []string{key}, KnownHosts: []string{known}, AgentSocket: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	host, err := d.Host("root@" + h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Run(t.Context(), "id", nil, &bytes.Buffer{}); collector.OutcomeOf(err) != collector.AuthFailed {
		t.Errorf("another fleet's key is let in: %v", err)
	}
}

func TestUnreachableAndBack(t *testing.T) {
	t.Parallel()
	l, h := one(t, simvm.Arch)
	h.Hang(true)
	if _, err := l.run(t, h, simvm.Root, "id"); collector.OutcomeOf(err) != collector.Unreachable {
		t.Errorf("hanging: %v", err)
	}
	h.Hang(false)
	h.Disconnect()
	if _, err := l.run(t, h, simvm.Root, "id"); collector.OutcomeOf(err) != collector.Unreachable {
		t.Errorf("disconnected: %v", err)
	}
	if err := h.Connect(); err != nil {
		t.Skipf("another process has taken the port meanwhile: %v", err)
	}
	if _, err := l.run(t, h, simvm.Root, "id"); err != nil {
		t.Errorf("back again: %v", err)
	}
	if err := h.ChangeHostKey(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.run(t, h, simvm.Root, "id"); collector.OutcomeOf(err) != collector.HostKeyChanged {
		t.Errorf("with another host key: %v", err)
	}
}

func TestNoiseBeforeTheProbeIsNoState(t *testing.T) {
	t.Parallel()
	l, h := one(t, simvm.Rocky9)
	g := golden(t, l.collect(t, h, simvm.Root))
	if err := h.SetStartupNoise("Welcome!\ntcp   LISTEN 0 128 0.0.0.0:6666 0.0.0.0:*\n"); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.DiffAll(l.collect(t, h, simvm.Root).Observations) {
		t.Error(c)
	}
}

// A command that waits for input for ever ends with its client, and with the fleet.
func TestWaitingCommandEnds(t *testing.T) {
	t.Parallel()
	f, err := simvm.Start(t.Context(), simvm.New("sim-1", simvm.Debian12))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	key, known, err := f.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, err := ssh.New(ssh.Options{ConfigFiles: []string{"none"}, IdentityFiles: []string{key}, KnownHosts: []string{known}, AgentSocket: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	host, err := d.Host("root@" + f.Hosts()[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"client", "fleet"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &began{now: make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			// It says so much that no buffer holds it, then reads nothing, for ever, of what the client goes on sending.
			done <- host.Run(ctx, "cat /var/lib/dpkg/status; while :; do :; done", bytes.Repeat([]byte("x"), 3<<20), out)
		}()
		<-out.now
		if end == "client" {
			cancel()
		} else {
			f.Close()
		}
		if err := <-done; err == nil {
			t.Errorf("ended by the %s: no error", end)
		}
		cancel()
	}
	if c, err := net.Dial("tcp", f.Hosts()[0].Addr()); err == nil {
		c.Close()
		t.Error("the closed fleet still listens")
	}
}

// began is closed at the first output.
type began struct {
	once sync.Once
	now  chan struct{}
}

func (b *began) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.now) })
	return len(p), nil
}
