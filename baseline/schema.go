package baseline

import (
	"encoding/json"
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

// Schema returns the JSON Schema of the YAML form, for editors:
//
//	# yaml-language-server: $schema=baseline.schema.json
//
// It is written by hand, not reflected: in the YAML form items are keyed by name and their fields depend on
// the facet, where the Go type has one canonical text; and a value may be written as a number or a
// truth value, which stands for its text.
func Schema() ([]byte, error) {
	facets := object{}
	for _, f := range inventory.Facets() {
		facets[string(f)] = facetSchema(f)
	}
	out, err := json.MarshalIndent(object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://github.com/vmdrift/vmdrift/schemas/baseline.schema.json",
		"title":       "vmdrift baseline",
		"description": "What a machine should be. docs/baselines.md explains it.",
		"type":        "object", "additionalProperties": false,
		"required": []string{"vmdrift", "name", "facets"},
		"properties": object{
			"vmdrift":  object{"const": BaselineForm, "description": "The form of this file."},
			"name":     object{"type": "string", "pattern": namePattern.String()},
			"selector": object{"type": "string", "description": "A label selector: role=web,env in (prod,stage). Without one the baseline applies only where it is named."},
			"defaults": object{"enum": []string{DefaultsV1, NoDefaults}, "default": DefaultsV1, "description": "The built-in rules that come before the baseline's own."},
			"facets":   object{"type": "object", "additionalProperties": false, "properties": facets, "description": "Facets that are not here are not compared."},
		},
		"$defs": object{
			"text": object{"type": []string{"string", "number", "boolean"}, "description": "Taken as it is written: 1.10 is \"1.10\"."},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of baselines: %w", err)
	}
	return append(out, '\n'), nil
}

type object map[string]any

func facetSchema(f inventory.Facet) object {
	fields, conditions := object{}, object{}
	for _, name := range f.Fields() {
		fields[name] = object{"$ref": "#/$defs/text"}
		conditions[name] = object{"$ref": "#/$defs/text", "description": "A glob; ! before it negates."}
	}
	where := func(text string) object {
		return object{"type": "object", "additionalProperties": false, "properties": conditions, "description": text}
	}
	text := func(description string) object {
		return object{"$ref": "#/$defs/text", "description": description}
	}
	var severities []string
	for _, s := range Severities() {
		severities = append(severities, s.String())
	}
	rule := object{
		"type": "object", "additionalProperties": false,
		"anyOf": anyOf("ignore", "severity", "any", "one_of", "regexp", "at_least", "below"),
		"properties": object{
			"match":    text("A glob over keys: * is any run of characters, ? any one."),
			"where":    where("Globs over the fields of the item had, or else of the one wanted."),
			"was":      where("Globs over the fields of the item wanted. Goes with severity only."),
			"ops":      object{"type": "array", "items": object{"enum": []Op{Added, Removed, Changed}}},
			"field":    object{"enum": f.Fields(), "description": "Only differences in this field."},
			"gained":   text("A glob over what the field, a list, has more than the one wanted. Goes with field and severity."),
			"ignore":   object{"type": "boolean"},
			"severity": object{"enum": severities},
			"any":      object{"type": "boolean", "description": "Every value of the field is right."},
			"one_of":   object{"type": "array", "items": object{"$ref": "#/$defs/text"}, "minItems": 1, "description": "These values of the field are right."},
			"regexp":   text("Values of the field that match this RE2 expression as a whole are right."),
			"at_least": text("This version and later ones are right, by the packaging system's own order."),
			"below":    text("Versions earlier than this are right."),
		},
	}
	return object{
		"type": "object", "additionalProperties": false, "required": []string{"mode"},
		"properties": object{
			"mode":  object{"enum": []Mode{Closed, Open}, "description": "closed: an item that is not here is drift; open: only the items here matter."},
			"rules": object{"type": "array", "items": rule, "description": "The last rule that matches decides."},
			"items": object{
				"type": "object", "description": "A field that an item lacks is not compared.",
				"additionalProperties": object{"type": "object", "additionalProperties": false, "properties": fields},
			},
		},
	}
}

func anyOf(keys ...string) (out []object) {
	for _, k := range keys {
		out = append(out, object{"required": []string{k}})
	}
	return out
}
