package baseline

import (
	"github.com/vmdrift/vmdrift/inventory"
	"go.yaml.in/yaml/v4"
)

// ruleKeys are the keys of a rule, in the order in which they are written.
var ruleKeys = []string{
	"match", "where", "was", "ops", "field", "gained", "ignore", "severity",
	"any", "one_of", "regexp", "at_least", "below",
}

func (d *reader) rules(f inventory.Facet, n *yaml.Node) (out []Rule) {
	if n == nil {
		return nil
	}
	d.sequence(n, func(one *yaml.Node) { out = append(out, d.rule(f, one)) })
	return out
}

func (d *reader) rule(f inventory.Facet, n *yaml.Node) Rule {
	var r Rule
	before := d.faults()
	m := d.mapping(n, "a rule", ruleKeys...)
	for key, into := range map[string]*string{
		"match": &r.Match, "field": &r.Field, "gained": &r.Gained, "regexp": &r.Regexp, "at_least": &r.AtLeast, "below": &r.Below,
	} {
		if v := m[key]; v != nil {
			if *into = d.text(v); *into == "" && d.faults() == before {
				d.fail(v, "%s is empty", key)
			}
		}
	}
	for key, into := range map[string]*map[string]string{"where": &r.Where, "was": &r.Was} {
		if v := m[key]; v != nil {
			*into = map[string]string{}
			d.pairs(v, key, func(field string, _, v *yaml.Node) { (*into)[field] = d.text(v) })
			if len(*into) == 0 {
				*into = nil
			}
		}
	}
	if v := m["ops"]; v != nil {
		for _, op := range d.texts(v) {
			r.Ops = append(r.Ops, Op(op))
		}
	}
	if v := m["one_of"]; v != nil {
		r.OneOf = d.texts(v)
	}
	if v := m["ignore"]; v != nil {
		ignore := d.flag(v)
		r.Ignore = &ignore
	}
	if v := m["any"]; v != nil {
		r.Any = d.flag(v)
	}
	if v := m["severity"]; v != nil {
		var s Severity
		d.checked(v, func(text string) error { return s.UnmarshalText([]byte(text)) })
		r.Severity = &s
	}
	if d.faults() > before {
		return r // what else is wrong may only follow from that
	}
	for _, fault := range r.check(f) {
		at := n
		if v := m[fault.part]; v != nil {
			at = v
		}
		d.fail(at, "%v", fault)
	}
	return r
}
