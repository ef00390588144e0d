package baseline

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// FacetRules are the rules of one facet, compiled: the built-in ones first, then
// those of the baseline. They are safe for concurrent use.
type FacetRules struct {
	facet    inventory.Facet
	mode     Mode
	rules    []compiledRule
	matchers []int // the rules that have a matcher
}

type compiledRule struct {
	match      glob
	where, was []condition
	ops        []Op // empty: all
	field      string
	gained     *glob // over the members of field
	ignore     *bool
	severity   *Severity
	matcher    *matcher
}

// A condition holds a field against a glob.
type condition struct {
	field string
	glob  glob
	not   bool // written with a "!" before the glob
}

// CompileRules compiles the rules of a facet, in the order in which they apply.
// It reports everything that is wrong with them at once.
func CompileRules(f inventory.Facet, mode Mode, rules []Rule) (*FacetRules, error) {
	var errs []error
	for i, r := range rules {
		for _, fault := range r.check(f) {
			errs = append(errs, fmt.Errorf("rules[%d]: %w", i, fault))
		}
	}
	if err := checkMode(mode); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	out := &FacetRules{facet: f, mode: mode, rules: make([]compiledRule, len(rules))}
	for i, r := range rules {
		out.rules[i] = r.compile()
		if out.rules[i].matcher != nil {
			out.matchers = append(out.matchers, i)
		}
	}
	return out, nil
}

// compile returns the compiled form of a rule in which check found no fault.
func (r Rule) compile() compiledRule {
	match := r.Match
	if match == "" {
		match = "*"
	}
	c := compiledRule{ops: r.Ops, field: r.Field, ignore: r.Ignore, severity: r.Severity}
	c.match, _ = compileGlob(match)
	c.where, c.was = conditions(r.Where), conditions(r.Was)
	c.matcher, _ = r.matcher()
	if r.Gained != "" {
		g, _ := compileGlob(r.Gained)
		c.gained = &g
	}
	return c
}

func conditions(m map[string]string) []condition {
	var out []condition
	for field, text := range m {
		c, _ := compileCondition(field, text)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b condition) int { return strings.Compare(a.field, b.field) })
	return out
}

func compileCondition(field, text string) (condition, error) {
	text, not := strings.CutPrefix(text, "!")
	g, err := compileGlob(text)
	return condition{field, g, not}, err
}

// A verdict says whether a rule matches. It is possible, not certain, where a rule
// asks for a field that could not be read.
type verdict int8

const (
	no verdict = iota
	possible
	certain
)

// holds judges a condition by an item. Fields that hold a list (groups, versions)
// match if one of their members does.
func (c condition) holds(it inventory.Item) verdict {
	value, known := it.Field(c.field)
	if !known {
		return possible
	}
	matched := c.glob.match(value)
	for rest, more := value, strings.Contains(value, ","); more && !matched; {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		matched = c.glob.match(one)
	}
	if matched != c.not {
		return certain
	}
	return no
}

// judge says whether the rule matches a difference between the two items, of
// which one may be nil.
func (r *compiledRule) judge(op Op, key string, had, wanted *inventory.Item) verdict {
	if len(r.ops) > 0 && !slices.Contains(r.ops, op) || !r.match.match(key) {
		return no
	}
	out := certain
	for _, c := range r.where {
		v := no
		if had != nil {
			v = c.holds(*had)
		} else if v = c.holds(*wanted); v == possible {
			v = no // the baseline says nothing of the field: that is known
		}
		if out = min(out, v); out == no {
			return no
		}
	}
	for _, c := range r.was {
		if wanted == nil || c.holds(*wanted) != certain {
			return no
		}
	}
	if r.gained != nil && !r.gains(had, wanted) {
		return no
	}
	return out
}

// gains reports whether the list that the rule's field is has a member that the wanted one lacks and
// the rule asks for. It is false where either is not known, as nothing differs there.
func (r *compiledRule) gains(had, wanted *inventory.Item) bool {
	if had == nil || wanted == nil {
		return false
	}
	have, known := had.Field(r.field)
	want, also := wanted.Field(r.field)
	if !known || !also {
		return false
	}
	before := map[string]bool{}
	for one := range strings.SplitSeq(want, ",") {
		before[one] = true
	}
	for one := range strings.SplitSeq(have, ",") {
		if one != "" && !before[one] && r.gained.match(one) {
			return true
		}
	}
	return false
}

// A matched is a rule that matches a difference, or possibly does.
type matched struct {
	rule    *compiledRule
	verdict verdict
}

// matching appends the rules that match, or possibly match, to buf.
func (f *FacetRules) matching(buf []matched, op Op, key string, had, wanted *inventory.Item) []matched {
	for i := range f.rules {
		if v := f.rules[i].judge(op, key, had, wanted); v != no {
			buf = append(buf, matched{&f.rules[i], v})
		}
	}
	return buf
}

// ignored says whether a field's difference, or with field "" the item's, is
// dropped. A rule that possibly matches counts if it ignores, and only then: a
// field that could not be read opens nothing.
func ignored(rules []matched, field string) bool {
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i].rule
		if r.ignore != nil && (r.field == "" || r.field == field) && (rules[i].verdict == certain || *r.ignore) {
			return *r.ignore
		}
	}
	return false
}

// severity returns the severity of a field's difference, or with field "" of the item's.
func severity(rules []matched, field string) Severity {
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i].rule
		if r.severity != nil && (r.field == "" || r.field == field) && rules[i].verdict == certain {
			return *r.severity
		}
	}
	return Medium
}

// governing returns the matcher that says which values of a field are right, or
// nil. known is false where a field that could not be read decides on it.
func governing(rules []matched, field string) (m *matcher, known bool) {
	for i := len(rules) - 1; i >= 0; i-- {
		if r := rules[i].rule; r.matcher != nil && r.field == field {
			return r.matcher, rules[i].verdict == certain
		}
	}
	return nil, true
}

// A stretch is a part of a slice of items: from, up to but not including to.
type stretch struct{ from, to int }

// governed returns where the items are that a matcher may select, in order and
// apart. Keys are sorted, so that each rule's are within those that begin with
// what its pattern begins with.
func (f *FacetRules) governed(items []inventory.Item) []stretch {
	var all []stretch
	for _, i := range f.matchers {
		p := f.rules[i].match.prefix()
		from := sort.Search(len(items), func(i int) bool { return items[i].Key() >= p })
		n := sort.Search(len(items)-from, func(i int) bool { return !strings.HasPrefix(items[from+i].Key(), p) })
		if n > 0 {
			all = append(all, stretch{from, from + n})
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return a.from - b.from })
	var out []stretch
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// violates reports whether an item that is as the baseline has it may yet be
// wrong by a matcher. It is quick where it is not.
func (f *FacetRules) violates(it inventory.Item) bool {
	for _, i := range f.matchers {
		r := &f.rules[i]
		if r.matcher.part == "any" || !r.match.match(it.Key()) {
			continue
		}
		if v, known := valueOf(it, r.field); known && !r.matcher.allows(it.Key(), v) {
			return true
		}
	}
	return false
}

// valueOf is Item.Field for items by the hundred thousand: fields are separated by
// tabs, which no value has.
func valueOf(it inventory.Item, field string) (string, bool) {
	rest := it.Encoded()
	for !strings.HasPrefix(rest, field) || len(rest) == len(field) || rest[len(field)] != '=' {
		i := strings.IndexByte(rest, '\t')
		if i < 0 {
			return "", false
		}
		rest = rest[i+1:]
	}
	value, _, _ := strings.Cut(rest[len(field)+1:], "\t")
	return value, true
}
