package aws

import (
	"maps"
	"slices"
	"strings"
)

// maxLabel is how long, in bytes, a label's name and its value may be.
const maxLabel = 63

// labels makes a machine's labels of what the place says and of its tags, so that label
// selectors can name them: what may not stand in a label becomes a dash, and what is too
// long is cut. A tag never takes the place of a label of our own, nor a tag that
// had to be changed that of one which was not.
func labels(own, tags map[string]string) map[string]string {
	out := make(map[string]string, len(own)+len(tags))
	for name, v := range own {
		if v != "" {
			out[name] = labelText(v)
		}
	}
	taken := func(name string) bool {
		_, isOwn := own[name]
		_, isThere := out[name]
		return isOwn || isThere || name == "name" || name == "source" || name == "kind"
	}
	keys := slices.Sorted(maps.Keys(tags))
	for _, exact := range []bool{true, false} {
		for _, key := range keys {
			name := labelText(key)
			if name == "" || (name == key) != exact || taken(name) {
				continue
			}
			out[name] = labelText(tags[key])
		}
	}
	return out
}

func labelText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
		if b.Len() == maxLabel {
			break
		}
	}
	return strings.Trim(b.String(), "-_.")
}
