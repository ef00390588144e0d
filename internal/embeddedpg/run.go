package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// run makes sure that the server runs, and returns the folder of its socket. The
// caller holds start.lock and shares users.lock, so nobody of us stops it meanwhile.
func (c *cluster) run(ctx context.Context) (socketDir string, err error) {
	v, err := choose(ctx, c.data())
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(c.data()); errors.Is(err, fs.ErrNotExist) {
		if err := c.create(ctx, v); err != nil {
			return "", err
		}
	}
	for {
		pm, err := c.postmaster()
		switch {
		case err != nil:
			return "", err
		case !pm.alive():
			if socketDir, err = c.launch(ctx, v); !errors.Is(err, errOvertaken) {
				return socketDir, err
			}
		case pm.status == "ready":
			if err := ping(ctx, pm.socketDir); err == nil {
				c.log.DebugContext(ctx, "joined a running private database", "dir", c.dir, "pid", pm.pid)
				return pm.socketDir, nil
			} else if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
				// The file is stale and its process id another process's by now. If
				// not, the server that we launch finds out and says so.
				if socketDir, err = c.launch(ctx, v); !errors.Is(err, errOvertaken) {
					return socketDir, err
				}
			} else {
				return "", c.explain("join", err.Error())
			}
		}
		// Starting or stopping: an earlier run's server. Wait for what comes of it.
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// errOvertaken is launch's error where another server was there first.
var errOvertaken = errors.New("another server has the data folder")

// launch starts the server and its watchdog.
//
// A process that was killed after it started a server, and before that server had
// written its file, leaves one that nobody knows of yet. Ours then finds the file
// and ends: errOvertaken, and the other is to be waited for and joined.
func (c *cluster) launch(ctx context.Context, v version) (socketDir string, err error) {
	before, err := c.postmaster()
	if err != nil {
		return "", err
	}
	if err := c.letIn(); err != nil {
		return "", err
	}
	if socketDir, err = c.makeSocketDir(); err != nil {
		return "", err
	}
	out, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("start the private database: %w", sentence(err))
	}
	defer out.Close()
	// Not bound to ctx: it lives on with those who join it.
	server := c.command(context.WithoutCancel(ctx), v.program("postgres"), append([]string{"-D", c.data()}, c.settings(socketDir)...)...)
	server.Stdout, server.Stderr = out, out
	if err := server.Start(); err != nil {
		return "", c.explain("start", err.Error())
	}
	ended := make(chan struct{})
	go func() { // reaps it, in case it ends before we do
		_ = server.Wait()
		close(ended)
	}()
	c.watch(v, server.Process.Pid, socketDir)

	for {
		if pm, err := c.postmaster(); err == nil && pm.pid == server.Process.Pid && pm.status == "ready" {
			break
		}
		select {
		case <-ended:
			// The other may have come and gone by now, stopped by its watchdog. Only a file that was
			// there before, of a process that lives on, is nothing to wait for.
			tail := c.logTail()
			pm, err := c.postmaster()
			if err == nil && (pm.pid != before.pid || !pm.alive()) && strings.Contains(tail, `lock file "postmaster.pid" already exists`) {
				return "", errOvertaken
			}
			// The other has just made its file, and is about to write into it. An old one is what a crash left.
			if strings.Contains(tail, `lock file "postmaster.pid" is empty`) {
				if file, err := os.Stat(c.data() + "/postmaster.pid"); err != nil || time.Since(file.ModTime()) < 10*time.Second {
					return "", errOvertaken
				}
			}
			return "", c.explain("start", tail)
		case <-ctx.Done():
			_ = server.Process.Signal(syscall.SIGQUIT)
			return "", context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	c.log.DebugContext(ctx, "started a private database", "dir", c.dir, "postgres", v.major, "pid", server.Process.Pid)
	return socketDir, nil
}

// halt stops the server. The caller has users.lock for itself.
func (c *cluster) halt(ctx context.Context) error {
	pm, err := c.postmaster()
	if err != nil {
		return err
	}
	// The file goes last, when the server has shut down. A process that is gone
	// while the file is there crashed, and the next start recovers.
	for sent := false; pm.alive(); {
		if !sent {
			// As the owner, not as root: the file is the owner's, and could name any process.
			out, err := c.command(ctx, "/bin/sh", "-c", "kill -INT "+strconv.Itoa(pm.pid)).CombinedOutput()
			if err != nil && pm.alive() {
				return c.explain("stop", string(out)+"\n"+err.Error())
			}
			sent = true
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("stop the private database: %w", err)
		}
		if pm, err = c.postmaster(); err != nil {
			return err
		}
	}
	c.removeSocketDir()
	return nil
}

func ping(ctx context.Context, socketDir string) error {
	s := Server{socket: socketDir}
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
