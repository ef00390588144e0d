package baseline

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestTheSchemaHasTheKeysThatTheReaderKnows(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Properties           map[string]node `json:"properties"`
		AdditionalProperties json.RawMessage `json:"additionalProperties"`
		Items                json.RawMessage `json:"items"`
	}
	var root node
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	keys := func(n node) []string { return slices.Sorted(maps.Keys(n.Properties)) }
	if d := cmp.Diff([]string{"defaults", "facets", "name", "selector", "vmdrift"}, keys(root)); d != "" {
		t.Error(d)
	}
	var facets []string
	for _, f := range inventory.Facets() {
		facets = append(facets, string(f))
		facet := root.Properties["facets"].Properties[string(f)]
		var rule, item node
		if err := json.Unmarshal(facet.Properties["rules"].Items, &rule); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(slices.Sorted(slices.Values(ruleKeys)), keys(rule)); d != "" {
			t.Errorf("rules of %s: %s", f, d)
		}
		if err := json.Unmarshal(facet.Properties["items"].AdditionalProperties, &item); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(f.Fields(), keys(item)); d != "" {
			t.Errorf("items of %s: %s", f, d)
		}
	}
	if d := cmp.Diff(facets, keys(root.Properties["facets"])); d != "" {
		t.Error(d)
	}
}
