package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrCorrupt says that what was read is not what was written.
var ErrCorrupt = errors.New("the database is damaged")

// badURL words an error of the connection string, which may hold a password: only what
// the driver says was wrong is kept, and not the string.
func badURL(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return fmt.Errorf("the database URL is not understood: %s; it looks like postgres://user:password@host:5432/database",
			withoutURL.ReplaceAllString(parse.Error(), ""))
	}
	return errors.New("the database URL is not understood; it looks like postgres://user:password@host:5432/database")
}

// cannot parse `postgres://user:xxxxx@host:port/db`: failed to parse as URL (parse "…": invalid port …)
var withoutURL = regexp.MustCompile("(?s)cannot parse `.*`: |parse \".*\": |\\(parse .*?://.*?@")

// explain adds to an error what was being done, and, where an operator can help,
// the sentence that says how. doing may be empty.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if doing != "" {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	if way := wayOut(err); way != "" {
		return &operatorError{text: way, err: err}
	}
	return err
}

// An operatorError says what to do; its chain says what happened.
type operatorError struct {
	text string
	err  error
}

func (e *operatorError) Error() string { return e.text }
func (e *operatorError) Unwrap() error { return e.err }

// wayOut returns the sentence for an error that an operator can mend, or "".
func wayOut(err error) string {
	var said *operatorError
	if errors.As(err, &said) {
		return ""
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return wayOutOf(pg)
	}
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return ""
	}
	cfg := connect.Config
	at := net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port))
	if cfg.Host != "" && cfg.Host[0] == '/' {
		at = cfg.Host
	}
	var dns *net.DNSError
	var netErr net.Error
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("there is no host %s to find the database on; check DATABASE_URL", cfg.Host)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return fmt.Sprintf("no database server answers at %s; start it, or check DATABASE_URL", at)
	case errors.Is(err, os.ErrPermission):
		return fmt.Sprintf("the database's socket at %s may not be used by this user", at)
	case errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("the database server at %s does not answer in time; check the network, or DATABASE_URL", at)
	}
	return ""
}

func wayOutOf(pg *pgconn.PgError) string {
	switch pg.Code {
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return "the database refuses the login (" + pg.Message + "); check user and password in DATABASE_URL"
	case "3D000": // invalid_catalog_name
		return "the database server has no such database (" + pg.Message + "); create it, or check DATABASE_URL"
	case "53300": // too_many_connections
		return "the database server has no connection left (" + pg.Message + "); raise max_connections there, or stop other programs"
	case "53100": // disk_full
		return "the database's disk is full (" + pg.Message + "); make room there and run vmdrift again, which goes on where it was"
	case "42501": // insufficient_privilege
		return "the database user may not do this (" + pg.Message + "); make it the owner of its database"
	case "25006": // read_only_sql_transaction
		return "the database is read-only, a standby perhaps; set DATABASE_URL to the primary"
	case "42P01": // undefined_table
		return "the database has no or an older schema (" + pg.Message + "); run vmdrift migrate"
	case "57P03": // cannot_connect_now
		return "the database server is not ready (" + pg.Message + "); try again in a moment"
	}
	return ""
}

// Temporary reports whether an error came of a server that was away, or restarting, or full, so that the same may succeed later.
func Temporary(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "08", "40", "53", "55", "57", "58": // connection, rollback, resources, locks, intervention, system
			return true
		}
		return false
	}
	var net net.Error
	return errors.As(err, &net) || pgconn.Timeout(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) ||
		strings.Contains(err.Error(), "conn closed")
}
