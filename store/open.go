package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/migrations"
)

var (
	_ drift.Store = (*Store)(nil)
	_ drift.Crew  = (*Store)(nil)
	_ drift.Tx    = (*tx)(nil)
)

// oldestServer is the first PostgreSQL that vmdrift works with, as server_version_num.
const oldestServer = 140000

// Options of Open. The zero value is right for most.
type Options struct {
	// MaxConns is how many connections may be open at once; 0 means 10, less than 4 is raised to 4.
	MaxConns int32
	// ConnectTimeout bounds each attempt to connect; 0 means 10 s.
	ConnectTimeout time.Duration
	// Enqueue puts jobs down in a transaction. Without it there is no queue, and what needs one is an error.
	Enqueue func(ctx context.Context, t pgx.Tx, jobs []drift.Job) error
}

// A Store is a connection pool and what this process remembers of the dictionary.
// It may be used by many goroutines at once.
type Store struct {
	pool    *pgxpool.Pool
	enqueue func(ctx context.Context, t pgx.Tx, jobs []drift.Job) error

	memo   *memory
	alive  liveness
	leases leases
}

// Open connects to the database and checks that it is one to work with. It does
// not look at the schema: Migrate does, and must come before anything else.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL(err)
	}
	cfg.MaxConns = 10
	if o.MaxConns > 0 {
		cfg.MaxConns = max(4, o.MaxConns) // a transaction, reads beside it, a migration's lock
	}
	cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	if o.ConnectTimeout > 0 {
		cfg.ConnConfig.ConnectTimeout = o.ConnectTimeout
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "vmdrift"
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, explain("connect to the database", err)
	}
	s := &Store{pool: pool, memo: newMemory(), enqueue: o.Enqueue}
	s.alive.cfg, s.leases.cfg = cfg.ConnConfig.Copy(), cfg.ConnConfig.Copy()
	if err := s.check(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) check(ctx context.Context) error {
	var version, encoding string
	var number int
	err := s.pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('server_encoding')`,
	).Scan(&version, &number, &encoding)
	if err != nil {
		return explain("connect to the database", err)
	}
	return checkServer(version, number, encoding)
}

// checkServer refuses a server that vmdrift cannot work on.
func checkServer(version string, number int, encoding string) error {
	switch {
	case number < oldestServer:
		return fmt.Errorf("the database server is PostgreSQL %s, and vmdrift needs 14 or later; "+
			"upgrade it, or set DATABASE_URL to another", version)
	case !strings.EqualFold(encoding, "UTF8"):
		return fmt.Errorf("the database's encoding is %s, and vmdrift needs UTF8; "+
			"create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to it", encoding)
	}
	return nil
}

// Migrate brings the schema up to what this program needs. Several may do so at once.
func (s *Store) Migrate(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	err := migrations.Up(ctx, db)
	if errors.Is(err, migrations.ErrNewer) {
		return err
	}
	return explain("", err)
}

// SchemaVersion returns the number of the latest migration that was applied.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	v, err := migrations.Version(ctx, db)
	return v, explain("read the schema's version", err)
}

// URL is how the database was opened. It may hold a password.
func (s *Store) URL() string { return s.pool.Config().ConnString() }

// Pool returns the connections, for what else lives in the same database.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close ends all connections. Runs that were not finished count as interrupted from then on.
func (s *Store) Close() {
	s.alive.close()
	s.leases.close()
	s.pool.Close()
}
