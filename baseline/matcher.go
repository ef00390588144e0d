package baseline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// maxRegexp bounds a rule's regular expression. RE2 takes time in proportion to
// expression and value, so that this bounds both the program and its run.
const maxRegexp = 1000

// A matcher says which values of a field are right.
type matcher struct {
	part    string // its name in the YAML form
	text    string // in words, canonical: what a change then says is wanted
	oneOf   []string
	re      *regexp.Regexp
	atLeast string
	below   string
}

func (r Rule) hasMatcher() bool {
	return r.Any || len(r.OneOf) > 0 || r.Regexp != "" || r.AtLeast != "" || r.Below != ""
}

// matcher returns the rule's matcher, or nil if it has none. A rule has one
// only, but at_least and below go together.
func (r Rule) matcher() (*matcher, *fault) {
	var parts []string
	for _, p := range []struct {
		name string
		set  bool
	}{
		{"any", r.Any},
		{"one_of", len(r.OneOf) > 0},
		{"regexp", r.Regexp != ""},
		{"at_least", r.AtLeast != ""},
		{"below", r.Below != ""},
	} {
		if p.set {
			parts = append(parts, p.name)
		}
	}
	ranged := len(parts) == 2 && r.AtLeast != "" && r.Below != ""
	switch {
	case len(parts) == 0:
		return nil, nil
	case len(parts) > 1 && !ranged:
		return nil, &fault{parts[len(parts)-1], "does not go with " + strings.Join(parts[:len(parts)-1], ", ")}
	}
	m := &matcher{part: parts[0], oneOf: slices.Clone(r.OneOf), atLeast: r.AtLeast, below: r.Below}
	for _, v := range []struct{ part, text string }{{"at_least", r.AtLeast}, {"below", r.Below}} {
		if !inventory.IsCanonical(v.text) || strings.Contains(v.text, ",") {
			return nil, &fault{v.part, fmt.Sprintf("%.80q is not a version", v.text)}
		}
	}
	for _, v := range r.OneOf {
		if !inventory.IsCanonical(v) {
			return nil, &fault{"one_of", fmt.Sprintf("%.80q is not canonical text: %s", v, canonicalHint(v))}
		}
	}
	switch {
	case r.Any:
		m.text = "any"
	case len(r.OneOf) > 0:
		m.text = "one of " + strings.Join(r.OneOf, ", ")
	case r.Regexp != "":
		if len(r.Regexp) > maxRegexp {
			return nil, &fault{"regexp", fmt.Sprintf("is longer than %d bytes", maxRegexp)}
		}
		if !inventory.IsCanonical(strings.ReplaceAll(r.Regexp, `\`, "")) {
			return nil, &fault{"regexp", "has control or invisible characters: write them as escapes (\\x{200b})"}
		}
		// By itself first: "a)|(b" must not become right by the parentheses around it.
		if _, err := regexp.Compile(r.Regexp); err != nil {
			return nil, &fault{"regexp", strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
		}
		re, err := regexp.Compile(`\A(?:` + r.Regexp + `)\z`)
		if err != nil {
			return nil, &fault{"regexp", strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
		}
		m.re, m.text = re, "matching "+inventory.Escape(r.Regexp)
	case ranged:
		m.text = ">= " + r.AtLeast + ", < " + r.Below
	case r.AtLeast != "":
		m.text = ">= " + r.AtLeast
	default:
		m.text = "< " + r.Below
	}
	return m, nil
}

// allows reports whether value is right. Of several versions at once (kernels,
// "1.0,1.1") the newest counts, for at_least and for below alike.
func (m *matcher) allows(key, value string) bool {
	switch {
	case len(m.oneOf) > 0:
		return slices.Contains(m.oneOf, value)
	case m.re != nil:
		return m.re.MatchString(value)
	}
	return (m.atLeast == "" || CompareVersions(key, value, m.atLeast) >= 0) &&
		(m.below == "" || CompareVersions(key, value, m.below) < 0)
}
