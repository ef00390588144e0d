package baseline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// An Op is what happened to an item, seen from the baseline.
type Op string

const (
	Added   Op = "added"   // on the machine, not in the baseline
	Removed Op = "removed" // in the baseline, not on the machine
	Changed Op = "changed" // in both, with other fields
)

// A FieldChange is one field of a change. Nil stands for "no such item": an
// added item wants nothing, a removed one has nothing. Values are canonical text.
//
// Where a rule says which values are right (at_least, one_of, …), Want is the
// rule in words: ">= 3.0.11".
type FieldChange struct {
	Name string
	Want *string
	Have *string
}

// A Change is one difference between a machine and its baseline.
type Change struct {
	Facet    inventory.Facet
	Key      string
	Op       Op
	Fields   []FieldChange // sorted by name; of a changed item, only those that differ
	Severity Severity
}

// A Severity orders changes by how much they matter.
type Severity int8

const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

// WantOr returns the value wanted, or none where there is no such item.
func (f FieldChange) WantOr(none string) string { return textOr(f.Want, none) }

// HaveOr returns the value had, or none where there is no such item.
func (f FieldChange) HaveOr(none string) string { return textOr(f.Have, none) }

// String returns the field for a human: "shell: /bin/sh → /bin/zsh", or with one
// value where there is only one.
func (f FieldChange) String() string {
	switch {
	case f.Want == nil:
		return f.Name + ": " + f.HaveOr("")
	case f.Have == nil:
		return f.Name + ": " + *f.Want
	}
	return f.Name + ": " + *f.Want + " → " + *f.Have
}

// Field returns the named field of c.
func (c Change) Field(name string) (FieldChange, bool) {
	for _, f := range c.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return FieldChange{}, false
}

// String returns the change in one line, for a human. It is canonical text.
func (c Change) String() string {
	var b strings.Builder
	b.WriteString(string(c.Facet) + " " + c.Key + " " + string(c.Op))
	for i, f := range c.Fields {
		b.WriteString([]string{" (", ", "}[min(i, 1)] + f.String())
	}
	if len(c.Fields) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Digest returns the identity of c: facet, key, op and the fields with what is
// wanted and had. The severity is no part of it, so that a rule which judges
// anew makes no new finding.
func (c Change) Digest() inventory.Digest {
	e := newEncoder("vmdrift.change/v1")
	e.text(string(c.Facet))
	e.text(c.Key)
	e.text(string(c.Op))
	e.count(len(c.Fields))
	for _, f := range c.Fields {
		e.text(f.Name)
		e.optional(f.Want)
		e.optional(f.Have)
	}
	return e.digest()
}

// ID is the short name of a change, ten hexadecimal digits: the same on every machine, and wherever it is shown.
func (c Change) ID() string { return c.Digest().String()[:10] }

// Notable reports whether a field of an added or removed item is worth its place on a line: the usual values are not.
func (c Change) Notable(name, value string) bool {
	switch {
	case value == "", value == "no":
		return false
	case c.Facet == inventory.Packages:
		return name == "version" || name == "state" && value != "installed" || name == "hold"
	case c.Facet == inventory.Ports:
		return name == "process" || name == "user"
	case c.Facet == inventory.Users:
		return name != "gid" && name != "home"
	case c.Facet == inventory.Services:
		return name != "sub" || value == "failed"
	}
	return true
}

// Compatible reports whether c and d can be the same drift, seen with more or
// fewer fields known: facet, key and op are equal, and so is every field that both
// have. A finding is not closed, and no other opened, because a field
// became unknown or known.
//
// Two changed items must have a field in common: "the shell differs" and "the uid
// differs" are not the same drift of one user.
func (c Change) Compatible(d Change) bool {
	if c.Facet != d.Facet || c.Key != d.Key || c.Op != d.Op {
		return false
	}
	common := 0
	for _, f := range c.Fields {
		g, ok := d.Field(f.Name)
		if !ok {
			continue
		}
		if compareText(f.Want, g.Want) != 0 || compareText(f.Have, g.Have) != 0 {
			return false
		}
		common++
	}
	return c.Op != Changed || common > 0
}

// Compare orders changes: by facet, key, op, fields and at last severity. Equal
// changes, and only they, compare as 0.
func (c Change) Compare(d Change) int {
	return cmp.Or(
		cmp.Compare(c.Facet, d.Facet),
		cmp.Compare(c.Key, d.Key),
		cmp.Compare(c.Op, d.Op),
		slices.CompareFunc(c.Fields, d.Fields, func(f, g FieldChange) int {
			return cmp.Or(cmp.Compare(f.Name, g.Name), compareText(f.Want, g.Want), compareText(f.Have, g.Have))
		}),
		cmp.Compare(c.Severity, d.Severity),
	)
}

func textOr(s *string, none string) string {
	if s == nil {
		return none
	}
	return *s
}

// compareText orders nil before every text, the empty one too.
func compareText(a, b *string) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}
