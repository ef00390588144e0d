package store_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/migrations"
	"github.com/vmdrift/vmdrift/store"
)

func TestAnErrorOfConnectingIsOneSentenceWithoutThePassword(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { silent.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gone.Close()
	there := testdb.New(t)
	for what, c := range map[string]struct{ url, want string }{
		"no server":     {"postgres://me:s3cret@" + gone.Addr().String() + "/db", "no database server answers at " + gone.Addr().String()},
		"a silent one":  {"postgres://me:s3cret@" + silent.Addr().String() + "/db", "does not answer in time"},
		"no socket":     {"postgres:///db?host=/nowhere&user=me&password=s3cret", "no database server answers at /nowhere"},
		"no host":       {"postgres://me:s3cret@no-such-host.invalid/db", "no host no-such-host.invalid"},
		"no database":   {strings.Replace(there, "/test_", "/other_", 1), "has no such database"},
		"a wrong user":  {strings.Replace(there, "user=vmdrift", "user=eve", 1), "refuses the login"},
		"no URL":        {"postgres://me:s3cret@host:port/db", "the database URL is not understood"},
		"no URL at all": {"postgres://me:s3c ret@ho st/\x7f", "the database URL is not understood"},
		"a bad option":  {"postgres://me:s3cret@localhost/db?sslmode=s3cret", "the database URL is not understood"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(context.Background(), c.url, store.Options{ConnectTimeout: 300 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			t.Log(err)
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "me:s3c") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestAnotherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	there := testdb.New(t)
	conn := testdb.Conn(t, there)
	_, err := conn.Exec(t.Context(), `CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
	must(t, err)
	t.Cleanup(func() { _, _ = conn.Exec(context.Background(), `DROP DATABASE latin WITH (FORCE)`) })
	u, err := url.Parse(there)
	must(t, err)
	u.Path = "/latin"
	if _, err := store.Open(t.Context(), u.String(), store.Options{}); err == nil || !strings.Contains(err.Error(), "LATIN1") {
		t.Errorf("got %v", err)
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	t.Parallel()
	there := testdb.NewEmpty(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s, err := store.Open(context.Background(), there, store.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for range 2 {
				if err := s.Migrate(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := testdb.Open(t, there)
	if _, err := s.ListMachines(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	there := testdb.New(t)
	_, err := testdb.Conn(t, there).Exec(t.Context(), `INSERT INTO vmdrift_schema (version_id, is_applied) VALUES (9999, true)`)
	must(t, err)
	err = testdb.Open(t, there).Migrate(t.Context())
	if !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutASchemaTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := testdb.Open(t, testdb.NewEmpty(t)).ListMachines(t.Context())
	if err == nil || !strings.Contains(err.Error(), "vmdrift migrate") {
		t.Errorf("got %v", err)
	}
}
