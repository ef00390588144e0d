package baseline

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vmdrift/vmdrift/inventory"
)

// maxGlob bounds a pattern, and with it the work per character of a key.
const maxGlob = 1024

// A glob is a compiled pattern over canonical text: * is any run of characters,
// slashes included, ? is any one, \* and \? are themselves. Canonical text
// has no such escapes of its own (see inventory.Escape), so that both go together.
//
// It never backtracks over a star: the first place where the part after it fits
// is as good as any later one.
type glob struct {
	parts []globPart // what stands between stars; at least one
	all   bool       // matches everything
}

// A globPart is text between two stars: literals with one character of any kind
// between each two of them.
type globPart []string

// compileGlob compiles a pattern. The empty one matches the empty text only.
func compileGlob(pattern string) (glob, error) {
	if len(pattern) > maxGlob {
		return glob{}, fmt.Errorf("the pattern is longer than %d bytes", maxGlob)
	}
	var g glob
	part, lit := globPart{}, []byte{}
	plain := make([]byte, 0, len(pattern)) // the pattern without what is special, to hold against the canonical form
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '?'):
			i++
			lit, plain = append(lit, pattern[i]), append(plain, pattern[i])
		case c == '\\' && i+1 < len(pattern): // an escape of the canonical form: two backslashes are one character
			lit, plain = append(lit, c, pattern[i+1]), append(plain, c, pattern[i+1])
			i++
		case c == '?':
			part, lit = append(part, string(lit)), lit[:0]
			plain = append(plain, c)
		case c == '*':
			g.parts = append(g.parts, append(part, string(lit)))
			part, lit = globPart{}, lit[:0]
			plain = append(plain, c)
		default:
			lit, plain = append(lit, c), append(plain, c)
		}
	}
	g.parts = append(g.parts, append(part, string(lit)))
	if !inventory.IsCanonical(string(plain)) {
		return glob{}, errors.New("the pattern is not canonical text: a control character, or a backslash that escapes nothing")
	}
	g.all = len(g.parts) > 1
	for _, p := range g.parts {
		g.all = g.all && len(p) == 1 && p[0] == ""
	}
	return g, nil
}

// escapeGlob returns the pattern that matches s and nothing else.
func escapeGlob(s string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`).Replace(s)
}

// prefix returns what every match begins with.
func (g glob) prefix() string { return g.parts[0][0] }

func (g glob) match(s string) bool {
	if g.all {
		return true
	}
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	n := first.matchPrefix(s)
	if n < 0 {
		return false
	}
	if len(g.parts) == 1 {
		return n == len(s)
	}
	s = s[n:]
	for _, p := range g.parts[1 : len(g.parts)-1] {
		n := p.find(s)
		if n < 0 {
			return false
		}
		s = s[n:]
	}
	return last.matchSuffix(s)
}

// matchPrefix returns the length of what p matches at the beginning of s, or -1.
func (p globPart) matchPrefix(s string) int {
	at := 0
	for i, lit := range p {
		if i > 0 {
			if at == len(s) {
				return -1
			}
			_, n := utf8.DecodeRuneInString(s[at:])
			at += n
		}
		if !strings.HasPrefix(s[at:], lit) {
			return -1
		}
		at += len(lit)
	}
	return at
}

// find returns the end of the first place in s that p matches, or -1.
func (p globPart) find(s string) int {
	for at := 0; ; {
		i := strings.Index(s[at:], p[0])
		if i < 0 {
			return -1
		}
		at += i
		if n := p.matchPrefix(s[at:]); n >= 0 {
			return at + n
		}
		if at == len(s) {
			return -1
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
	}
}

// matchSuffix reports whether p matches some end of s.
func (p globPart) matchSuffix(s string) bool {
	for i := len(p) - 1; i >= 0; i-- {
		if !strings.HasSuffix(s, p[i]) {
			return false
		}
		s = s[:len(s)-len(p[i])]
		if i > 0 {
			if s == "" {
				return false
			}
			_, n := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-n]
		}
	}
	return true
}
