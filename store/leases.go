package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/inventory"
)

// leases holds a lock per machine that this process is scanning, in a session of its own, which
// ends with the process, however that ends. Nothing is written for it.
//
// Should only the session break, its locks are taken again with the next one. What another process began meanwhile is
// scanned twice; it is recorded once all the same.
type leases struct {
	cfg *pgx.ConnConfig

	mu   sync.Mutex
	conn *pgx.Conn
	held map[int64]bool
}

// Lease says that this process is scanning a machine, until release is called. ok is false if somebody is already.
func (s *Store) Lease(ctx context.Context, m inventory.MachineID) (release func(), ok bool, err error) {
	id := leaseKey(m)
	ok, err = s.leases.take(ctx, id)
	if err != nil || !ok {
		return func() {}, false, explain("lease a machine", err)
	}
	return func() { s.leases.letGo(context.WithoutCancel(ctx), id) }, true, nil
}

// leaseKey is the key of the advisory lock on a machine. Two machines with one key, of 2^64, would wait for each other.
func leaseKey(m inventory.MachineID) int64 {
	sum := sha256.Sum256([]byte("vmdrift lease\x00" + m.Source + "\x00" + m.NativeID))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

func (l *leases) take(ctx context.Context, id int64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[id] { // a session gets its own locks again
		return false, nil
	}
	if l.held == nil {
		l.held = map[int64]bool{}
	}
	for fresh := false; ; fresh = true {
		if l.conn == nil || l.conn.IsClosed() {
			if err := l.connect(ctx); err != nil {
				return false, err
			}
			fresh = true
		}
		ok, err := l.try(ctx, id)
		if err == nil && ok {
			l.held[id] = true
		}
		if err == nil || fresh || ctx.Err() != nil {
			return ok, err
		}
		l.conn.Close(context.WithoutCancel(ctx))
		l.conn = nil
	}
}

func (l *leases) connect(ctx context.Context) (err error) {
	if l.conn, err = pgx.ConnectConfig(ctx, l.cfg); err != nil {
		l.conn = nil
		return err
	}
	for id := range l.held {
		if _, err := l.try(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (l *leases) try(ctx context.Context, id int64) (ok bool, err error) {
	err = l.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, id).Scan(&ok)
	return ok, err
}

func (l *leases) letGo(ctx context.Context, id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held[id] {
		return
	}
	delete(l.held, id)
	if l.conn == nil || l.conn.IsClosed() {
		return
	}
	if _, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, id); err != nil {
		l.conn.Close(ctx) // and with it all of them; those still held are taken again
		l.conn = nil
	}
}

func (l *leases) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close(context.Background())
	}
	l.conn, l.held = nil, nil
}
