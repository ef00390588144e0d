package baseline

import (
	"bytes"
	_ "embed"
	"fmt"
	"sync"

	"github.com/vmdrift/vmdrift/inventory"
)

// DefaultsV1 and NoDefaults are what Spec.Defaults can name.
const (
	DefaultsV1 = "v1"
	NoDefaults = "none"
)

// defaultsV1 is part of what every baseline with "defaults: v1" means: once
// released it is never edited, and other rules become v2.
//
//go:embed defaults_v1.yaml
var defaultsV1 []byte

// A RuleSet is a named set of rules per facet, without items.
type RuleSet struct {
	Name   string
	Facets map[inventory.Facet][]Rule
}

// readDefaultsV1 reads the rules once. They are compiled into the program, so that an error
// is a mistake of its author.
var readDefaultsV1 = sync.OnceValue(func() RuleSet {
	set, err := ReadRulesYAML("defaults_v1.yaml", bytes.NewReader(defaultsV1))
	if err != nil {
		panic("baseline: " + err.Error())
	}
	return set
})

// Defaults returns a built-in set of rules: "v1", or the empty one, "none". It must not be changed.
func Defaults(name string) (RuleSet, error) {
	switch name {
	case DefaultsV1:
		return readDefaultsV1(), nil
	case NoDefaults:
		return RuleSet{Name: NoDefaults}, nil
	}
	return RuleSet{}, fmt.Errorf("%.40q is no built-in set of rules: want v1 or none", name)
}

// DefaultsYAML returns the text of a built-in set of rules, with its comments.
func DefaultsYAML(name string) ([]byte, error) {
	if _, err := Defaults(name); err != nil {
		return nil, err
	}
	if name == NoDefaults {
		return []byte("vmdrift: rules/v1\nname: none\nfacets: {}\n"), nil
	}
	return bytes.Clone(defaultsV1), nil
}
