package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
	"go.yaml.in/yaml/v4"
)

// A reader walks the nodes of a YAML file and collects what is wrong with them.
type reader struct {
	file  string
	roots []*yaml.Node // of the documents
	errs  []placed
	more  int // errors beyond maxFaults
}

// A placed error is a sentence about a place in the file. Line 0 is the file as a whole.
type placed struct {
	line, column int
	text         string
}

// err returns all errors in the order of the file.
func (d *reader) err() error {
	slices.SortStableFunc(d.errs, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, e := range d.errs {
		at := ""
		if e.line > 0 {
			at = fmt.Sprintf(":%d:%d", e.line, e.column)
		}
		errs = append(errs, fmt.Errorf("%s%s: %s", d.file, at, e.text))
	}
	if d.more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %d errors more", d.file, d.more))
	}
	return errors.Join(errs...)
}

// faults returns how many errors there are so far.
func (d *reader) faults() int { return len(d.errs) + d.more }

// fail records an error at the place of n.
func (d *reader) fail(n *yaml.Node, format string, args ...any) {
	d.failAt(n.Line, n.Column, fmt.Sprintf(format, args...))
}

func (d *reader) failAt(line, column int, text string) {
	if len(d.errs) >= maxFaults {
		d.more++
		return
	}
	d.errs = append(d.errs, placed{line, column, text})
}

// syntax records why the file could not be read on.
func (d *reader) syntax(err error) {
	var e *yaml.LoadError
	if errors.As(err, &e) {
		d.failAt(e.Mark.Line, e.Mark.Column, inventory.Escape(strings.TrimSpace(e.Message))+
			": this is no YAML; look here, and on the lines before, for a bracket or a quote that is left open, a tab, or a wrong indentation")
		return
	}
	d.failAt(0, 0, inventory.Escape(fmt.Sprintf("%.400s", err)))
}

// plain reports whether n is free of what the form does not have.
func (d *reader) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.fail(n, "aliases (*name) are not allowed: write it out")
	case n.Anchor != "":
		d.fail(n, "anchors (&name) are not allowed")
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, "tags (!name) are not allowed: every value is a text")
	default:
		return true
	}
	return false
}

// pairs calls f for the pairs of a mapping, in the order of the file. A key given twice is
// an error, and f sees it once.
func (d *reader) pairs(n *yaml.Node, what string, f func(key string, k, v *yaml.Node)) {
	if !d.plain(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want a mapping (key: value) for %s, found %s", what, kind(n))
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.fail(k, "want a text as key, found %s", kind(k))
			continue
		}
		if !d.plain(k) {
			continue
		}
		if line, twice := seen[k.Value]; twice {
			d.fail(k, "%.80q is here twice, first in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		f(k.Value, k, v)
	}
}

// mapping returns the values of a mapping with known keys. It is nil if n is none.
func (d *reader) mapping(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		d.pairs(n, what, nil)
		return nil
	}
	m := map[string]*yaml.Node{}
	d.pairs(n, what, func(key string, k, v *yaml.Node) {
		if !slices.Contains(known, key) {
			d.fail(k, "%v", oneOf("key of "+what, key, known))
			return
		}
		m[key] = v
	})
	return m
}

// want returns a value that must be there, or nil.
func (d *reader) want(parent *yaml.Node, m map[string]*yaml.Node, key string) *yaml.Node {
	if m != nil && m[key] == nil {
		d.fail(parent, "%s is missing", key)
	}
	return m[key]
}

// text returns a scalar as it stands in the file, whatever YAML makes of it.
func (d *reader) text(n *yaml.Node) string {
	switch {
	case !d.plain(n):
		return ""
	case n.Kind != yaml.ScalarNode:
		d.fail(n, "want a text, found %s", kind(n))
		return ""
	case n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
		d.fail(n, "want a text, found nothing: an empty one is written \"\"")
	}
	return n.Value
}

// checked returns a text that check accepts.
func (d *reader) checked(n *yaml.Node, check func(string) error) string {
	before := d.faults()
	text := d.text(n)
	if d.faults() > before {
		return ""
	}
	if err := check(text); err != nil {
		d.fail(n, "%v", err)
	}
	return text
}

// texts returns a sequence of texts.
func (d *reader) texts(n *yaml.Node) (out []string) {
	d.sequence(n, func(one *yaml.Node) { out = append(out, d.text(one)) })
	return out
}

func (d *reader) sequence(n *yaml.Node, f func(*yaml.Node)) {
	if !d.plain(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "want a list ([a, b]), found %s", kind(n))
		return
	}
	for _, one := range n.Content {
		f(one)
	}
}

// flag returns a truth value, in the two words that need no explanation.
func (d *reader) flag(n *yaml.Node) bool {
	text := d.text(n)
	if text != "true" && text != "false" {
		d.fail(n, "want true or false, found %.40q", text)
	}
	return text == "true"
}

// canonical checks the text of a key or value of an item.
func (d *reader) canonical(n *yaml.Node, text string) {
	if len(text) > inventory.MaxValue {
		d.fail(n, "longer than %d bytes", inventory.MaxValue)
	} else if !inventory.IsCanonical(text) {
		d.fail(n, "%.80q is not canonical text: %s", text, canonicalHint(text))
	}
}

// canonicalHint says how to write a text that is not canonical.
func canonicalHint(text string) string {
	if len(text) > 200 {
		return "control characters and backslashes are escaped with a backslash"
	}
	return "write '" + strings.ReplaceAll(inventory.Escape(text), "'", "''") + "'"
}

func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Value == "":
		return "nothing"
	}
	return fmt.Sprintf("the text %.40q", n.Value)
}
