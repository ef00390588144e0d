package embeddedpg

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestAFirstStartMakesAClusterThatSortsBytewiseAndChecksItsPages(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := startHere(t, dir)
	for setting, want := range map[string]string{
		"data_checksums": "on", "fsync": "on", "synchronous_commit": "on", "listen_addresses": "", "jit": "off", "server_encoding": "UTF8",
	} {
		if got := query(t, s, "SELECT current_setting($1)", setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if got := query(t, s, "SELECT string_agg(x, '' ORDER BY x) FROM unnest(string_to_array('a,B,_,é,Z', ',')) x"); got != "BZ_aé" {
		t.Errorf("it sorts %q, not bytewise", got)
	}
	if got := query(t, s, "SELECT current_user || ' ' || current_database()"); got != "vmdrift vmdrift" {
		t.Errorf("connected as %q", got)
	}
	must(t, s.Stop())
	must(t, s.Stop()) // harmless
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil {
		t.Error("the server is still there")
	}
	// What was written is there again.
	s = startHere(t, dir)
	query(t, s, "SELECT 1::text")
}

func TestWhoJoinsKeepsTheServerWhenTheStarterLeaves(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := startOther(t, dir, nil)
	if !strings.HasPrefix(first.said, "started ") {
		t.Fatal(first.said)
	}
	s := startHere(t, dir)
	conn := connect(t, s)
	before := pidOf(t, dir)
	first.leave(t)
	var one int
	must(t, conn.QueryRow(t.Context(), "SELECT 1").Scan(&one))
	if now := pidOf(t, dir); now != before {
		t.Errorf("server %d became %d", before, now)
	}
	conn.Close(t.Context())
	must(t, s.Stop())
	gone(t, before)
}

func TestAKilledStarterTakesNobodyElsesSessionWithIt(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := startOther(t, dir, nil)
	s := startHere(t, dir)
	conn := connect(t, s)
	first.kill(t)
	var one int
	must(t, conn.QueryRow(t.Context(), "SELECT 1").Scan(&one))
}

func TestAServerWhoseOnlyUserIsKilledStopsAndStartsAgain(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("flock"); err != nil {
		missing(t, "there is no flock command")
	}
	dir := folder(t)
	first := startOther(t, dir, nil)
	first.kill(t)
	// Right away: it joins, or waits until the watchdog is through and starts anew.
	s := startHere(t, dir)
	query(t, s, "SELECT 1::text")
	must(t, s.Stop())

	second := startOther(t, dir, nil)
	pid := pidOf(t, dir)
	second.kill(t)
	gone(t, pid)
}

func TestAServerThatWasKilledRecovers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := startHere(t, dir)
	conn := connect(t, s)
	_, err := conn.Exec(t.Context(), "CREATE TABLE t AS SELECT 42 AS x")
	must(t, err)
	pid := pidOf(t, dir)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	gone(t, pid)
	again := startHere(t, dir)
	if got := query(t, again, "SELECT x::text FROM t"); got != "42" {
		t.Errorf("got %q", got)
	}
}

func TestManyStartAndStopAtOnce(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 3 {
				s, err := Start(t.Context(), dir, nil)
				if err != nil {
					t.Error(err)
					return
				}
				conn, err := pgx.Connect(t.Context(), s.URL())
				if err != nil {
					t.Error(err)
				} else {
					conn.Close(t.Context())
				}
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil {
		t.Error("the last to leave left the server running")
	}
}

func TestALongPathGetsItsSocketElsewhere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long/", 25), "pg")
	s := startHere(t, dir)
	query(t, s, "SELECT 1::text")
	if strings.HasPrefix(s.socket, dir) {
		t.Errorf("the socket is in %s", s.socket)
	}
	fi, err := os.Stat(s.socket)
	must(t, err)
	if fi.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder has mode %v", fi.Mode())
	}
	must(t, s.Stop())
	if _, err := os.Stat(s.socket); err == nil {
		t.Error("the socket's folder is left behind")
	}
}

func TestAnotherMajorVersionIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, startHere(t, dir).Stop())
	version := filepath.Join(dir, "data", "PG_VERSION")
	must(t, os.WriteFile(version, []byte("9\n"), 0o600))
	_, err := Start(t.Context(), dir, nil)
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 9") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v", err)
	}
	if b, err := os.ReadFile(version); err != nil || string(b) != "9\n" {
		t.Errorf("the folder was touched: %q, %v", b, err)
	}
}

func TestAnInterruptedInitdbIsClearedUp(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	half := filepath.Join(dir, "initdb-123")
	must(t, os.MkdirAll(half, 0o700))
	must(t, os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600))
	s := startHere(t, dir)
	query(t, s, "SELECT 1::text")
	if _, err := os.Stat(half); err == nil {
		t.Error("the half-made folder is still there")
	}
}

func TestFoldersOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
	if _, err := Start(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v", err)
	}
	dir = folder(t)
	must(t, os.MkdirAll(filepath.Join(dir, "data"), 0o755))
	if _, err := Start(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "no data folder") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutBinariesOneSentenceSaysWhatToDo(t *testing.T) {
	dir := folder(t)
	saved := places
	places = nil
	t.Cleanup(func() { places = saved })
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), dir, nil)
	if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "package postgresql") {
		t.Errorf("got %v", err)
	}
}

func TestTempIsGoneAfterStop(t *testing.T) {
	t.Parallel()
	s, err := StartTemp(t.Context(), nil)
	must(t, err)
	query(t, s, "SELECT 1::text")
	must(t, s.Stop())
	if _, err := os.Stat(s.c.dir); err == nil {
		t.Error("the folder is left behind")
	}
}

func TestTempIsGoneWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("flock"); err != nil {
		missing(t, "there is no flock command")
	}
	folder(t) // needs PostgreSQL
	o := startOther(t, "temp", nil)
	u, err := url.Parse(strings.TrimPrefix(o.said, "started "))
	must(t, err)
	dir := filepath.Dir(u.Query().Get("host"))
	if _, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION")); err != nil {
		t.Fatal(err)
	}
	o.kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if pause(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("%s is still there", dir)
		}
	}
}

func TestANormalUserNeedsNoRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("every other test is run as a normal user then")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		missing(t, "there is no user nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	// The test binary is where only root can go.
	parent := folder(t)
	must(t, os.MkdirAll(parent, 0o755))
	binary := filepath.Join(parent, "test")
	b, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(binary, b, 0o755))
	home := filepath.Join(parent, "home")
	must(t, os.Mkdir(home, 0o755))
	must(t, os.Chown(home, uid, gid))
	dir := filepath.Join(home, "pg")

	o := startOther(t, dir, func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = binary, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	})
	if !strings.HasPrefix(o.said, "started ") {
		t.Fatal(o.said)
	}
	pid := pidOf(t, dir)
	// Root keeps out of it: its files could be links to anywhere.
	if _, err := Start(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "belongs to user nobody") {
		t.Errorf("got %v", err)
	}
	o.leave(t)
	gone(t, pid)
}

func TestAFolderThatTheServersUserMayNotEnterIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("NOT COVERED HERE: only root lends the server another user")
	}
	parent := folder(t)
	must(t, os.MkdirAll(parent, 0o700))
	must(t, os.Chmod(parent, 0o700))
	_, err := Start(t.Context(), filepath.Join(parent, "pg"), nil)
	if err == nil || !strings.Contains(err.Error(), "may not enter "+parent) {
		t.Errorf("got %v", err)
	}
}
