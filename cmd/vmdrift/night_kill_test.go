package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/internal/worker"
	"github.com/vmdrift/vmdrift/store"
)

// A night is processes of their own, on a server of their own, and what they must not lose.
type night struct {
	*killed
	pgDir string
	url   string
	fleet *simvm.Fleet
	svc   *drift.Service
	st    *store.Store
	mu    *sync.Mutex
	told  map[string]int // notices by id
}

const nightMachines = 40

func newNight(t testing.TB) *night { return newNightOn(t, func(string) {}) }

// newNightOn prepares the folder in which the database will be.
func newNightOn(t testing.TB, prepare func(pgDir string)) *night {
	dir := shortDir(t)
	prepare(filepath.Join(dir, "pg"))
	n := &night{killed: &killed{t: t, dir: dir}, pgDir: filepath.Join(dir, "pg"), mu: &sync.Mutex{}, told: map[string]int{}}
	n.startDatabase()
	n.env = []string{"DATABASE_URL=" + n.url, "HOME=" + dir}
	var ms []*simvm.Machine
	for i := range nightMachines {
		ms = append(ms, simvm.New(fmt.Sprintf("web-%d", i), simvm.Debian12))
	}
	var err error
	if n.fleet, err = startFleet(t, dir, ms...); err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.told[r.Header.Get("Webhook-Id")]++
	}))
	t.Cleanup(receiver.Close)
	conf, err := os.OpenFile(filepath.Join(dir, "vmdrift.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conf, "schedules:\n  - {name: nightly, cron: \"0 2 1 1 *\"}\nnotify:\n  - {name: ops, type: webhook, url: %q}\n", receiver.URL)
	if err := conf.Close(); err != nil {
		t.Fatal(err)
	}
	n.run(exitSame, "baseline", "capture", "web", "--from", "web-0", "--selector", "role=web")
	for _, h := range n.fleet.Hosts() {
		if err := h.Listen("tcp", "0.0.0.0", 4444, "nc", "root"); err != nil {
			t.Fatal(err)
		}
	}
	queue, err := worker.NewQueue()
	if err != nil {
		t.Fatal(err)
	}
	if n.st, err = store.Open(t.Context(), n.url, store.Options{Enqueue: queue.Enqueue}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.st.Close)
	n.svc = drift.New(n.st, nil)
	return n
}

// startDatabase starts the server, or joins it if it runs.
func (n *night) startDatabase() {
	n.t.Helper()
	server, err := embeddedpg.Start(n.t.Context(), n.pgDir, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = server.Stop() })
	n.url = server.URL()
}

// start starts a process that goes on until it is killed, or the test ends.
func (n *night) start(args ...string) *exec.Cmd {
	n.t.Helper()
	cmd, _ := n.background(append(args, "--slots", "1")...)
	return cmd
}

// serve starts one with flags of its own, and returns what ends it.
func (n *night) serve(args ...string) func() {
	n.t.Helper()
	_, stop := n.background(args...)
	return stop
}

func (n *night) background(args ...string) (*exec.Cmd, func()) {
	n.t.Helper()
	cmd, out := n.command(append(args, "--beat", "200ms", "--dead-after", "2s", "--grace", "5s")...)
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if n.t.Failed() {
			n.t.Logf("vmdrift %v:\n%s", args, tail(out))
		}
	})
	n.t.Cleanup(stop)
	return cmd, stop
}

func tail(out *bytes.Buffer) string {
	lines := strings.Split(out.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// again does f until it is true; the database may be away meanwhile.
func (n *night) again(what string, f func(ctx context.Context) (bool, error)) {
	n.t.Helper()
	var last error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
		ok, err := f(ctx)
		cancel()
		if last = err; ok && err == nil {
			return
		}
	}
	n.t.Fatalf("%s: not within two minutes (%v)", what, last)
}

// begin starts a run and returns when that many machines of it are recorded.
func (n *night) begin(recorded int) drift.RunID {
	n.t.Helper()
	var id drift.RunID
	n.again("begin a run", func(ctx context.Context) (bool, error) { // once the serve has taken its schedules over
		run, err := n.svc.RunNow(ctx, "nightly", "a test")
		id = run.ID
		return err == nil, err
	})
	n.again("scan the first machines", func(ctx context.Context) (bool, error) {
		run, err := n.svc.Run(ctx, id)
		if run.State.Ended() {
			n.t.Fatalf("the run ended before anything could happen: %v", run.Outcomes)
		}
		return run.Recorded() >= recorded, err
	})
	return id
}

// check waits for the run's end and looks at what is left of it.
func (n *night) check(id drift.RunID) {
	n.t.Helper()
	n.again("end the run", func(ctx context.Context) (bool, error) {
		run, err := n.svc.Run(ctx, id)
		return run.State.Ended() && run.Facets != nil, err
	})
	n.again("send the notice", func(ctx context.Context) (bool, error) {
		ns, err := n.svc.Notices(ctx, id)
		return len(ns) == 1 && !ns[0].SentAt.IsZero(), err
	})
	ctx := n.t.Context()
	run, err := n.svc.Run(ctx, id)
	if err != nil {
		n.t.Fatal(err)
	}
	if run.State != drift.RunFinished || run.Outcomes[collector.OK] != nightMachines || run.Recorded() != nightMachines || run.Opened != nightMachines {
		n.t.Errorf("the run is %s: %v of %d, %d findings opened", run.State, run.Outcomes, run.Planned, run.Opened)
	}
	ms, err := n.svc.RunMachines(ctx, id)
	for _, m := range ms {
		if m.Outcome != collector.OK {
			n.t.Errorf("%s: %s: %s, %v", m.Name, m.Outcome, m.Reason, err)
		}
	}
	var results, twice int
	if err := n.st.Pool().QueryRow(ctx, `
		SELECT count(*), count(*) - count(DISTINCT u.m) FROM run_results r, unnest(r.machines) AS u (m) WHERE r.run_id = $1`, int32(id)).Scan(&results, &twice); err != nil {
		n.t.Fatal(err)
	}
	if results != nightMachines || twice != 0 {
		n.t.Errorf("%d outcomes, %d of them doubled", results, twice)
	}
	fs, err := n.svc.Findings(ctx, drift.FindingQuery{})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range fs {
		if f.State != drift.Open || f.Reopened != 0 {
			n.t.Errorf("%s %s: %s, reopened %d times", f.MachineName, f.Change.Key, f.State, f.Reopened)
		}
	}
	if len(fs) != nightMachines {
		n.t.Errorf("%d findings, want one per machine", len(fs))
	}
	var events int
	if err := n.st.Pool().QueryRow(ctx, `SELECT count(*) FROM finding_events`).Scan(&events); err != nil || events != nightMachines {
		n.t.Errorf("%d things befell findings, %v; each was opened once", events, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.told) != 1 {
		n.t.Errorf("notices %v, want one", n.told)
	}
	for id, k := range n.told {
		if k != 1 {
			n.t.Errorf("notice %s was sent %d times", id, k)
		}
	}
}

// postmaster is the process id of the database server.
func (n *night) postmaster() int {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(n.pgDir, "data", "postmaster.pid"))
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(data), "\n", 2)[0])
	if err != nil {
		n.t.Fatal(err)
	}
	return pid
}

// Each of these happens in the middle of a run. After it the run ends, every machine has one outcome, no finding is lost,
// doubled or closed, and the notice is sent once.
func TestARunOutlivesWhatBefallsItsProcesses(t *testing.T) {
	for name, befall := range map[string]func(t *testing.T, n *night){
		"a worker is killed": func(t *testing.T, n *night) {
			n.start("serve", "--listen", "", "--no-scan")
			doomed := n.start("work")
			n.start("work")
			id := n.begin(5)
			if err := doomed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			n.check(id)
		},
		"the one that plans is killed": func(t *testing.T, n *night) {
			doomed := n.start("serve", "--listen", "")
			id := n.begin(5)
			if err := doomed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			n.start("serve", "--listen", "")
			n.check(id)
		},
		"a worker is told to stop": func(t *testing.T, n *night) {
			n.start("serve", "--listen", "", "--no-scan")
			leaving := n.start("work")
			n.start("work")
			id := n.begin(5)
			if err := leaving.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			n.check(id)
		},
		"the database is killed": func(t *testing.T, n *night) {
			n.start("serve", "--listen", "")
			n.start("work")
			id := n.begin(5)
			if err := syscall.Kill(n.postmaster(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			n.startDatabase()
			n.check(id)
		},
		"the database is restarted": func(t *testing.T, n *night) {
			n.start("serve", "--listen", "")
			n.start("work")
			id := n.begin(5)
			if err := syscall.Kill(n.postmaster(), syscall.SIGINT); err != nil { // fast shutdown
				t.Fatal(err)
			}
			n.again("stop the database", func(context.Context) (bool, error) {
				_, err := os.Stat(filepath.Join(n.pgDir, "data", "postmaster.pid"))
				return os.IsNotExist(err), nil
			})
			n.startDatabase()
			n.check(id)
		},
		"the machines cannot be reached for a while": func(t *testing.T, n *night) {
			n.start("serve", "--listen", "")
			n.start("work")
			id := n.begin(5)
			for _, h := range n.fleet.Hosts() {
				h.Disconnect()
			}
			time.Sleep(2 * time.Second)
			for _, h := range n.fleet.Hosts() {
				n.again("bring a machine back", func(context.Context) (bool, error) { // its port may be in use for a moment
					err := h.Connect()
					return err == nil, err
				})
			}
			n.check(id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			befall(t, newNight(t))
		})
	}
}

// The disk of the private cluster fills up in the middle of a run, and has room again later.
func TestARunOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	n := newNightOn(t, func(dir string) {
		if err := os.Mkdir(dir, 0o711); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m,mode=0711"); err != nil {
			t.Skipf("NOT COVERED HERE: a full disk, since no file system can be mounted: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	})
	n.start("serve", "--listen", "")
	n.start("work")
	id := n.begin(5)
	filler, err := os.Create(filepath.Join(n.pgDir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = filler.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for err = nil; err == nil; { // and the last bytes
		_, err = filler.Write(block[:512])
	}
	time.Sleep(4 * time.Second)
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	_ = filler.Close()
	n.again("start the database, if it went down", func(ctx context.Context) (bool, error) {
		again, err := embeddedpg.Start(ctx, n.pgDir, nil)
		if err == nil {
			t.Cleanup(func() { _ = again.Stop() })
		}
		return err == nil, err
	})
	n.check(id)
}
