package guest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// need ends the test where a tool is not here: loudly, and in CI as a failure.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", tool)
		}
		t.Skipf("NOT COVERED HERE: %s is not installed", tool)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	need(t, "unshare")
	if os.Geteuid() != 0 {
		t.Skip("NOT COVERED HERE: it takes root")
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("NOT COVERED HERE: no namespace of mounts: %v %s", err, out)
	}
}

// A wrapped runner runs the probe on this machine, as the last argument of a command.
type wrapped struct {
	argv []string
	env  []string
}

func (w wrapped) Run(ctx context.Context, command string, stdin []byte, stdout io.Writer) error {
	cmd := exec.CommandContext(ctx, w.argv[0], append(slices.Clone(w.argv[1:]), command)...)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(stdin), stdout
	cmd.Env = append(os.Environ(), w.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	return nil
}

// shells are what a machine may have as its sh.
var shells = [][]string{{"dash"}, {"bash"}, {"mksh"}, {"busybox"}}

// asSh returns a PATH in which sh is that program, and the program itself.
func asSh(t testing.TB, program string) string {
	t.Helper()
	need(t, program)
	file, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(file, filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

func TestTheProbeSaysTheSameUnderEveryShell(t *testing.T) {
	var before []string // of a network where nothing else comes and goes
	if os.Geteuid() == 0 {
		if exec.Command("unshare", "-n", "true").Run() == nil {
			before = []string{"unshare", "-n"}
		}
	}
	var want string
	for _, shell := range shells {
		argv := append(slices.Clone(before), "sh", "-c")
		s, err := collect(t, wrapped{argv, []string{asSh(t, shell[0])}})
		if err != nil {
			t.Fatalf("%s: %v", shell, err)
		}
		if before == nil {
			s.Observations = slices.DeleteFunc(s.Observations, func(o inventory.Observation) bool { return o.Facet == inventory.Ports })
		}
		for _, o := range s.Observations {
			if o.Status == inventory.Failed {
				t.Errorf("%s: %s: %s", shell, o.Facet, o.Reason)
			}
		}
		if want == "" {
			want = states(s)
		} else if got := states(s); got != want {
			t.Errorf("%s: %s", shell, firstDifference(got, want))
		}
	}
}

func listen(t *testing.T, network, address string) int {
	t.Helper()
	if strings.HasPrefix(network, "udp") {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().(*net.UDPAddr).Port
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestTheProbeSeesSockets(t *testing.T) {
	need(t, "ss")
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	process := "process=" + strings.TrimSpace(string(comm)) + "\t"
	want := map[string]string{
		fmt.Sprintf("tcp/127.0.0.1:%d", listen(t, "tcp4", "127.0.0.1:0")): "no",
		fmt.Sprintf("tcp/[::1]:%d", listen(t, "tcp6", "[::1]:0")):         "no",
		fmt.Sprintf("tcp/[::]:%d", listen(t, "tcp", ":0")):                "yes",
		fmt.Sprintf("tcp/[::]:%d ", listen(t, "tcp6", "[::]:0")):          "no",
	}
	s, err := collect(t, wrapped{argv: []string{"sh", "-c"}})
	if err != nil {
		t.Fatal(err)
	}
	o := observation(t, s, inventory.Ports)
	for key, dual := range want {
		it, ok := o.State.Get(strings.TrimSpace(key))
		line := it.Encoded()
		if !ok || !strings.Contains(line+"\t", process) || !strings.Contains(line, "dual_stack="+dual) || !strings.Contains(line, "ephemeral=yes") {
			t.Errorf("%s is %q", key, line)
		}
	}
	key := fmt.Sprintf("udp/127.0.0.1:%d", listen(t, "udp4", "127.0.0.1:0"))
	if s, err = collect(t, wrapped{argv: []string{"sh", "-c"}}); err != nil {
		t.Fatal(err)
	}
	if it, ok := observation(t, s, inventory.Ports).State.Get(key); !ok || it.Encoded() != "dual_stack=no\tephemeral=yes" {
		t.Errorf("%s is %q", key, it.Encoded())
	}
}

func TestTheProbeAsksTheDirectoryWhenItIsToldTo(t *testing.T) {
	need(t, "getent", "timeout")
	var want string
	for _, shell := range shells {
		r := wrapped{[]string{"sh", "-c"}, []string{asSh(t, shell[0])}}
		s, err := Collect(context.Background(), r, Options{Directory: true, Sudo: SudoNever})
		if err != nil {
			t.Fatal(err)
		}
		checkSnapshot(t, s)
		o := observation(t, s, inventory.Users)
		if o.State == nil || !o.ItemsComplete {
			t.Fatalf("%s: users are %s: %s", shell, o.Status, o.Reason)
		}
		if want == "" {
			want = o.State.Text()
		} else if o.State.Text() != want {
			t.Errorf("%s: %s", shell, firstDifference(o.State.Text(), want))
		}
	}
}

func TestTheProbeAsAUser(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	key := fmt.Sprintf("tcp/127.0.0.1:%d", listen(t, "tcp4", "127.0.0.1:0"))
	s, err := collect(t, wrapped{argv: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"}})
	if err != nil || s.Privilege != "user" {
		t.Fatalf("privilege %q: %v", s.Privilege, err)
	}
	o := observation(t, s, inventory.Ports)
	it, ok := o.State.Get(key)
	if _, known := it.Field("process"); !ok || known || o.Status != inventory.Partial || !o.ItemsComplete || !slices.Contains(o.Missing, "process") {
		t.Errorf("%s is %q in an observation that is %s, missing %v", key, it.Encoded(), o.Status, o.Missing)
	}
	o = observation(t, s, inventory.Users)
	it, ok = o.State.Get("root")
	if _, known := it.Field("password"); !ok || known || !slices.Contains(o.Missing, "password") {
		t.Errorf("root is %q, missing %v", it.Encoded(), o.Missing)
	}
}

func TestTheProbeWritesNothing(t *testing.T) {
	needRoot(t)
	// Every mount but /dev and /proc is read-only there.
	const readOnly = `while read -r _ dir _; do
	case $dir in /proc* | /dev* | /sys*) ;; *) mount -o remount,bind,ro "$dir" || exit 1 ;; esac
done </proc/mounts
exec sh -c "$1"`
	want, err := collect(t, wrapped{argv: []string{"unshare", "-n", "sh", "-c"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range shells {
		s, err := collect(t, wrapped{[]string{"unshare", "-m", "-n", "sh", "-c", readOnly, "sh"}, []string{asSh(t, shell[0])}})
		if err != nil {
			t.Fatal(err)
		}
		if states(s) != states(want) {
			t.Errorf("%s: %s", shell, firstDifference(states(s), states(want)))
		}
	}
}

func TestTheScriptIsCleanToShellcheck(t *testing.T) {
	need(t, "shellcheck")
	if out, err := exec.Command("shellcheck", "-s", "sh", "probe.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
