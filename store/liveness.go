package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
)

// runLocks is the class of the advisory locks that say that a run's process lives: "vmdr" in ASCII.
const runLocks int32 = 0x766d6472

// liveness holds a lock per run of this process, in a session of its own: a session
// gets its own locks again, so one that only holds them is needed to be seen by the rest.
//
// The locks go with the session, however the process ends. Should only the session
// break, the locks are taken again with the next run; until then others may take this
// process's runs for dead. That makes them count as interrupted until they finish.
type liveness struct {
	cfg *pgx.ConnConfig

	mu   sync.Mutex
	conn *pgx.Conn // nil while no run goes on
	runs map[int32]bool
}

func (l *liveness) hold(ctx context.Context, id int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs == nil {
		l.runs = map[int32]bool{}
	}
	l.runs[id] = true
	if l.conn != nil {
		if err := l.lock(ctx, id); err == nil {
			return nil
		}
		l.conn.Close(context.WithoutCancel(ctx))
		l.conn = nil
	}
	conn, err := pgx.ConnectConfig(ctx, l.cfg)
	if err != nil {
		delete(l.runs, id)
		return fmt.Errorf("hold the run: %w", err)
	}
	l.conn = conn
	for run := range l.runs {
		if err := l.lock(ctx, run); err != nil {
			delete(l.runs, id)
			return err
		}
	}
	return nil
}

func (l *liveness) lock(ctx context.Context, id int32) error {
	// Ids are never used twice, so nobody else can have it, but for one who is just looking whether we live.
	if _, err := l.conn.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, runLocks, id); err != nil {
		return fmt.Errorf("hold the run: %w", err)
	}
	return nil
}

// letGo ends the session with the last run. A failure to unlock ends it too.
func (l *liveness) letGo(ctx context.Context, id int32) {
	ctx = context.WithoutCancel(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.runs[id] {
		return
	}
	delete(l.runs, id)
	if l.conn == nil {
		return
	}
	if len(l.runs) > 0 {
		if _, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock($1, $2)`, runLocks, id); err == nil {
			return
		}
	}
	l.conn.Close(ctx)
	l.conn = nil
}

func (l *liveness) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close(context.Background())
		l.conn = nil
	}
	l.runs = nil
}
