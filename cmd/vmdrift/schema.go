package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/inventory"
)

// schemas are the JSON forms that vmdrift writes and the YAML forms that it reads.
var schemas = map[string]func() ([]byte, error){
	"baseline":  baseline.Schema,
	"change":    reflected[[]change]("What scan, diff and drift list give: an entry per change and machine."),
	"config":    reflected[config.File]("vmdrift.yaml."),
	"diagnosis": reflected[diagnosis]("What doctor gives."),
	"event":     reflected[[]historyRow]("What machines history gives: an entry per facet and time."),
	"gap":       reflected[[]gap]("What could not be observed: scan --gaps."),
	"item":      reflected[[]findRow]("What find gives: an entry per item and machine."),
	"machine":   reflected[[]machineRow]("What machines list gives."),
	"revision":  reflected[[]revisionRow]("What baseline list, show and history give."),
	"run":       reflected[[]runRow]("What run list gives; run show gives one entry."),
	"schedule":  reflected[[]scheduleRow]("What schedule list gives."),
	"stats":     reflected[[]statsRow]("What admin stats gives."),
	"worker":    reflected[[]workerRow]("What workers gives."),
	"snapshot":  reflected[snapshotForm]("What snapshot and machines show give."),
}

// snapshotForm describes what inventory.Snapshot marshals to.
type snapshotForm struct {
	Schema       string                              `json:"schema" jsonschema:"enum=vmdrift.snapshot/v1"`
	Machine      inventory.Machine                   `json:"machine"`
	TakenAt      string                              `json:"taken_at" jsonschema:"format=date-time"`
	Probe        string                              `json:"probe,omitempty" jsonschema:"description=SHA-256 of the script that ran."`
	Privilege    string                              `json:"privilege,omitempty" jsonschema:"enum=root,enum=sudo,enum=user"`
	Observations map[inventory.Facet]observationForm `json:"observations"`
}

type observationForm struct {
	Status        inventory.Status             `json:"status" jsonschema:"enum=complete,enum=partial,enum=denied,enum=failed,enum=unsupported"`
	Reason        string                       `json:"reason,omitempty" jsonschema:"description=Why the status is not complete."`
	Missing       []string                     `json:"missing,omitempty" jsonschema:"description=Fields that could not be read on some or all items."`
	ItemsComplete bool                         `json:"items_complete" jsonschema:"description=Every item there is is listed: one that is not is absent from the machine."`
	Digest        string                       `json:"digest,omitempty" jsonschema:"description=SHA-256 of the canonical form. Not read."`
	Items         map[string]map[string]string `json:"items,omitempty" jsonschema:"description=Key to fields; all text is canonical. A field that an item lacks is unknown."`
}

func reflected[T any](what string) func() ([]byte, error) {
	return func() ([]byte, error) {
		var zero T
		r := jsonschema.Reflector{DoNotReference: true, Anonymous: true}
		s := r.Reflect(zero)
		s.Description = what
		return json.MarshalIndent(s, "", "  ")
	}
}

func (a *app) schemaCommand() *cobra.Command {
	names := slices.Sorted(maps.Keys(schemas))
	var list bool
	c := &cobra.Command{
		Use:       "schema NAME",
		GroupID:   "setup",
		Short:     "Print the JSON Schema of what vmdrift writes and reads",
		Long:      "Schema prints a JSON Schema: " + strings.Join(names, ", ") + ".\ndocs/json.md tells what the forms promise.",
		ValidArgs: names,
		Args:      args(cobra.MaximumNArgs(1)),
	}
	c.Flags().BoolVar(&list, "list", false, "print the names instead")
	c.RunE = func(_ *cobra.Command, given []string) error {
		if list {
			_, err := fmt.Fprintln(a.stdout, strings.Join(names, "\n"))
			return err
		}
		if len(given) == 0 || schemas[given[0]] == nil {
			return fmt.Errorf("name one of the schemas: %s", strings.Join(names, ", "))
		}
		text, err := schemas[given[0]]()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	return c
}
