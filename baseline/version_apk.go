package baseline

import (
	"cmp"
	"strings"

	apk "github.com/knqyf263/go-apk-version"
)

// compareAPK is the order of apk-tools, by a library. What is no version there is older than
// every one that is, and ordered by the numbers in it.
func compareAPK(a, b string) int {
	if a == b {
		return 0
	}
	switch va, vb := validAPK(a), validAPK(b); {
	case va && vb:
		return cmp.Compare(apk.Version(a).Compare(apk.Version(b)), 0)
	case va != vb:
		return cmp.Compare(boolInt(va), boolInt(vb))
	}
	return compareNumbers(a, b)
}

// The library turns digits into int and wraps around, and takes letters and digits beyond
// ASCII for what they are not. No real version comes near these limits.
const (
	maxAPKVersion = 256 // bytes
	maxAPKDigits  = 18  // of one number
)

func validAPK(s string) bool {
	if len(s) > maxAPKVersion {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
			if n := digitsAt(s, i); n-i > maxAPKDigits {
				return false
			}
		case !isLetter(c) && strings.IndexByte("._-", c) < 0:
			return false
		}
	}
	return apk.Valid(s)
}
