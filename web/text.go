package web

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/vmdrift/vmdrift/inventory"
)

// visible returns text as it may be shown: what hides, moves a cursor or turns text around is
// escaped. Text that is canonical already, as all items are, stays as it is.
func visible(s string) string {
	if inventory.IsCanonical(s) {
		return s
	}
	return inventory.Escape(s)
}

// typed reads text that somebody looks for: as it is shown, so that it can be copied from a page.
func typed(s string) string { return visible(strings.TrimSpace(s)) }

// cut shortens text to that many characters.
func cut(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// A text is what is shown of a text that may be long.
type text struct {
	Head string // what is always there
	Rest string // what comes after it, for those who open it
	More int    // characters that are not on the page at all
}

// String returns the text as far as it is on the page.
func (t text) String() string { return t.Head + t.Rest }

// Budgets of one page, in bytes. A page of the hugest values that a machine can have is still a page.
const (
	headBudget = 60 << 10
	restBudget = 24 << 10
	headLeast  = 16 // characters that are shown of each text, however many there are
	restMost   = 4000
)

// A clipper cuts the texts of one page: each to a length, and all together to a budget.
type clipper struct{ heads, rests int }

func newClipper() *clipper { return &clipper{headBudget, restBudget} }

// text shows most characters, and the rest for those who open it.
func (c *clipper) text(s string, most int) text {
	s = visible(s)
	if c.heads <= 0 {
		most = min(most, headLeast)
	}
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		c.heads -= len(s)
		return text{Head: s}
	}
	r := []rune(s)
	t := text{Head: string(r[:most])}
	c.heads -= len(t.Head)
	n := min(len(r)-most, restMost, max(c.rests/utf8.UTFMax, 0))
	t.Rest, t.More = string(r[most:most+n]), len(r)-most-n
	c.rests -= len(t.Rest)
	return t
}

// line shows most characters, for a list whose entries lead to the whole.
func (c *clipper) line(s string, most int) string {
	s = visible(s)
	if c.heads <= 0 {
		most = min(most, headLeast)
	}
	s = cut(s, most)
	c.heads -= len(s)
	return s
}

// value is line for a field's value: the empty one is visible.
func (c *clipper) value(s string, most int) string {
	if s == "" {
		return "(none)"
	}
	return c.line(s, most)
}

// count writes "1 machine", "2 machines", "12,000 machines".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// number writes thousands apart.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// contains reports whether any of the texts contains part, whatever their case. part is in lower case.
func contains(part string, texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), part) {
			return true
		}
	}
	return false
}

// link returns the address of a page about something with a name, which may hold anything.
func link(prefix, name string, more ...string) string {
	if name == "" || name == "." || name == ".." {
		return prefix // browsers take these for folders
	}
	return prefix + "/" + url.PathEscape(name) + strings.Join(more, "")
}

// query returns "?a=b&c=d" of pairs, without those whose value is empty.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// shell quotes a word for a shell.
func shell(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,") == "" && s[0] != '-' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
