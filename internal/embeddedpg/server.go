package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Name of the database and of its owner in every private cluster.
const name = "vmdrift"

// How long a start, with its recovery after a crash, and a stop, with its
// checkpoint, may take before they count as failed.
const (
	startLimit = 60 * time.Second
	stopLimit  = 60 * time.Second
)

// A Server is this process's use of a private cluster, until Stop or the end of the process.
type Server struct {
	c      *cluster
	users  *lock  // holds the shared lock on users.lock
	socket string // folder of the socket

	stop    sync.Once
	stopErr error
}

// Start makes sure that the private cluster in dir runs, creating it if there is none, and
// uses it until Stop. A first start takes about a second, a later one 0.1 s.
//
// Its errors are one sentence for a human each, with the ways out.
func Start(ctx context.Context, dir string, log *slog.Logger) (*Server, error) {
	return start(ctx, dir, durable, log)
}

func start(ctx context.Context, dir string, mode mode, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c, err := newCluster(dir, mode, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf(
		"the private database in %s did not get ready within %s; its log is %s", c.dir, startLimit, c.logFile()))
	defer cancel()

	// One start or stop at a time.
	gate, err := lockFile(ctx, c.path("start.lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.close()
	// From here on nobody stops the server. Waits for one who is doing so.
	users, err := lockFile(ctx, c.path("users.lock"), syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	s := &Server{c: c, users: users}
	if s.socket, err = c.run(ctx); err == nil {
		err = s.createDatabase(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.leave())
	}
	return s, nil
}

// URL returns how to connect to the database.
func (s *Server) URL() string { return s.url(name) }

func (s *Server) url(database string) string {
	q := url.Values{"host": {s.socket}, "port": {port}, "user": {name}, "sslmode": {"disable"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Stop ends this process's use of the cluster, and stops the server if nobody
// else uses it. Close connections first: a server stops its last ones.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), stopLimit, fmt.Errorf(
			"the private database in %s did not stop within %s; its log is %s", s.c.dir, stopLimit, s.c.logFile()))
		defer cancel()
		gate, err := lockFile(ctx, s.c.path("start.lock"), syscall.LOCK_EX)
		if err != nil {
			s.users.close()
			s.stopErr = err
			return
		}
		defer gate.close()
		s.stopErr = s.leave()
	})
	return s.stopErr
}

// leave is Stop for one who holds start.lock.
func (s *Server) leave() error {
	defer s.users.close()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	// Turning a shared lock into an exclusive one lets go of it for a moment. Then
	// either we get it; or the watchdog does, and we wait until it has stopped the
	// server; or others use the server, and will stop it.
	err := s.users.try(syscall.LOCK_EX)
	if err == nil {
		err = s.c.halt(ctx)
		if s.c.mode == temporary {
			err = errors.Join(err, os.RemoveAll(s.c.dir))
		}
		return err
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	return s.users.wait(ctx, syscall.LOCK_SH)
}

// createDatabase makes the one database there is. A crash before it leaves a
// cluster without it, and the next start comes by here again.
func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.url(name))
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "3D000" { // invalid_catalog_name: no such database
		conn, err = pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
		}
	}
	if conn != nil {
		defer conn.Close(context.WithoutCancel(ctx))
	}
	if err != nil {
		return s.c.explain("open", err.Error())
	}
	return nil
}
