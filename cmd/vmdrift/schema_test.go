package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	jsonschema "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// compile compiles one of the schemas that vmdrift prints.
func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, err := schemas[name]()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instance(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestWhatIsWrittenFitsItsSchemaAndAMistakeDoesNot(t *testing.T) {
	now := time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)
	want, have := "a", "b"
	ch := changeOfFinding(drift.FindingRecord{
		Finding: drift.Finding{State: drift.Open, FirstSeen: now, LastSeen: now, Change: baseline.Change{
			Facet: inventory.Packages, Key: "deb/a:amd64", Op: baseline.Changed, Severity: baseline.High,
			Fields: []baseline.FieldChange{{Name: "version", Want: &want, Have: &have}},
		}},
		MachineName: "web-1", Baseline: "web", Revision: 2,
	})
	st, err := inventory.ParseState(inventory.Users, "root\tuid=0\n")
	if err != nil {
		t.Fatal(err)
	}
	snap := inventory.Snapshot{
		Machine: inventory.Machine{ID: inventory.MachineID{Source: "test", NativeID: "1"}, Name: "web-1", Labels: map[string]string{"role": "web"}},
		TakenAt: now, Privilege: "root", Probe: strings.Repeat("0", 64),
		Observations: []inventory.Observation{
			{Facet: inventory.Ports, Status: inventory.Denied, Reason: "no"}, inventory.Observe(st),
		},
	}
	machineOne := machineRow{Schema: "vmdrift.machine/v1", Labels: map[string]string{}, Drift: map[string]int{"high": 1}, Facets: []facetRow{}, LastObserved: &now}
	neverSeen := machineOne
	neverSeen.LastObserved = nil
	for name, v := range map[string]any{
		"change": []change{ch, changeOf("web-2", baseline.Change{
			Facet: inventory.Users, Key: "eve", Op: baseline.Added, Fields: []baseline.FieldChange{{Name: "uid", Have: &have}},
		})},
		"gap":      []gap{{Schema: gapSchema, Machine: "web-1", Status: "unreachable", Reason: "no route"}},
		"item":     []findRow{{Schema: "vmdrift.item/v1", Machine: "web-1", Facet: inventory.Users, Key: "root", Fields: map[string]string{"uid": "0"}, Since: now}},
		"machine":  []machineRow{machineOne, neverSeen},
		"revision": []revisionRow{{Schema: "vmdrift.revision/v1", Baseline: "web", Revision: 1, At: now}},
		"snapshot": snap,
	} {
		s := compile(t, name)
		if err := s.Validate(instance(t, v)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wrong := instance(t, v)
		one, ok := wrong.(map[string]any)
		if list, isList := wrong.([]any); isList {
			one, ok = list[0].(map[string]any)
		}
		if !ok {
			t.Fatalf("%s: %T", name, wrong)
		}
		one["surprise"] = 1
		if s.Validate(wrong) == nil {
			t.Errorf("%s: a field that is not in the schema passed", name)
		}
	}
}

func TestTheConfigurationSchemaTakesTheDocumentedExample(t *testing.T) {
	example := map[string]any{
		"vmdrift": "config/v1", "database": "env:VMDRIFT_DB",
		"ssh":      map[string]any{"user": "scanner", "identity_files": []any{"keys/scanner"}, "accept_new": false},
		"scan":     map[string]any{"concurrency": 50, "timeout": "2m", "sudo": "auto"},
		"machines": []any{map[string]any{"name": "web-1", "labels": map[string]any{"role": "web"}}},
	}
	s := compile(t, "config")
	if err := s.Validate(instance(t, example)); err != nil {
		t.Error(err)
	}
	example["machnes"] = []any{}
	if s.Validate(instance(t, example)) == nil {
		t.Error("a mistyped key passed")
	}
}
