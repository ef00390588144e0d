package baseline

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
	"k8s.io/apimachinery/pkg/labels"
)

// A fault is what is wrong with one part of a rule: its name in the YAML form, and a sentence.
type fault struct {
	part string // "" is the rule as a whole
	text string
}

func (f fault) Error() string {
	if f.part == "" {
		return f.text
	}
	return f.part + ": " + f.text
}

// check returns everything that is wrong with r as a rule of facet f.
func (r Rule) check(f inventory.Facet) []fault {
	var out []fault
	add := func(part, format string, args ...any) { out = append(out, fault{part, fmt.Sprintf(format, args...)}) }

	if _, err := compileGlob(r.Match); err != nil {
		add("match", "%v", err)
	}
	for part, conds := range map[string]map[string]string{"where": r.Where, "was": r.Was} {
		for _, field := range slices.Sorted(maps.Keys(conds)) {
			if err := checkField(f, field); err != nil {
				add(part, "%v", err)
			}
			if _, err := compileCondition(field, conds[field]); err != nil {
				add(part, "%s: %v", field, err)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b fault) int { return strings.Compare(a.part, b.part) })
	for _, op := range r.Ops {
		if err := checkOp(op); err != nil {
			add("ops", "%v", err)
		}
	}
	if r.Field != "" {
		if err := checkField(f, r.Field); err != nil {
			add("field", "%v", err)
		}
	}
	if r.Gained != "" {
		if _, err := compileGlob(r.Gained); err != nil {
			add("gained", "%v", err)
		}
		if r.Field == "" {
			add("gained", "needs a field whose members it compares")
		}
	}
	if r.Severity != nil && !r.Severity.valid() {
		add("severity", "%v does not exist", *r.Severity)
	}
	if m, err := r.matcher(); err != nil {
		add(err.part, "%s", err.text)
	} else if m != nil {
		switch {
		case r.Field == "":
			add(m.part, "needs a field whose values it judges")
		case len(r.Ops) > 0:
			add("ops", "%s judges the items that a machine has, whatever became of them: it goes without ops", m.part)
		}
	}
	for _, part := range r.comparisons() {
		if r.Severity != nil && r.Ignore == nil && !r.hasMatcher() {
			break
		}
		// What is right must not depend on what was wanted before: accepting one
		// field of an item would open another one.
		add(part, "goes with a severity only")
	}
	if r.Ignore == nil && r.Severity == nil && !r.hasMatcher() {
		add("", "the rule does nothing: want ignore, severity or one of any, one_of, regexp, at_least, below")
	}
	return out
}

// comparisons names the parts of r that ask what was wanted before.
func (r Rule) comparisons() (parts []string) {
	if len(r.Was) > 0 {
		parts = append(parts, "was")
	}
	if r.Gained != "" {
		parts = append(parts, "gained")
	}
	return parts
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%.80q is not a name: want 1 to 63 of a-z, 0-9, dot, underscore and hyphen, a letter or digit first", name)
	}
	return nil
}

func checkSelector(s string) error {
	sel, err := parseSelector(s)
	if err != nil {
		return err
	}
	if s != "" && sel.Empty() { // it would select every machine, where the empty one selects none
		return fmt.Errorf("%.80q is not a label selector: leave it out to select no machine", s)
	}
	return nil
}

func parseSelector(s string) (labels.Selector, error) {
	if !inventory.IsCanonical(s) {
		return nil, fmt.Errorf("%.80q has control characters or backslashes, which no label selector has", s)
	}
	sel, err := labels.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%.80q is not a label selector (role=web, env in (prod,stage), !legacy): %.200s", s, err)
	}
	return sel, nil
}

func checkMode(m Mode) error {
	if m != Closed && m != Open {
		return oneOf("mode", string(m), []string{string(Closed), string(Open)})
	}
	return nil
}

func checkOp(op Op) error {
	if op != Added && op != Removed && op != Changed {
		return oneOf("op", string(op), []string{string(Added), string(Removed), string(Changed)})
	}
	return nil
}

func checkFacet(f inventory.Facet) error {
	if f.Known() {
		return nil
	}
	var known []string
	for _, g := range inventory.Facets() {
		known = append(known, string(g))
	}
	return oneOf("facet", string(f), known)
}

func checkField(f inventory.Facet, name string) error {
	if f.HasField(name) {
		return nil
	}
	return oneOf("field of "+string(f), name, f.Fields())
}

// oneOf is the error for a name that is not among those known: it says which
// there are, and which one was probably meant.
func oneOf(what, got string, known []string) error {
	text := fmt.Sprintf("%.80q is no %s", got, what)
	if near := nearest(got, known); near != "" {
		return errors.New(text + ": did you mean " + near + "?")
	}
	return errors.New(text + ": want one of " + strings.Join(known, ", "))
}

// nearest returns the known name that got is probably a slip of, or "".
func nearest(got string, known []string) string {
	best, limit := "", 1+len(got)/4
	if len(got) > 64 {
		return ""
	}
	for _, k := range known {
		if d := distance(strings.ToLower(got), k); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// distance is how many bytes are to be put in, left out, replaced or exchanged
// with the next to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
