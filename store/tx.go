package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vmdrift/vmdrift/drift"
)

// attempts is how often a transaction is tried that loses against others.
const attempts = 8

// querier is what reads need: the pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// tx implements drift.Tx.
type tx struct {
	pgx.Tx
	s *Store
	// memo holds what this transaction learnt or made, on top of what the process
	// knows. Others may see it only once it is committed.
	memo *memory
}

// InTx implements drift.Store.
func (s *Store) InTx(ctx context.Context, f func(drift.Tx) error) error {
	return s.inTx(ctx, func(t *tx) error { return f(t) })
}

func (s *Store) inTx(ctx context.Context, f func(*tx) error) error {
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, f)
		if err == nil || attempt == attempts || !lostAgainstAnother(err) {
			return explain("", err)
		}
		// Apart from one another, or the same ones meet again.
		limit := 5 * time.Millisecond << attempt
		t := time.NewTimer(rand.N(limit))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// once runs f in a transaction. A crash before the commit leaves nothing; one after
// it, everything. If the connection breaks during the commit nobody knows, and the
// error says so by not being one that is tried again.
func (s *Store) once(ctx context.Context, f func(*tx) error) error {
	t, err := s.pool.Begin(ctx)
	if err != nil {
		return explain("connect to the database", err)
	}
	// After a commit this does nothing; a panic in f passes through here too.
	defer t.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // the connection is closed if it fails
	own := &tx{Tx: t, s: s, memo: s.memo.overlay()}
	if err := f(own); err != nil {
		return err
	}
	if err := t.Commit(ctx); err != nil {
		return explain("commit", err)
	}
	s.memo.merge(own.memo)
	return nil
}

// lostAgainstAnother reports whether a transaction failed only because of what another did meanwhile.
func lostAgainstAnother(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	case "23505": // unique_violation: another took the name that we found free
		return pg.ConstraintName == "machines_name_key"
	}
	return false
}
