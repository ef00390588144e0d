package baseline

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestAGlobMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "tcp/[::]:22", true},
		{"tcp/*", "tcp/0.0.0.0:22", true},
		{"tcp/*", "udp/0.0.0.0:22", false},
		{"*/openssl*", "deb/openssl:amd64", true},
		{"*:22", "tcp/0.0.0.0:22", true},
		{"*:22", "tcp/0.0.0.0:2222", false},
		{"*:22", "tcp/0.0.0.0:222", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "acb", false},
		{"???/127.*", "tcp/127.0.0.1:1", true},
		{"???/127.*", "tcp4/127.0.0.1:1", false},
		{"?", "é", true},
		{"?", "", false},
		{"*?*", "", false},
		{"*?*", "x", true},
		{"a?c*", "abcd", true},
		{"*a?c", "xxabc", true},
		{"*a?", "a", false},
		{`tcp/\*:80`, "tcp/*:80", true},
		{`tcp/\*:80`, "tcp/x:80", false},
		{`\?`, "x", false},
		{`a\\*`, `a\\b`, true},
		{`a\x1b*`, `a\x1b[0m`, true},
	} {
		g, err := compileGlob(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := g.match(c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}

func TestAGlobThatNoCanonicalTextCanMatchIsRefused(t *testing.T) {
	for _, p := range []string{"a\nb", `a\`, `a\b`, "a\x1bb", "a\u202eb", strings.Repeat("a", maxGlob+1)} {
		if _, err := compileGlob(p); err == nil {
			t.Errorf("%.20q is accepted", p)
		}
	}
}

// matchPlainly is the definition: try everything.
func matchPlainly(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return matchPlainly(p[1:], s) || s != "" && matchPlainly(p, s[1:])
	case s == "":
		return false
	case p[0] == '?':
		_, n := utf8.DecodeRuneInString(s)
		return matchPlainly(p[1:], s[n:])
	}
	return p[0] == s[0] && matchPlainly(p[1:], s[1:])
}

func TestAGlobMatchesWhatItsDefinitionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?é")), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abé")), 0, 10, -1).Draw(t, "text")
		g, err := compileGlob(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := g.match(s), matchPlainly(p, s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
		}
		if want := strings.HasPrefix(s, g.prefix()); !want && g.match(s) {
			t.Fatalf("%q matches %q, which does not begin with %q", p, s, g.prefix())
		}
	})
}

func TestAnEscapedKeyMatchesItselfOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 6, -1)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		g, err := compileGlob(escapeGlob(a))
		if err != nil {
			t.Fatal(err)
		}
		if g.match(b) != (a == b) {
			t.Fatalf("%q escaped matches %q: %v", a, b, a != b)
		}
	})
}

func TestAGlobOfManyStarsIsQuickOnAHostileValue(t *testing.T) {
	g, err := compileGlob(strings.Repeat("*a?", 300) + "*b")
	if err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("a", 64<<10)
	start := time.Now()
	if g.match(value) {
		t.Error("there is no b")
	}
	if d := time.Since(start); d > time.Second { // trying everything would take ages; this takes microseconds
		t.Errorf("took %v", d)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("*a?*\\*", "xa\xff*")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		g, err := compileGlob(pattern)
		if err == nil && g.match(text) && !strings.HasPrefix(text, g.prefix()) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, text, g.prefix())
		}
	})
}
