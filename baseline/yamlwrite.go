package baseline

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// WriteYAML writes baselines in the form that ReadYAML reads, and such that equal
// ones are equal bytes: facets and items sorted, an item or rule per line, texts
// quoted only where another YAML reader would take them for something else. A
// diff of two exports has a line for each item that differs.
//
// It refuses what ReadYAML would not read back as the same.
func WriteYAML(w io.Writer, specs ...Spec) error {
	var buf bytes.Buffer
	for i, s := range specs {
		if _, err := s.Compile(); err != nil {
			return fmt.Errorf("baseline %.80q: %w", s.Name, err)
		}
		if i > 0 {
			buf.WriteString("---\n")
		}
		writeSpec(&buf, s)
	}
	if buf.Len() > MaxYAML {
		return fmt.Errorf("the baseline is larger than %d MiB in YAML, which cannot be read back", MaxYAML>>20)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

func writeSpec(b *bytes.Buffer, s Spec) {
	fmt.Fprintf(b, "vmdrift: %s\nname: %s\n", BaselineForm, quote(s.Name))
	if s.Selector != "" {
		fmt.Fprintf(b, "selector: %s\n", quote(s.Selector))
	}
	fmt.Fprintf(b, "defaults: %s\n", quote(s.Defaults))
	if len(s.Facets) == 0 {
		b.WriteString("facets: {}\n")
		return
	}
	b.WriteString("facets:\n")
	for _, f := range slices.Sorted(maps.Keys(s.Facets)) {
		fs := s.Facets[f]
		fmt.Fprintf(b, "  %s:\n    mode: %s\n", f, fs.Mode)
		if len(fs.Rules) > 0 {
			b.WriteString("    rules:\n")
		}
		for _, r := range fs.Rules {
			b.WriteString("      - " + r.yaml() + "\n")
		}
		if fs.Items.Len() == 0 {
			b.WriteString("    items: {}\n")
			continue
		}
		b.WriteString("    items:\n")
		for _, it := range fs.Items.Items() {
			var fields []string
			for f := range it.Fields() {
				fields = append(fields, f.Name+": "+quote(f.Value))
			}
			b.WriteString("      " + blockKey(it.Key()) + " {" + strings.Join(fields, ", ") + "}\n")
		}
	}
}

// yaml returns the rule as a flow mapping.
func (r Rule) yaml() string {
	var parts []string
	add := func(key, value string) { parts = append(parts, key+": "+value) }
	texts := func(list []string) string {
		quoted := make([]string, len(list))
		for i, s := range list {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	conditions := func(m map[string]string) string {
		var out []string
		for _, field := range slices.Sorted(maps.Keys(m)) {
			out = append(out, field+": "+quote(m[field]))
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	if r.Match != "" {
		add("match", quote(r.Match))
	}
	if len(r.Where) > 0 {
		add("where", conditions(r.Where))
	}
	if len(r.Was) > 0 {
		add("was", conditions(r.Was))
	}
	if len(r.Ops) > 0 {
		ops := make([]string, len(r.Ops))
		for i, op := range r.Ops {
			ops[i] = string(op)
		}
		add("ops", texts(ops))
	}
	if r.Field != "" {
		add("field", quote(r.Field))
	}
	if r.Gained != "" {
		add("gained", quote(r.Gained))
	}
	if r.Ignore != nil {
		add("ignore", strconv.FormatBool(*r.Ignore))
	}
	if r.Severity != nil {
		add("severity", r.Severity.String())
	}
	if r.Any {
		add("any", "true")
	}
	if len(r.OneOf) > 0 {
		add("one_of", texts(r.OneOf))
	}
	for _, v := range []struct{ key, text string }{{"regexp", r.Regexp}, {"at_least", r.AtLeast}, {"below", r.Below}} {
		if v.text != "" {
			add(v.key, quote(v.text))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// blockKey returns the key of a block mapping with its colon. YAML wants a long
// one (more than 1,024 characters) marked.
func blockKey(key string) string {
	text := key
	if !plainText(key, true) {
		text = quoted(key)
	}
	if len(text) > 1000 {
		return "? " + text + "\n      :"
	}
	return text + ":"
}

// quote returns s as a scalar inside a flow mapping, in quotes where it needs them.
func quote(s string) string {
	if plainText(s, false) {
		return s
	}
	return quoted(s)
}

// quoted prefers the quotes inside which nothing has to be escaped. Canonical
// text has no line break and no control character.
func quoted(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// plainText reports whether s, written without quotes, is the text s to every YAML
// reader, 1.1 or 1.2. Outside flow mappings brackets and commas are letters like any other.
func plainText(s string, block bool) bool {
	if s == "" || len(s) > 1000 && !block || !isDigit(s[0]) && !isLetter(s[0]) && s[0] != '/' && s[0] != '_' && s[0] != '(' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isDigit(c), isLetter(c), strings.IndexByte("/_.+-~@$^()=;!*<>%", c) >= 0:
		case block && strings.IndexByte("[],", c) >= 0:
		case c == ' ' && i+1 < len(s) && s[i+1] != '#':
		case c == '#' && s[i-1] != ' ':
		case c == ':' && i+1 < len(s) && s[i+1] != ' ' && (block || strings.IndexByte("[],{}", s[i+1]) < 0):
		default:
			return false
		}
	}
	return s[len(s)-1] != ' ' && !typed.MatchString(s)
}

// typed matches the plain scalars that some YAML reader takes for a null, a truth
// value, a number (also to base 60: 22:30), a time or a merge.
var typed = regexp.MustCompile(`^(?i:null|~|y|n|yes|no|on|off|true|false|` +
	`[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_]*|\.inf)|\.nan|` +
	`[-+]?([0-9][0-9_]*)?\.?[0-9_]*(e[-+]?[0-9]+)?|` +
	`[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|` +
	`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t ].*)?|<<|=)$`)
