package main

import "testing"

func TestFoldBreaksAtSpacesWithinTheWidth(t *testing.T) {
	for _, c := range []struct {
		width, used int
		text, want  string
	}{
		{0, 90, "no terminal, so a line stays one", "no terminal, so a line stays one"},
		{20, 0, "one two three four five", "one two three four\n  five"},
		{20, 16, "one two", "one\n  two"},
		{20, 0, "averyveryverylongwordindeed and", "averyveryverylongwordindeed\n  and"},
		{20, 0, "ß ä ö ü ß ä ö ü ß ä ö", "ß ä ö ü ß ä ö ü ß ä\n  ö"},
		{20, 0, "\x1b[2mone two\x1b[0m three four five", "\x1b[2mone two\x1b[0m three four\n  five"},
		{20, 0, "", ""},
	} {
		if have := (style{width: c.width}).fold(c.used, c.text, 2); have != c.want {
			t.Errorf("width %d after %d: %q, want %q", c.width, c.used, have, c.want)
		}
	}
}
