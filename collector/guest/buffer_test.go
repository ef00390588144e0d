package guest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestBoundedKeepsAnAnswerUpToItsLimits(t *testing.T) {
	long := bytes.Repeat([]byte("x"), MaxLine)
	for name, c := range map[string]struct {
		writes [][]byte
		ok     bool
	}{
		"nothing":                          {nil, true},
		"lines in pieces":                  {[][]byte{[]byte("a\nb"), []byte("c\n"), []byte("\n\nd")}, true},
		"a line as long as may be":         {[][]byte{long, []byte("\n"), long, []byte("\n")}, true},
		"one byte more":                    {[][]byte{long, []byte("x\n")}, false},
		"one byte more, at once":           {[][]byte{slices.Concat(long, []byte("x\n"))}, false},
		"one byte more, across writes":     {[][]byte{[]byte("ab\nx"), long, []byte("\n")}, false},
		"two long lines at once":           {[][]byte{slices.Concat(long, []byte("\n"), long, []byte("\n"))}, true},
		"the second too long, in one":      {[][]byte{slices.Concat(long, []byte("\ny"), long, []byte("\n"))}, false},
		"too much in all, in short pieces": {slices.Repeat([][]byte{bytes.Repeat([]byte("0123456\n"), 1<<10)}, MaxOutput>>13+1), false},
	} {
		b := new(bounded)
		var err error
		var want []byte
		for _, w := range c.writes {
			if _, err = b.Write(w); err != nil {
				break
			}
			want = append(want, w...)
		}
		if (err == nil) != c.ok || err != nil && !errors.Is(err, errTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(b.buf, want) {
			t.Errorf("%s: kept %d bytes of %d", name, len(b.buf), len(want))
		}
	}
}
