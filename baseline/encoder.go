package baseline

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"

	"github.com/vmdrift/vmdrift/inventory"
)

// An encoder hashes values so that no two sequences of them share an encoding:
// every text goes with its length, every list with its count, and what is
// missing is marked as such.
type encoder struct{ h hash.Hash }

// newEncoder begins with the name and version of what is encoded, so that a new
// form is never mistaken for new content.
func newEncoder(form string) encoder {
	e := encoder{sha256.New()}
	e.text(form)
	return e
}

func (e encoder) count(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	e.h.Write(b[:])
}

func (e encoder) text(s string) {
	e.count(len(s))
	_, _ = io.WriteString(e.h, s) // a hash never fails
}

func (e encoder) optional(s *string) {
	if s == nil {
		e.count(0)
		return
	}
	e.count(1)
	e.text(*s)
}

func (e encoder) digest() (d inventory.Digest) {
	e.h.Sum(d[:0])
	return d
}
