package drift

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Query asks which machines have an item: a facet and conditions that the item meets, all of them.
//
//	packages name=openssl version<3.0.11
//	ports port=2375 address!=127.0.0.1
//	users uid=0 name!=root
//	services name=*.timer enabled=enabled
//
// A condition is a field of the facet, or a part of the key (see keyParts), an
// operator (= != < <= > >=) and a value; = and != take the globs * and ?. Of a value that
// is a list, any element may meet the condition; != wants that none does. Package
// versions are ordered as their packaging system orders them.
type Query struct {
	Facet inventory.Facet
	conds []condition
}

type condition struct {
	name, op, value string
	glob            baseline.Glob // for = and !=
}

// keyParts are the parts of a facet's key that a query can name.
var keyParts = map[inventory.Facet][]string{
	inventory.OS:       {"key", "name"},
	inventory.Packages: {"key", "manager", "name", "arch"},
	inventory.Ports:    {"key", "protocol", "address", "port"},
	inventory.Users:    {"key", "name"},
	inventory.Groups:   {"key", "name"},
	inventory.Services: {"key", "name"},
}

// partsOf returns the parts of a facet's key that a query can name; of a platform's facets, the key.
func partsOf(f inventory.Facet) []string {
	if parts := keyParts[f]; parts != nil {
		return parts
	}
	return []string{"key"}
}

// ParseQuery reads a query. Its errors say what could have stood there.
func ParseQuery(s string) (Query, error) {
	words, err := splitWords(s)
	if err != nil {
		return Query{}, err
	}
	if len(words) == 0 {
		return Query{}, fmt.Errorf("the query is empty; try: packages name=openssl version<3.0.11")
	}
	q := Query{Facet: facetNamed(words[0])}
	if q.Facet == "" {
		return Query{}, fmt.Errorf("%q is no facet; a query begins with one of %s", words[0], joinFacets())
	}
	for _, w := range words[1:] {
		i := strings.IndexAny(w, "=!<>")
		if i <= 0 {
			return Query{}, fmt.Errorf("%q is no condition; write NAME=VALUE, or != < <= > >= for the =", w)
		}
		c := condition{name: w[:i]}
		for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
			if strings.HasPrefix(w[i:], op) {
				c.op, c.value = op, inventory.Escape(w[i+len(op):])
				break
			}
		}
		if c.op == "" {
			return Query{}, fmt.Errorf("%q is no condition; the operators are = != < <= > >=", w)
		}
		if c.glob, err = baseline.CompileGlob(c.value); err != nil {
			return Query{}, fmt.Errorf("%q: %w", w, err)
		}
		names := append(slices.Clone(partsOf(q.Facet)), q.Facet.Fields()...)
		if !slices.Contains(names, c.name) {
			return Query{}, fmt.Errorf("%s have no %q; there is %s", q.Facet, c.name, strings.Join(names, ", "))
		}
		q.conds = append(q.conds, c)
	}
	return q, nil
}

// Find answers a query, now (zero at) or as it was at that time.
func (s *Service) Find(ctx context.Context, q Query, at time.Time) ([]Hit, error) {
	return s.store.FindItems(ctx, q.Facet, q.prefixes(), q.Match, at)
}

// Match reports whether the item meets every condition.
func (q Query) Match(it inventory.Item) bool {
	for _, c := range q.conds {
		value, known := q.value(it, c.name)
		if !known || !c.holds(it.Key(), value) {
			return false
		}
	}
	return true
}

// prefixes returns what the keys of matching items begin with, where the query tells; nil if it does not.
func (q Query) prefixes() []string {
	for _, c := range q.conds {
		if c.op != "=" || strings.ContainsAny(c.value, "*?") {
			continue
		}
		switch {
		case c.name == "key":
			return []string{c.value}
		case c.name == "name" && q.Facet == inventory.Packages:
			var ps []string
			for _, manager := range []string{"apk", "deb", "pacman", "rpm"} {
				ps = append(ps, manager+"/"+c.value+":")
			}
			return ps
		case c.name == "name" && q.Facet != inventory.Services:
			return []string{c.value}
		}
	}
	return nil
}

func (q Query) value(it inventory.Item, name string) (string, bool) {
	if !slices.Contains(partsOf(q.Facet), name) {
		return it.Field(name)
	}
	key := it.Key()
	switch {
	case name == "key" || keyParts[q.Facet] == nil || q.Facet == inventory.OS || q.Facet == inventory.Users || q.Facet == inventory.Groups:
		return key, true
	case q.Facet == inventory.Services: // ssh.service; openrc/sshd
		if _, after, ok := strings.Cut(key, "/"); ok {
			return after, true
		}
		return key, true
	}
	kind, rest, _ := strings.Cut(key, "/")
	colon := strings.LastIndexByte(rest, ':')
	if colon < 0 {
		return rest, name == "name"
	}
	switch name {
	case "manager", "protocol":
		return kind, true
	case "name", "address":
		return rest[:colon], true
	}
	return rest[colon+1:], true // arch, port
}

func (c condition) holds(key, value string) bool {
	parts := []string{value}
	if strings.Contains(value, ",") {
		parts = append(parts, strings.Split(value, ",")...)
	}
	any := func(ok func(string) bool) bool { return slices.ContainsFunc(parts, ok) }
	switch c.op {
	case "=":
		return any(c.glob.Match)
	case "!=":
		return !any(c.glob.Match)
	}
	if len(parts) > 1 {
		parts = parts[1:]
	}
	return any(func(v string) bool {
		n := c.order(key, v)
		switch c.op {
		case "<":
			return n < 0
		case "<=":
			return n <= 0
		case ">":
			return n > 0
		}
		return n >= 0
	})
}

// order compares a value with the condition's: numbers as numbers, versions by their
// packaging system's order.
func (c condition) order(key, v string) int {
	a, errA := strconv.ParseUint(v, 10, 64)
	b, errB := strconv.ParseUint(c.value, 10, 64)
	if errA == nil && errB == nil {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return baseline.CompareVersions(key, v, c.value)
}

func facetNamed(word string) inventory.Facet {
	for _, f := range inventory.Facets() {
		if word == string(f) || word+"s" == string(f) {
			return f
		}
	}
	return ""
}

func joinFacets() string {
	var names []string
	for _, f := range inventory.Facets() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// splitWords splits at spaces; a double-quoted part may hold spaces.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range s {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a double quote is not closed in %q", s)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
