package baseline

import (
	"cmp"
	"strings"
)

// CompareVersions compares two versions of the package with that key by the order
// of its own packaging system (deb/…, rpm/…, apk/…, pacman/…), and of anything
// else by the numbers in them. It returns -1, 0 or 1.
//
// Where a value is a list of versions that are installed at once ("5.14.0-1,5.14.0-2"),
// its newest counts.
//
// Versions come from machines and may be anything: every two texts have an order,
// numbers may have any length, and the time it takes grows with the text only. Equal
// does not mean the same: dpkg finds 1.0 and 1.0-0 equal. As in pacman itself, a
// version without a release equals that version of every release.
func CompareVersions(key, a, b string) int {
	if a == b {
		return 0
	}
	compare := versionOrder(key)
	return compare(newest(compare, a), newest(compare, b))
}

// NewestVersion returns the newest of a list of versions, joined by commas.
func NewestVersion(key, list string) string { return newest(versionOrder(key), list) }

// versionOrder returns the order of the packaging system that the key is of.
//
// dpkg's and rpm's are written out here though there are libraries: those take
// microseconds and dozens of allocations for one comparison, where a rule or a
// question compares every package of a fleet, and lose digits of long numbers.
// The tests hold these against the libraries and against the real tools.
func versionOrder(key string) func(a, b string) int {
	system, _, _ := strings.Cut(key, "/")
	switch system {
	case "deb":
		return compareDeb
	case "rpm":
		return compareRPM
	case "apk":
		return compareAPK
	case "pacman":
		return comparePacman
	}
	return compareNumbers
}

func newest(compare func(a, b string) int, list string) string {
	best, rest, more := strings.Cut(list, ",")
	for more {
		var v string
		if v, rest, more = strings.Cut(rest, ","); compare(v, best) > 0 {
			best = v
		}
	}
	return best
}

// splitEVR splits [epoch:]version[-release], as dpkg, rpm and pacman write it. What
// stands before the first colon is an epoch only if it is a number; none is 0.
func splitEVR(s string) (epoch, version, release string) {
	if n := digitsAt(s, 0); n < len(s) && s[n] == ':' {
		epoch, s = s[:n], s[n+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// compareNumbers is the order of versions of no known system: runs of digits
// compare as numbers, all else bytewise. Two that are equal so (1 and 01) compare
// bytewise as a whole.
func compareNumbers(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			m, n := digitsAt(a, i), digitsAt(b, j)
			if c := compareDigits(a[i:m], b[j:n]); c != 0 {
				return c
			}
			i, j = m, n
			continue
		}
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
		i, j = i+1, j+1
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), cmp.Compare(a, b))
}

// digitsAt returns the end of the digits that begin at i.
func digitsAt(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// lettersAt returns the end of the letters that begin at i.
func lettersAt(s string, i int) int {
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return i
}

// compareDigits compares two numbers of any length. The empty one is 0.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
