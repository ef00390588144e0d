package baseline

import (
	"maps"
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// A Mode says what the items of a facet mean.
type Mode string

const (
	Closed Mode = "closed" // an item that is not in the baseline is drift
	Open   Mode = "open"   // only the items in the baseline matter
)

// A Spec is the content of one revision of a baseline, and of its YAML file.
type Spec struct {
	Name string `json:"name"`
	// Selector is a label selector (role=web,env in (prod,stage)). The empty one selects
	// no machine: such a baseline applies only where it is named.
	Selector string `json:"selector,omitempty"`
	// Defaults names the built-in rules that come before its own: "v1", or "none".
	Defaults string `json:"defaults"`
	// Facets that are not in the map are not compared.
	Facets map[inventory.Facet]FacetSpec `json:"facets"`
}

// A FacetSpec is what a baseline says of one facet.
type FacetSpec struct {
	Mode Mode `json:"mode"`
	// Items are the golden items. An item need not have all fields: one that it
	// lacks is not compared. Never nil. Not part of the JSON form.
	Items *inventory.State `json:"-"`
	Rules []Rule           `json:"rules,omitempty"`
}

// A Rule changes how differences are judged. Of the rules that match, the last that
// sets ignore, severity or a matcher decides on it. What a rule does not restrict, it matches.
type Rule struct {
	Match string            `json:"match,omitempty"` // glob over keys: * is any run of characters, ? any one
	Where map[string]string `json:"where,omitempty"` // field → glob; held against the item had, or else the one wanted
	Was   map[string]string `json:"was,omitempty"`   // field → glob; held against the item wanted; only with Severity
	Ops   []Op              `json:"ops,omitempty"`
	Field string            `json:"field,omitempty"` // only differences in this field
	// Gained is a glob over the members of the list that Field is: one of those that the item had
	// has, and the item wanted lacks. Only with Field and Severity.
	Gained string `json:"gained,omitempty"`

	Ignore   *bool     `json:"ignore,omitempty"`
	Severity *Severity `json:"severity,omitempty"`

	// Matchers say which values are right for Field, whatever the baseline's item has. They need Field.
	Any     bool     `json:"any,omitempty"`      // every value
	OneOf   []string `json:"one_of,omitempty"`   // one of these
	Regexp  string   `json:"regexp,omitempty"`   // RE2, matching the whole value
	AtLeast string   `json:"at_least,omitempty"` // this version or later, by the packaging system's own order
	Below   string   `json:"below,omitempty"`    // an earlier version than this
}

// Digest returns the identity of what s says: name, selector, defaults, and per
// facet mode, items and rules in their order.
func (s Spec) Digest() inventory.Digest {
	e := newEncoder("vmdrift.baseline/v1")
	e.text(s.Name)
	e.text(s.Selector)
	e.text(s.Defaults)
	e.count(len(s.Facets))
	for _, f := range slices.Sorted(maps.Keys(s.Facets)) {
		fs := s.Facets[f]
		e.text(string(f))
		e.text(string(fs.Mode))
		var items *string
		if fs.Items != nil {
			d := fs.Items.Digest().String()
			items = &d
		}
		e.optional(items)
		e.count(len(fs.Rules))
		for _, r := range fs.Rules {
			r.encode(e)
		}
	}
	return e.digest()
}

// equal reports whether two rules say the same in the same words.
func (r Rule) equal(q Rule) bool {
	d, e := newEncoder("rule"), newEncoder("rule")
	r.encode(d)
	q.encode(e)
	return d.digest() == e.digest()
}

func (r Rule) encode(e encoder) {
	e.text(r.Match)
	for _, conds := range []map[string]string{r.Where, r.Was} {
		e.count(len(conds))
		for _, field := range slices.Sorted(maps.Keys(conds)) {
			e.text(field)
			e.text(conds[field])
		}
	}
	e.count(len(r.Ops))
	for _, op := range r.Ops {
		e.text(string(op))
	}
	e.text(r.Field)
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	ignore, severity := 2, -1
	if r.Ignore != nil {
		ignore = flag(*r.Ignore)
	}
	if r.Severity != nil {
		severity = int(*r.Severity)
	}
	e.count(ignore)
	e.count(severity + 1)
	e.count(flag(r.Any))
	e.count(len(r.OneOf))
	for _, v := range r.OneOf {
		e.text(v)
	}
	e.text(r.Regexp)
	e.text(r.AtLeast)
	e.text(r.Below)
	if r.Gained != "" { // said only where it is there: baselines that were written before keep their identity
		e.text("gained")
		e.text(r.Gained)
	}
}
