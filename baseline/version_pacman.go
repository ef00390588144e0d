package baseline

import "cmp"

// comparePacman is pacman's vercmp: [epoch:]version[-release], compared part by
// part, the releases only if both have one. Its order of parts came from an
// early rpm and went ways of its own, so that rpm's of today will not do: it knows
// neither ~ nor ^, longer separators are newer, and a letter that follows what the other one
// ends with makes older (1.0rc1 < 1.0).
func comparePacman(a, b string) int {
	epochA, versionA, releaseA := splitEVR(a)
	epochB, versionB, releaseB := splitEVR(b)
	if c := cmp.Or(compareDigits(epochA, epochB), comparePacmanPart(versionA, versionB)); c != 0 {
		return c
	}
	if releaseA == "" || releaseB == "" {
		return 0
	}
	return comparePacmanPart(releaseA, releaseB)
}

func comparePacmanPart(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		m, n := separators(a), separators(b)
		a, b = a[m:], b[n:]
		if a == "" || b == "" {
			break
		}
		if m != n {
			return cmp.Compare(m, n)
		}
		end, compare := digitsAt, compareDigits
		if !isDigit(a[0]) {
			end, compare = lettersAt, cmp.Compare[string]
		}
		m, n = end(a, 0), end(b, 0)
		if n == 0 { // of different kinds: numbers are newer
			return cmp.Compare(boolInt(isDigit(a[0])), boolInt(isDigit(b[0])))
		}
		if c := compare(a[:m], b[:n]); c != 0 {
			return c
		}
		a, b = a[m:], b[n:]
	}
	switch {
	case a == "" && b == "":
		return 0
	case a == "" && !isLetter(b[0]), a != "" && isLetter(a[0]):
		return -1
	}
	return 1
}

// separators returns how many bytes of s come before a letter or digit.
func separators(s string) int {
	n := 0
	for n < len(s) && !isDigit(s[n]) && !isLetter(s[n]) {
		n++
	}
	return n
}
