package inventory

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain text = 1:2.3~4^5":   "plain text = 1:2.3~4^5",
		"Ünïcode 漢字":               "Ünïcode 漢字",
		"a\tb\nc\rd\\e":            `a\tb\nc\rd\\e`,
		"\x00\x1b[2J\x7f":          `\x00\x1b[2J\x7f`,
		"\xff\xc3(":                `\xff\xc3(`,
		"\u0085\u009b":             `\u{85}\u{9b}`,
		"\u200b\u202e\ufeff\u2066": `\u{200b}\u{202e}\u{feff}\u{2066}`,
		"\U000e0041":               `\u{e0041}`,
		"\xed\xa0\x80":             `\xed\xa0\x80`, // half a surrogate pair is no character
		"\ufffd":                   "\ufffd",       // and the replacement character is one
	} {
		got := Escape(in)
		if got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
		if !IsCanonical(got) {
			t.Errorf("Escape(%q) = %q is not canonical", in, got)
		}
	}
}

func TestOnlyWhatEscapeReturnsIsCanonical(t *testing.T) {
	for _, s := range []string{
		"\n", "\x1b", "\xff", `\`, `\a`, `\x`, `\x1`, `\x41`, `\xFF`, `\x0a`, `\x09`, `\x0d`, `\x5c`, `\u{}`, `\u{41}`, `\u{202E}`,
		`\u{0202e}`, `\u{202e`, `\u{9999999}`, "\u202e", `\u{fffd}`, `\u202e`,
	} {
		if IsCanonical(s) {
			t.Errorf("%q is canonical", s)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a\tb", "\xff", "\u202e", `\x41`, `\u{202e}`, "\xed\xa0\x80", "\U0010ffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := Escape(s)
		if !IsCanonical(e) || !utf8.ValidString(e) || strings.ContainsAny(e, "\n\r\t\x00\x1b") {
			t.Fatalf("Escape(%q) = %q", s, e)
		}
		if got := string(appendEscaped(nil, lent([]byte(s)))); got != e {
			t.Fatalf("as bytes it is %q, as text %q", got, e)
		}
		if back, ok := unescape(e); !ok || back != s {
			t.Fatalf("Escape(%q) = %q stands for %q", s, e, back)
		}
		if IsCanonical(s) { // then it stands for one text, which escapes to it
			if back, ok := unescape(s); !ok || Escape(back) != s {
				t.Fatalf("%q is canonical, and stands for %q", s, back)
			}
		}
	})
}

// unescape is the inverse of Escape, for tests: that there is one shows that no two texts become one.
func unescape(s string) (string, bool) {
	var out []byte
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		n := escapeLen(s[i:])
		if n == 0 {
			return "", false
		}
		switch e := s[i : i+n]; e[1] {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case '\\':
			out = append(out, '\\')
		case 'x':
			out = append(out, hexValue(e[2])<<4|hexValue(e[3]))
		case 'u':
			var r rune
			for _, c := range []byte(e[3 : n-1]) {
				r = r<<4 | rune(hexValue(c))
			}
			out = utf8.AppendRune(out, r)
		}
		i += n
	}
	return string(out), true
}

func hexValue(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func TestPlainIsSaidOfPrintableASCIIOnlyWhereverItStands(t *testing.T) {
	for length := 1; length <= 17; length++ {
		for at := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("~", length))
				text[at] = byte(c)
				want := c >= ' ' && c < 0x7f && c != '\\'
				if plain(string(text)) != want {
					t.Fatalf("byte %#x at %d of %d: %v", c, at, length, !want)
				}
			}
		}
	}
}
