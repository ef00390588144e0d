package store

import (
	"strings"
	"testing"
)

func TestAServerThatIsTooOldOrHasAnotherEncodingIsRefused(t *testing.T) {
	for _, c := range []struct {
		version  string
		number   int
		encoding string
		want     string // a part of the error, which says the way out; empty for none
	}{
		{"14.0", 140000, "UTF8", ""},
		{"18.1", 180001, "utf8", ""},
		{"13.22 (Debian 13.22-0+deb11u1)", 130022, "UTF8", "needs 14 or later; upgrade it, or set DATABASE_URL to another"},
		{"9.6.24", 90624, "UTF8", "the database server is PostgreSQL 9.6.24"},
		{"15.14", 150014, "SQL_ASCII", "ENCODING 'UTF8' TEMPLATE template0"},
	} {
		err := checkServer(c.version, c.number, c.encoding)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v", c.version, c.encoding, err)
		}
	}
}
