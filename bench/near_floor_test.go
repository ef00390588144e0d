//go:build linux

package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

//go:embed target.sh
var targetScript string

const (
	rounds    = 15
	roundsOne = 45   // of one machine, where a round is short and what else runs shows more
	firstPort = 2201 // of the sshd's that stand for machines
	// What issue 2 promises.
	maxRatio  = 1.15
	maxCPU    = 3 * time.Millisecond
	benchTime = 3 * time.Minute
)

// BenchmarkNearTheFloor collects machines over real sshd, and holds wall time and
// client CPU against a bare client that runs the leanest commands for the same
// facts, in the same run, round by round.
//
// Clients and machines share this computer's processors.
func BenchmarkNearTheFloor(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			if ok, why := realguest.Available(); !ok {
				b.Skipf("no machine to measure: %s", why)
			}
			for b.Loop() {
				report(b, n, measureInGuest(b, n))
			}
		})
	}
}

func report(b *testing.B, n int, rs []Round) {
	b.Helper()
	ratio := func(r Round) float64 { return float64(r.VMDrift.Wall) / float64(r.Floor.Wall) }
	cpu := func(r Round) float64 { return (r.VMDrift.CPU - r.Floor.CPU).Seconds() * 1e3 / float64(n) }
	ratios, cpus := values(rs, ratio), values(rs, cpu)
	b.ReportMetric(0, "ns/op") // a round's length says nothing
	b.ReportMetric(median(rs, ratio), "×floor")
	b.ReportMetric(median(rs, func(r Round) float64 { return r.Floor.Wall.Seconds() * 1e3 }), "ms-floor")
	b.ReportMetric(median(rs, func(r Round) float64 { return r.VMDrift.Wall.Seconds() * 1e3 }), "ms-vmdrift")
	floor := func(r Round) float64 { return r.Floor.CPU.Seconds() * 1e3 / float64(n) }
	b.ReportMetric(median(rs, cpu), "ms-cpu-above/machine")
	b.ReportMetric(median(rs, floor), "ms-cpu-floor/machine")
	kib := func(bytes int64) float64 { return float64(bytes) / 1024 / float64(n) }
	b.ReportMetric(median(rs, func(r Round) float64 { return kib(r.VMDrift.Bytes) }), "KiB/machine")
	b.Logf("%d machines, %d rounds: %.2f × the floor (%.2f to %.2f); client CPU above its %.1f ms: %.1f ms per machine (%.1f to %.1f); on the wire %.0f KiB per machine, the floor %.0f",
		n, len(rs), median(rs, ratio), ratios[0], ratios[len(ratios)-1], median(rs, floor), median(rs, cpu), cpus[0], cpus[len(cpus)-1],
		median(rs, func(r Round) float64 { return kib(r.VMDrift.Bytes) }), median(rs, func(r Round) float64 { return kib(r.Floor.Bytes) }))
	if r := median(rs, ratio); r > maxRatio {
		b.Errorf("%d machines: %.3f × the floor, more than %.2f", n, r, maxRatio)
	}
	if c := median(rs, cpu); c > maxCPU.Seconds()*1e3 {
		b.Errorf("%d machines: %.2f ms of client CPU per machine above the floor, more than %v", n, c, maxCPU)
	}
}

// A task is what the measuring process is told, in its environment.
type task struct {
	Machines   int
	KeyFile    string
	KnownHosts string
	Home       string
	Result     string // where it writes []Round
}

const taskEnv = "VMDRIFT_BENCH_TASK"

// measureInGuest boots a guest with an sshd on n ports, and measures in a process
// of its own inside the guest's network: a forwarder would cost this side time.
func measureInGuest(b *testing.B, n int) []Round {
	b.Helper()
	g := realguest.Start(b, realguest.Options{Setup: targetScript})
	g.Run(b, startServers(n))
	dir := b.TempDir()
	t := task{
		Machines: n, KeyFile: g.KeyFile, Home: dir,
		KnownHosts: filepath.Join(dir, "known_hosts"), Result: filepath.Join(dir, "result.json"),
	}
	if err := knowPorts(t.KnownHosts, g, n); err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(t)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), "nsenter", "--net="+g.NetNS(), os.Args[0])
	cmd.Env = append(os.Environ(), taskEnv+"="+string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("measure: %v\n%s", err, out)
	}
	result, err := os.ReadFile(t.Result)
	if err != nil {
		b.Fatal(err)
	}
	var rs []Round
	if err := json.Unmarshal(result, &rs); err != nil {
		b.Fatal(err)
	}
	return rs
}

// startServers returns the script that starts an sshd on n ports; one takes 16 at most.
// They do without PAM, which would double what a target costs, and so make
// vmdrift look nearer to the floor.
func startServers(n int) string {
	var script strings.Builder
	for i := range n {
		if i%16 == 0 {
			script.WriteString("\n/usr/sbin/sshd -o AddressFamily=inet -o UsePAM=no -o MaxStartups=1000 -o PidFile=none")
		}
		fmt.Fprintf(&script, " -p %d", firstPort+i)
	}
	// It listens after it has gone to the background.
	fmt.Fprintf(&script, "\nuntil [ $(ss -Hltn 'sport >= :%d' | wc -l) = %d ]; do sleep 0.02; done", firstPort, n)
	return script.String()
}

// knowPorts writes a known_hosts file that holds the guest's keys at each port.
func knowPorts(path string, g *realguest.Guest, n int) error {
	known, err := os.ReadFile(g.KnownHosts)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(g.Addr)
	if err != nil {
		return err
	}
	var out strings.Builder
	for i := range n {
		out.WriteString(strings.ReplaceAll(string(known), "]:"+port+" ", "]:"+strconv.Itoa(firstPort+i)+" "))
	}
	return os.WriteFile(path, []byte(out.String()), 0o600)
}

// TestMain is also the measuring process.
func TestMain(m *testing.M) {
	text := os.Getenv(taskEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := measure(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	key, err := os.ReadFile(t.KeyFile)
	if err != nil {
		return err
	}
	signer, err := xssh.ParsePrivateKey(key)
	if err != nil {
		return err
	}
	ports := make([]int, t.Machines)
	for i := range ports {
		ports[i] = firstPort + i
	}
	ctx, cancel := context.WithTimeout(context.Background(), benchTime)
	defer cancel()
	floor := func(ctx context.Context) error {
		c := floorClient{signer}
		return eachPort(ports, func(port int) error { return c.run(ctx, fmt.Sprintf("127.0.0.1:%d", port)) })
	}
	vmdrift := func(ctx context.Context) error { return collectAll(ctx, t, ports) }
	n := rounds
	if t.Machines == 1 {
		n = roundsOne
	}
	rs, err := interleave(ctx, n, floor, vmdrift)
	if err != nil {
		return err
	}
	out, err := json.Marshal(rs)
	if err != nil {
		return err
	}
	return os.WriteFile(t.Result, out, 0o600)
}

// collectAll is what vmdrift scan does before it stores: it reads known hosts and
// keys, and connects to, probes, parses, canonicalises and hashes every machine.
func collectAll(ctx context.Context, t task, ports []int) error {
	d, err := ssh.New(ssh.Options{
		ConfigFiles: []string{"none"}, IdentityFiles: []string{t.KeyFile}, KnownHosts: []string{t.KnownHosts},
		AgentSocket: "none", Home: t.Home,
	})
	if err != nil {
		return err
	}
	defer d.Close()
	return eachPort(ports, func(port int) error {
		host, err := d.Host(fmt.Sprintf("root@127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		s, err := guest.Collect(ctx, host, guest.Options{})
		if err != nil {
			return err
		}
		return checkSnapshot(s)
	})
}

// checkSnapshot sees to it that what is measured is the whole.
func checkSnapshot(s inventory.Snapshot) error {
	if n := len(s.Observations); n != len(inventory.GuestFacets()) {
		return fmt.Errorf("%d facets", n)
	}
	for _, o := range s.Observations {
		if o.Status != inventory.Complete || o.State.Len() == 0 {
			return errors.New(string(o.Facet) + " is " + string(o.Status) + ": " + o.Reason)
		}
	}
	return nil
}
