package baseline

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
	"go.yaml.in/yaml/v4"
)

// The headers of the YAML forms: what "vmdrift:" says in the first line.
const (
	BaselineForm = "baseline/v1"
	RulesForm    = "rules/v1"
)

// MaxYAML is the greatest size of a YAML file in bytes.
const MaxYAML = 8 << 20

// ReadYAML reads baselines, one per YAML document. name is the file's, for errors.
//
// It is strict: keys that it does not know, keys given twice, anchors, aliases and tags are errors. A
// plain scalar is what stands there, not what YAML makes of it: 1.10 is "1.10", no
// is "no". Keys and values of items are canonical text, as everywhere in vmdrift;
// text that is not is an error, for whether a backslash in it was meant as one
// cannot be told. The error says how to write it.
//
// All errors are reported at once, each as file:line:column and a sentence; the
// result is usable only if there is none, and then it compiles.
func ReadYAML(name string, r io.Reader) ([]Spec, error) {
	var out []Spec
	d, err := readDocuments(name, r, func(d *reader, root *yaml.Node) {
		out = append(out, d.baseline(root))
	})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, s := range out {
		if seen[s.Name] {
			d.fail(d.roots[i], "baseline %s is in this file twice", s.Name)
		}
		seen[s.Name] = true
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no baseline in it: want \"vmdrift: %s\"", name, BaselineForm)
	}
	return out, nil
}

// ReadRulesYAML reads a set of rules, the form of the built-in ones:
//
//	vmdrift: rules/v1
//	name: strict
//	facets:
//	  ports:
//	    rules:
//	      - {match: "tcp/*", ops: [added], severity: critical}
func ReadRulesYAML(name string, r io.Reader) (RuleSet, error) {
	var sets []RuleSet
	d, err := readDocuments(name, r, func(d *reader, root *yaml.Node) {
		sets = append(sets, d.ruleSet(root))
	})
	switch {
	case err != nil:
		return RuleSet{}, err
	case d.err() != nil:
		return RuleSet{}, d.err()
	case len(sets) != 1:
		return RuleSet{}, fmt.Errorf("%s: want one set of rules, \"vmdrift: %s\", and found %d", name, RulesForm, len(sets))
	}
	return sets[0], nil
}

func readDocuments(name string, r io.Reader, each func(d *reader, root *yaml.Node)) (*reader, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxYAML+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > MaxYAML {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, MaxYAML>>20)
	}
	d := &reader{file: name}
	loader, err := yaml.NewLoader(strings.NewReader(string(text)), yaml.WithV4Defaults(), yaml.WithPlugin(limits{}))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil { // the rest of the file cannot be read; what came before may have errors too
			d.syntax(err)
			return d, nil
		}
		root := &doc
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
			root = doc.Content[0]
		}
		if root.Kind == 0 || root.Kind == yaml.ScalarNode && root.Value == "" {
			continue // an empty document, as after a last "---"
		}
		d.roots = append(d.roots, root)
		each(d, root)
	}
}

// limits are those of the YAML reader. The form is six levels deep; aliases
// are refused later, by their place.
type limits struct{}

func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > 16 {
		return errors.New("nested more than 16 deep")
	}
	return nil
}

func (limits) CheckAlias(int, int) error { return nil } // nothing is expanded here

func (d *reader) baseline(root *yaml.Node) Spec {
	s := Spec{Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{}}
	m := d.mapping(root, "a baseline", "vmdrift", "name", "selector", "defaults", "facets")
	d.form(root, m, BaselineForm)
	if n := d.want(root, m, "name"); n != nil {
		s.Name = d.checked(n, checkName)
	}
	if n := m["selector"]; n != nil {
		s.Selector = d.checked(n, checkSelector)
	}
	if n := m["defaults"]; n != nil {
		s.Defaults = d.checked(n, func(text string) error {
			if text != DefaultsV1 && text != NoDefaults {
				return oneOf("built-in set of rules", text, []string{DefaultsV1, NoDefaults})
			}
			return nil
		})
	}
	d.facets(root, m, func(f inventory.Facet, n *yaml.Node) {
		s.Facets[f] = d.facet(f, n)
	})
	return s
}

func (d *reader) ruleSet(root *yaml.Node) RuleSet {
	s := RuleSet{Facets: map[inventory.Facet][]Rule{}}
	m := d.mapping(root, "a set of rules", "vmdrift", "name", "facets")
	d.form(root, m, RulesForm)
	if n := d.want(root, m, "name"); n != nil {
		s.Name = d.checked(n, checkName)
	}
	d.facets(root, m, func(f inventory.Facet, n *yaml.Node) {
		fm := d.mapping(n, "a facet of a set of rules", "rules")
		s.Facets[f] = d.rules(f, fm["rules"])
	})
	return s
}

// form checks the header.
func (d *reader) form(root *yaml.Node, m map[string]*yaml.Node, want string) {
	if m == nil {
		return
	}
	n := m["vmdrift"]
	if n == nil {
		d.fail(root, "the first line is missing: want \"vmdrift: %s\"", want)
	} else if got := d.text(n); got != want {
		d.fail(n, "%.80q is not the form expected here: want \"vmdrift: %s\"", got, want)
	}
}

func (d *reader) facets(root *yaml.Node, m map[string]*yaml.Node, each func(inventory.Facet, *yaml.Node)) {
	n := d.want(root, m, "facets")
	if n == nil {
		return
	}
	d.pairs(n, "facets", func(key string, k, v *yaml.Node) {
		f := inventory.Facet(key)
		if err := checkFacet(f); err != nil {
			d.fail(k, "%v", err)
			return
		}
		each(f, v)
	})
}

func (d *reader) facet(f inventory.Facet, n *yaml.Node) FacetSpec {
	fs := FacetSpec{}
	m := d.mapping(n, "a facet", "mode", "rules", "items")
	if mode := d.want(n, m, "mode"); mode != nil {
		fs.Mode = Mode(d.checked(mode, func(text string) error { return checkMode(Mode(text)) }))
	}
	fs.Rules = d.rules(f, m["rules"])
	fs.Items = d.items(f, m["items"])
	return fs
}

// items reads the golden items. They need not be sorted.
func (d *reader) items(f inventory.Facet, n *yaml.Node) *inventory.State {
	b := inventory.NewBuilder(f)
	if n != nil {
		known := f.Fields()
		d.pairs(n, "items", func(key string, k, v *yaml.Node) {
			d.canonical(k, key)
			var fields []inventory.Field
			d.pairs(v, "the fields of an item", func(name string, k, v *yaml.Node) {
				if !slices.Contains(known, name) {
					d.fail(k, "%v", checkField(f, name))
					return
				}
				value := d.text(v)
				d.canonical(v, value)
				fields = append(fields, inventory.Field{Name: name, Value: value})
			})
			it, err := inventory.NewItem(key, fields...)
			if err != nil {
				if d.faults() == 0 { // otherwise it was said already, and better
					d.fail(k, "%v", err)
				}
				return
			}
			b.Add(it)
		})
	}
	st, err := b.State()
	if err != nil {
		d.fail(n, "%v", err)
	}
	return st
}
