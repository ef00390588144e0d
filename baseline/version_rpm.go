package baseline

import "cmp"

// compareRPM is the order of rpm's EVR: epoch, version, release, part by part,
// where a tilde is older than the end, and a caret newer than the end but older than
// anything else.
func compareRPM(a, b string) int {
	epochA, versionA, releaseA := splitEVR(a)
	epochB, versionB, releaseB := splitEVR(b)
	return cmp.Or(
		compareDigits(epochA, epochB),
		compareRPMPart(versionA, versionB),
		compareRPMPart(releaseA, releaseB),
	)
}

func compareRPMPart(a, b string) int {
	for a != "" || b != "" {
		a, b = a[rpmSeparators(a):], b[rpmSeparators(b):]
		x, y := firstByte(a), firstByte(b)
		if x == '~' || y == '~' || x == '^' || y == '^' {
			if x == y {
				a, b = a[1:], b[1:]
				continue
			}
			return cmp.Compare(rpmWeight(x), rpmWeight(y))
		}
		if a == "" || b == "" {
			break
		}
		end, compare := digitsAt, compareDigits
		if !isDigit(x) {
			end, compare = lettersAt, cmp.Compare[string]
		}
		m, n := end(a, 0), end(b, 0)
		if n == 0 { // of different kinds: numbers are newer
			return cmp.Compare(boolInt(isDigit(x)), boolInt(isDigit(y)))
		}
		if c := compare(a[:m], b[:n]); c != 0 {
			return c
		}
		a, b = a[m:], b[n:]
	}
	return cmp.Compare(len(a), len(b)) // at least one is at its end: the longer one is newer
}

func rpmSeparators(s string) int {
	n := 0
	for n < len(s) && !isDigit(s[n]) && !isLetter(s[n]) && s[n] != '~' && s[n] != '^' {
		n++
	}
	return n
}

// rpmWeight orders the tilde, the end (0), the caret and the rest.
func rpmWeight(c byte) int {
	switch c {
	case '~':
		return 0
	case 0:
		return 1
	case '^':
		return 2
	}
	return 3
}

// firstByte returns the first byte of s, or 0 at its end. Separators are skipped
// before, so that it is no other byte 0.
func firstByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
