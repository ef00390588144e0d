package inventory

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unsafe"
)

// A Builder makes a State from items in any order, for parsers: it escapes what
// it is given, sorts, drops exact duplicates, and tells apart items that share a
// key by a suffix (key, key#2, key#3 in the order of their fields, as with two
// users of one name). It allocates a few times per state, not per item.
//
//	b := inventory.NewBuilder(inventory.Ports)
//	b.Key("tcp/", addr, ":", port)
//	b.Field("process", comm)
//	s, err := b.State()
type Builder struct {
	facet   Facet
	buf     []byte
	spans   []span
	last    string // the last field name of the item being written
	err     error
	renamed bool
}

// A span is the place of one item in buf: its key and, after a tab, its fields.
type span struct{ start, keyEnd, end int }

// NewBuilder returns an empty builder for a state of f.
func NewBuilder(f Facet) *Builder { return &Builder{facet: f} }

// Grow makes room for about that many items and bytes.
func (b *Builder) Grow(items, bytes int) {
	b.spans = slices.Grow(b.spans, items)
	b.buf = slices.Grow(b.buf, bytes)
}

// Key begins an item. The parts are escaped and joined.
func (b *Builder) Key(parts ...string) {
	b.begin()
	for _, p := range parts {
		b.buf = appendEscaped(b.buf, p)
	}
	b.endKey()
}

// KeyBytes begins an item: prefix, a, sep and c, escaped and joined.
func (b *Builder) KeyBytes(prefix string, a []byte, sep string, c []byte) {
	b.begin()
	b.buf = append(b.buf, prefix...)
	b.buf = appendEscaped(b.buf, lent(a))
	b.buf = append(b.buf, sep...)
	b.buf = appendEscaped(b.buf, lent(c))
	b.endKey()
}

// Field adds a field to the item begun last. Names must come in ascending order;
// another order is a mistake of the calling parser, not of the machine, and panics.
func (b *Builder) Field(name, value string) {
	start := b.name(name)
	b.buf = appendEscaped(b.buf, value)
	b.endField(start)
}

// FieldBytes is Field for bytes. It keeps no reference to value.
func (b *Builder) FieldBytes(name string, value []byte) {
	start := b.name(name)
	b.buf = appendEscaped(b.buf, lent(value))
	b.endField(start)
}

// lent is b as a string without a copy, for a callee that keeps nothing of it.
func lent(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Add adds a whole item.
func (b *Builder) Add(it Item) {
	b.begin()
	b.buf = append(b.buf, it.key...)
	b.endKey()
	if it.fields != "" {
		b.buf = append(append(b.buf, '\t'), it.fields...)
		b.spans[len(b.spans)-1].end = len(b.buf)
	}
}

// Len returns the number of items begun.
func (b *Builder) Len() int { return len(b.spans) }

func (b *Builder) begin() {
	b.spans = append(b.spans, span{start: len(b.buf)})
	b.last = ""
	if len(b.spans) > MaxItems && b.err == nil {
		b.err = fmt.Errorf("%s: more than %d items: %w", b.facet, MaxItems, ErrTooLarge)
	}
	if b.err != nil { // keep memory bounded: overwrite the one place
		b.spans = b.spans[:1]
		b.buf = b.buf[:0]
		b.spans[0] = span{}
	}
}

func (b *Builder) endKey() {
	s := &b.spans[len(b.spans)-1]
	s.keyEnd, s.end = len(b.buf), len(b.buf)
	b.limit(s.keyEnd-s.start, "key")
	if s.keyEnd == s.start && b.err == nil {
		b.err = fmt.Errorf("%s: an item has no key", b.facet)
	}
}

func (b *Builder) name(name string) int {
	if name <= b.last {
		panic("inventory: field " + name + " of " + string(b.facet) + " comes after " + b.last)
	}
	b.last = name
	b.buf = append(append(append(b.buf, '\t'), name...), '=')
	return len(b.buf)
}

func (b *Builder) endField(start int) {
	b.spans[len(b.spans)-1].end = len(b.buf)
	b.limit(len(b.buf)-start, b.last)
}

func (b *Builder) limit(n int, what string) {
	if b.err != nil {
		return
	}
	if n > MaxValue {
		b.err = fmt.Errorf("%s: a %s of %d bytes: %w", b.facet, what, n, ErrTooLarge)
	} else if len(b.buf) > MaxTextSize {
		b.err = fmt.Errorf("%s: more than %d bytes: %w", b.facet, MaxTextSize, ErrTooLarge)
	}
}

func (b *Builder) key(s span) []byte    { return b.buf[s.start:s.keyEnd] }
func (b *Builder) fields(s span) []byte { return b.buf[s.keyEnd:s.end] }

// State returns the state of the items added so far. The builder must not be used after it.
func (b *Builder) State() (*State, error) {
	if b.err != nil {
		return nil, b.err
	}
	order := func(x, y span) int {
		if c := bytes.Compare(b.key(x), b.key(y)); c != 0 {
			return c
		}
		return bytes.Compare(b.fields(x), b.fields(y))
	}
	inOrder := true
	for i := 1; i < len(b.spans) && inOrder; i++ {
		inOrder = bytes.Compare(b.key(b.spans[i-1]), b.key(b.spans[i])) < 0
	}
	if !inOrder {
		slices.SortFunc(b.spans, order)
		b.spans = slices.CompactFunc(b.spans, func(x, y span) bool { return order(x, y) == 0 })
		if b.numberTwins() {
			slices.SortFunc(b.spans, order)
		}
	}

	size := 0
	for _, s := range b.spans {
		size += s.end - s.start + 1
	}
	out := make([]byte, 0, size)
	for _, s := range b.spans {
		out = append(append(out, b.buf[s.start:s.end]...), '\n')
	}
	text := unsafe.String(unsafe.SliceData(out), len(out)) // out is not written to again
	items := make([]Item, len(b.spans))
	at := 0
	for i, s := range b.spans {
		end := at + s.end - s.start
		items[i].key = text[at : at+s.keyEnd-s.start]
		if s.end > s.keyEnd {
			items[i].fields = text[at+s.keyEnd-s.start+1 : end]
		}
		at = end + 1
	}
	return newState(b.facet, text, items), nil
}

// numberTwins gives the second and later of the items that share a key a key of
// its own, and reports whether it found any. Sorted spans only.
func (b *Builder) numberTwins() bool {
	var taken map[string]bool
	for i := 1; i < len(b.spans); i++ {
		if !bytes.Equal(b.key(b.spans[i-1]), b.key(b.spans[i])) {
			continue
		}
		if taken == nil {
			taken = make(map[string]bool, len(b.spans))
			for _, s := range b.spans {
				taken[string(b.key(s))] = true
			}
		}
		base, j := b.key(b.spans[i]), i
		for n := 2; j < len(b.spans) && bytes.Equal(base, b.key(b.spans[j])); n++ {
			key := string(base) + "#" + strconv.Itoa(n)
			if taken[key] {
				continue
			}
			taken[key] = true
			s := b.spans[j]
			start := len(b.buf)
			b.buf = append(b.buf, key...)
			b.buf = append(b.buf, b.buf[s.keyEnd:s.end]...)
			b.spans[j] = span{start, start + len(key), len(b.buf)}
			j++
		}
		i = j - 1
		b.renamed = true
	}
	return taken != nil
}
