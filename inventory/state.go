package inventory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
)

// Limits on one state. A facet that exceeds them fails; it is never cut short,
// for a cut state would look like removals.
const (
	MaxItems    = 200_000  // items of one facet
	MaxTextSize = 64 << 20 // bytes of one state's canonical text
	MaxValue    = 64 << 10 // bytes of one key or one field's value, escaped
)

// ErrTooLarge is returned for a state that exceeds MaxItems, MaxTextSize or MaxValue.
var ErrTooLarge = errors.New("state too large")

// A Field is one named fact of an item. Both are canonical text (see Escape).
type Field struct {
	Name, Value string
}

// An Item is one entry of a facet: a key and its fields, a view of the
// canonical text of the State that it belongs to.
type Item struct {
	key    string
	fields string // "name=value\tname=value", sorted by name
}

// NewItem returns the item with that key and those fields, in any order.
// Key and values are canonical text; names are lower-case ASCII words.
func NewItem(key string, fields ...Field) (Item, error) {
	if key == "" || !IsCanonical(key) || len(key) > MaxValue {
		return Item{}, fmt.Errorf("item key %.80q is empty, too long or not canonical", key)
	}
	sorted := slices.Clone(fields)
	slices.SortFunc(sorted, func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	var text strings.Builder
	for i, f := range sorted {
		switch {
		case !validName(f.Name):
			return Item{}, fmt.Errorf("item %s: %q is not a field name", key, f.Name)
		case i > 0 && sorted[i-1].Name == f.Name:
			return Item{}, fmt.Errorf("item %s: field %s is given twice", key, f.Name)
		case !IsCanonical(f.Value) || len(f.Value) > MaxValue:
			return Item{}, fmt.Errorf("item %s: the value of %s is too long or not canonical: %.80q", key, f.Name, f.Value)
		}
		if i > 0 {
			text.WriteByte('\t')
		}
		text.WriteString(f.Name + "=" + f.Value)
	}
	return Item{key: key, fields: text.String()}, nil
}

// Key returns the item's key, unique in its state.
func (it Item) Key() string { return it.key }

// Encoded returns the item's fields in canonical form, without the key: two
// items have the same fields if and only if these are equal.
func (it Item) Encoded() string { return it.fields }

// Size returns the length of the item's line in the canonical text, in bytes, its end included.
func (it *Item) Size() int {
	n := len(it.key) + len("\n")
	if it.fields != "" {
		n += len("\t") + len(it.fields)
	}
	return n
}

// Line returns the item's canonical line, without the newline.
func (it Item) Line() string {
	if it.fields == "" {
		return it.key
	}
	return it.key + "\t" + it.fields
}

// ParseLine is the inverse of Item.Line.
func ParseLine(line string) (Item, error) {
	key, fields, tab := strings.Cut(line, "\t")
	if tab && fields == "" { // it would be written without the tab: one state, two texts
		return Item{}, fmt.Errorf("item %.80q ends in a tab", line)
	}
	it := Item{key: key, fields: fields}
	if err := it.validate(); err != nil {
		return Item{}, err
	}
	return it, nil
}

// Fields yields the item's fields, sorted by name.
func (it Item) Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for rest := it.fields; rest != ""; {
			var one string
			one, rest, _ = strings.Cut(rest, "\t")
			name, value, _ := strings.Cut(one, "=")
			if !yield(Field{name, value}) {
				return
			}
		}
	}
}

// Field returns the value of the named field, and whether it is known.
func (it Item) Field(name string) (string, bool) {
	for f := range it.Fields() {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

func (it Item) validate() error {
	if it.key == "" || !IsCanonical(it.key) || len(it.key) > MaxValue {
		return fmt.Errorf("item key %.80q is empty, too long or not canonical", it.key)
	}
	if it.fields == "" {
		return nil
	}
	last := ""
	for one := range strings.SplitSeq(it.fields, "\t") {
		name, value, ok := strings.Cut(one, "=")
		if !ok || !validName(name) || name <= last || !IsCanonical(value) || len(value) > MaxValue {
			return fmt.Errorf("item %s: field %.80q is not canonical", it.key, one)
		}
		last = name
	}
	return nil
}

func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// A Digest is the SHA-256 of a state: its identity, the same on every machine and in every run.
type Digest [sha256.Size]byte

// String returns the digest in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return fmt.Errorf("digest %.80q is not %d hexadecimal digits", text, 2*len(d))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// A State is the immutable state of one facet: items sorted bytewise by key,
// keys unique. The nil State is not valid; an empty one is (see NewState).
type State struct {
	facet  Facet
	text   string
	items  []Item
	digest Digest
}

// Facet returns the facet that the state is of.
func (s *State) Facet() Facet { return s.facet }

// Text returns the canonical text: a line per item, sorted, each ended by a newline.
func (s *State) Text() string { return s.text }

// Items returns the items, sorted bytewise by key. The slice must not be changed.
func (s *State) Items() []Item { return s.items }

// Len returns the number of items.
func (s *State) Len() int { return len(s.items) }

// Digest returns the state's identity: SHA-256 over facet, canonical version and text.
func (s *State) Digest() Digest { return s.digest }

// Get returns the item with that key.
func (s *State) Get(key string) (Item, bool) {
	i := sort.Search(len(s.items), func(i int) bool { return s.items[i].key >= key })
	if i < len(s.items) && s.items[i].key == key {
		return s.items[i], true
	}
	return Item{}, false
}

// NewState returns the state with those items, in any order. Two items with one key are an error.
func NewState(f Facet, items ...Item) (*State, error) {
	b := NewBuilder(f)
	for _, it := range items {
		b.Add(it)
	}
	s, err := b.State()
	if err != nil {
		return nil, err
	}
	if s.Len() != len(items) || b.renamed {
		return nil, fmt.Errorf("%s: two items have the same key", f)
	}
	return s, nil
}

// ParseState is the inverse of State.Text. It refuses text that is not canonical.
func ParseState(f Facet, text string) (*State, error) {
	if len(text) > MaxTextSize {
		return nil, fmt.Errorf("%s: %d bytes: %w", f, len(text), ErrTooLarge)
	}
	if text != "" && text[len(text)-1] != '\n' {
		return nil, fmt.Errorf("%s: the last line has no end", f)
	}
	items := make([]Item, 0, strings.Count(text, "\n"))
	if cap(items) > MaxItems {
		return nil, fmt.Errorf("%s: %d items: %w", f, cap(items), ErrTooLarge)
	}
	for rest := text; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		it, err := ParseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if n := len(items); n > 0 && items[n-1].key >= it.key {
			return nil, fmt.Errorf("%s: item %s is out of order", f, it.key)
		}
		items = append(items, it)
	}
	return newState(f, text, items), nil
}

func newState(f Facet, text string, items []Item) *State {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00", f, CanonicalVersion)
	h.Write([]byte(text))
	s := &State{facet: f, text: text, items: items}
	h.Sum(s.digest[:0])
	return s
}
