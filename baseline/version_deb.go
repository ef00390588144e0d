package baseline

import "cmp"

// compareDeb is the order of deb-version(7): epoch, upstream version, revision,
// where a tilde is older than the end and letters are older than all else.
func compareDeb(a, b string) int {
	epochA, versionA, revisionA := splitEVR(a)
	epochB, versionB, revisionB := splitEVR(b)
	return cmp.Or(
		compareDigits(epochA, epochB),
		compareDebPart(versionA, versionB),
		compareDebPart(revisionA, revisionB),
	)
}

func compareDebPart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if c := cmp.Compare(debWeight(a), debWeight(b)); c != 0 {
				return c
			}
			a, b = a[1:], b[1:] // of equal weight: neither is at its end or a digit
		}
		m, n := digitsAt(a, 0), digitsAt(b, 0)
		if c := compareDigits(a[:m], b[:n]); c != 0 {
			return c
		}
		a, b = a[m:], b[n:]
	}
	return 0
}

// debWeight is what the first byte of s weighs. The end and a digit weigh nothing.
func debWeight(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}
