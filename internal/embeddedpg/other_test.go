package embeddedpg

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary be the other process of a test: it starts the
// cluster in a folder, or a temporary one, says so, and holds it until its standard input ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EMBEDDEDPG_TEST_HOLD"); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	start := func() (*Server, error) { return Start(context.Background(), dir, nil) }
	if dir == "temp" {
		start = func() (*Server, error) { return StartTemp(context.Background(), nil) }
	}
	s, err := start()
	if err != nil {
		os.Stdout.WriteString(strings.ReplaceAll(err.Error(), "\n", " ") + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("started " + s.URL() + "\n")
	io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		os.Exit(1)
	}
}

// other is another process that uses the cluster in dir.
type other struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  string
}

func startOther(t *testing.T, dir string, change func(*exec.Cmd)) *other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EMBEDDEDPG_TEST_HOLD="+dir)
	if change != nil {
		change(cmd)
	}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	o := &other{cmd: cmd, stdin: stdin, said: strings.TrimSpace(line)}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return o
}

func (o *other) kill(t *testing.T) {
	t.Helper()
	must(t, o.cmd.Process.Kill())
	o.cmd.Wait()
}

func (o *other) leave(t *testing.T) {
	t.Helper()
	must(t, o.stdin.Close())
	must(t, o.cmd.Wait())
}

// folder returns a path that does not exist yet, short, and reachable for the server's user.
func folder(t *testing.T) string {
	t.Helper()
	if len(installed(t.Context())) == 0 {
		missing(t, "PostgreSQL is not installed")
	}
	dir, err := os.MkdirTemp("/tmp", "epg-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "pg")
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("NOT COVERED HERE: " + what)
}

func startHere(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), dir, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, s *Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	must(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func query(t *testing.T, s *Server, sql string, args ...any) (got string) {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close(t.Context())
	must(t, conn.QueryRow(t.Context(), sql, args...).Scan(&got))
	return got
}

func pidOf(t *testing.T, dir string) int {
	t.Helper()
	pm, err := (&cluster{dir: dir}).postmaster()
	must(t, err)
	if pm.pid == 0 {
		t.Fatal("there is no server")
	}
	return pm.pid
}

// gone waits until the process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for (postmaster{pid: pid}).alive() && !zombie(pid) {
		if pause(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// A process whose parent is gone waits for init to notice, which in a container may be never.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
