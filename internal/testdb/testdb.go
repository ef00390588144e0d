// Package testdb gives each test a database of its own on a real PostgreSQL: a private
// cluster per test process, and in it a copy of one migrated template per test.
//
// The cluster is started by the first test that asks, and is gone when the process has
// ended, so no test has to know which one is last. DATABASE_URL is not looked at.
//
// A copy is plain CREATE DATABASE … TEMPLATE. The package pgtestdb does the same with a
// template that outlives the process, on a server that does, by way of roles with
// passwords; with a server per process and peer authentication what would be left of
// it is this one statement.
package testdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/store"
)

const template = "migrated"

// cluster is the process's; it may hold what a test process ends with.
type cluster struct {
	admin *pgxpool.Pool
	url   string
	n     int
}

var (
	start = sync.OnceValues(startCluster)
	mu    sync.Mutex
)

func startCluster() (*cluster, error) {
	ctx := context.Background()
	server, err := embeddedpg.StartTemp(ctx, nil)
	if err != nil {
		return nil, err
	}
	c := &cluster{url: server.URL()}
	cfg, err := pgxpool.ParseConfig(c.url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 2
	if c.admin, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	if _, err := c.admin.Exec(ctx, "CREATE DATABASE "+template); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, c.database(template), store.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close() // a template in use can't be copied
	return c, s.Migrate(ctx)
}

// database returns the URL of another database of the cluster.
func (c *cluster) database(name string) string {
	u, err := url.Parse(c.url)
	if err != nil {
		panic(err) // our own
	}
	u.Path = "/" + name
	return u.String()
}

// New returns the URL of a migrated, empty database that nobody else uses. It is
// dropped when the test ends, whoever is still connected.
func New(t testing.TB) string {
	t.Helper()
	return create(t, template)
}

// NewEmpty returns the URL of a database without a schema.
func NewEmpty(t testing.TB) string {
	t.Helper()
	return create(t, "template0")
}

func create(t testing.TB, from string) string {
	t.Helper()
	c, err := start()
	if errors.Is(err, embeddedpg.ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skipf("NOT COVERED HERE: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	mu.Lock() // the copying of one template is one at a time anyway
	c.n++
	name := fmt.Sprintf("test_%d", c.n)
	_, err = c.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+from)
	mu.Unlock()
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := c.admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return c.database(name)
}

// Store returns a store on a database of its own, closed when the test ends.
func Store(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, New(t))
}

// Open returns a store on that database, closed when the test ends.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Conn returns a connection to that database, for a look behind the store.
func Conn(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}
