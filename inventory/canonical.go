package inventory

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// The canonical text of a facet is one line per item, sorted bytewise by key:
//
//	deb/openssl:amd64\thold=no\tsource=openssl\tstate=installed\tversion=3.0.11-1~deb12u2\n
//
// Key and fields are separated by tabs, fields are sorted bytewise by name.
// Whatever could end a line, move a cursor, change the direction of text or
// hide, is escaped with a backslash when it enters the form, and stays escaped:
// the canonical text is what is compared, stored and shown.

// Escape returns s in canonical form. Control characters, DEL, the backslash,
// invalid UTF-8, and the Unicode characters that are invisible or change the
// direction of text become \t, \n, \r, \\, \xNN (bytes) or \u{HEX} (characters).
// Text that needs no escape is returned as it is.
func Escape(s string) string {
	if plain(s) {
		return s
	}
	return string(appendEscaped(nil, s))
}

// IsCanonical reports whether s could have been returned by Escape.
func IsCanonical(s string) bool {
	for i := 0; i < len(s); {
		if s[i] == '\\' {
			n := escapeLen(s[i:])
			if n == 0 {
				return false
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || mustEscape(r) {
			return false
		}
		i += n
	}
	return true
}

// plainByte marks the bytes that stand for themselves: printable ASCII without the backslash.
var plainByte = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '\\'
	}
	return t
}()

// plain reports whether all of s stands for itself.
func plain(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] { // eight bytes at once, each in its own part of a word
		w := binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s), 8))
		slash := w ^ ones*'\\'
		// Below a space, or a backslash: what is subtracted borrows. DEL and above: the sum has the top bit, or w has.
		if ((w-ones*' ')|(slash-ones)|(w+ones)|w)&tops != 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		if !plainByte[s[i]] {
			return false
		}
	}
	return true
}

func appendEscaped(dst []byte, str string) []byte {
	if plain(str) {
		return append(dst, str...)
	}
	for len(str) > 0 {
		r, n := utf8.DecodeRuneInString(str)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = appendHexByte(dst, str[0])
		case !mustEscape(r):
			dst = append(dst, str[:n]...)
		case r == '\\':
			dst = append(dst, `\\`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r < 0x80:
			dst = appendHexByte(dst, byte(r))
		default:
			dst = append(dst, `\u{`...)
			dst = strconv.AppendUint(dst, uint64(r), 16)
			dst = append(dst, '}')
		}
		str = str[n:]
	}
	return dst
}

func appendHexByte(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'x', hex[c>>4], hex[c&15])
}

// mustEscape is a fixed list, not unicode.IsPrint: the tables of a later Go
// release must not change the canonical form.
func mustEscape(r rune) bool {
	switch {
	case r < ' ', r == '\\', r >= 0x7f && r <= 0x9f: // C0, DEL, C1
		return true
	case r < 0xad:
		return false
	}
	return r == 0xad || r == 0x34f || r == 0x61c || // soft hyphen, joiner, Arabic letter mark
		r >= 0x115f && r <= 0x1160 || r >= 0x17b4 && r <= 0x17b5 || r >= 0x180b && r <= 0x180f ||
		r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || // zero width, bidi
		r == 0x3164 || r >= 0xfe00 && r <= 0xfe0f || r == 0xfeff || r == 0xffa0 || r >= 0xfff0 && r <= 0xfffb ||
		r >= 0x1d173 && r <= 0x1d17a || r >= 0xe0000 && r <= 0xe0fff // musical formats, tags, variation selectors
}

// escapeLen returns the length of the escape that s begins with, or 0 if it is none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '\\', 't', 'n', 'r':
		return 2
	case 'x':
		if len(s) < 4 {
			return 0
		}
		c, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil || s[:4] != string(appendHexByte(nil, byte(c))) || c < 0x80 && !mustEscape(rune(c)) ||
			c == '\\' || c == '\t' || c == '\n' || c == '\r' {
			return 0
		}
		return 4
	case 'u':
		end := strings.IndexByte(s, '}')
		if len(s) < 5 || s[2] != '{' || end < 4 || end > 9 {
			return 0
		}
		r, err := strconv.ParseUint(s[3:end], 16, 32)
		if err != nil || r < 0x80 || !mustEscape(rune(r)) || strconv.FormatUint(r, 16) != s[3:end] {
			return 0
		}
		return end + 1
	}
	return 0
}
