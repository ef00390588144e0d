// Package migrations holds the database's schema as numbered SQL files, and brings
// a database up to it. Files go forward only, and are never edited once released.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

//go:embed *.sql
var files embed.FS

// table is where goose keeps which migrations a database has seen.
const table = "vmdrift_schema"

// lock is the advisory lock under which migrations run: "vmdrift" in ASCII. Other
// users of the database must not take it.
const lock int64 = 0x766d6472696674

// ErrNewer says that the database belongs to a later vmdrift.
var ErrNewer = errors.New("the database was made by a newer vmdrift")

// Up brings the database to the newest version that this program knows. Processes
// that start at once wait for one another. Each file is one transaction: a crash
// leaves the database at some version between, from which the next Up goes on.
func Up(ctx context.Context, db *sql.DB) error {
	want, err := Newest()
	if err != nil {
		return err
	}
	if have, err := Version(ctx, db); err != nil || have == want {
		return err // the usual case: one query
	} else if have > want {
		return newer(have, want)
	}

	// The lock is the session's, so the session is held until the end.
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lock) //nolint:errcheck // ends with the session at the latest

	if have, err := Version(ctx, db); err != nil {
		return err
	} else if have > want {
		return newer(have, want)
	}
	p, err := provider(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

func newer(have, want int64) error {
	return fmt.Errorf("%w (its schema is version %d, this program knows %d): install that version, or use another database", ErrNewer, have, want)
}

// Newest returns the version of the last file.
func Newest() (int64, error) {
	names, err := files.ReadDir(".")
	if err != nil || len(names) == 0 {
		return 0, errors.Join(errors.New("there are no migrations"), err)
	}
	return goose.NumericComponent(names[len(names)-1].Name()) // ReadDir sorts
}

// Version returns the schema version of a database, 0 if it has none.
func Version(ctx context.Context, db *sql.DB) (int64, error) {
	var v int64
	err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+table+" WHERE is_applied").Scan(&v)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42P01" { // undefined_table
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return v, nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
}
