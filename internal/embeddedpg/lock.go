package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// A lock is an open lock file. The lock goes when it is closed, at the latest when the
// process ends.
//
// It is a bare descriptor, because the garbage collector closes a forgotten *os.File, and
// a test that forgot its Server would lose its database. It is O_CLOEXEC, because a child
// would hold the lock on: a server that inherits users.lock is a user of itself for ever.
type lock struct {
	fd   int
	path string
}

// lockFile opens the lock file, creating it, and waits for the lock. The watchdog,
// which runs as the owner, needs to read it.
func lockFile(ctx context.Context, path string, how int) (*lock, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the private database: %w", sentence(&os.PathError{Op: "open", Path: path, Err: err}))
	}
	l := &lock{fd, path}
	if err := errors.Join(syscall.Fchmod(fd, 0o644), l.wait(ctx, how)); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// wait polls, because a blocked flock knows no context.
func (l *lock) wait(ctx context.Context, how int) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		err := l.try(how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("wait for %s: %w", l.path, err)
		}
	}
}

// try returns EWOULDBLOCK if it would have to wait.
func (l *lock) try(how int) error {
	for {
		err := syscall.Flock(l.fd, how|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", l.path, err)
		}
	}
}

func (l *lock) close() { _ = syscall.Close(l.fd) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
