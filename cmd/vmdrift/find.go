package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// findRow is an item on a machine.
type findRow struct {
	Schema  string            `json:"schema"`
	Machine string            `json:"machine"`
	Facet   inventory.Facet   `json:"facet"`
	Key     string            `json:"key"`
	Fields  map[string]string `json:"fields"`
	Since   time.Time         `json:"since"`
}

func (a *app) findCommand() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:     "find QUERY",
		GroupID: "know",
		Short:   "Find the machines that have an item, now or on a date",
		Long: `Find answers from what was seen last; no machine is contacted. A query is a facet
and conditions, all of which an item must meet: a field or a part of the key, one
of = != < <= > >= and a value. = and != take the globs * and ?. Versions are ordered
as their packaging system orders them.

  packages  manager name arch version source state hold
  ports     protocol address port process user dual_stack ephemeral
  users     name uid gid groups home shell password
  groups    name gid other_members
  services  name enabled active sub
  os        name value id version codename

Of what a platform knows (cloud, hardware, hypervisor, network, tags, task) there is
key, and the fields that docs/facets.md lists.

Exit status: 0 whatever was found, 2 trouble.`,
		Example: `  vmdrift find 'packages name=openssl version<3.0.11'
  vmdrift find 'ports port=2375 address!=127.0.0.1' --at 2026-11-01
  vmdrift find users uid=0 name!=root
  vmdrift find 'network key=ingress/*/0.0.0.0/0'`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(facetNames(), cobra.ShellCompDirectiveNoFileComp),
	}
	c.Flags().StringVar(&at, "at", "", "as it was at that `time` (2026-11-01, 2026-11-01T04:00, or RFC 3339)")
	c.RunE = func(c *cobra.Command, words []string) error {
		q, err := drift.ParseQuery(strings.Join(words, " "))
		if err != nil {
			return err
		}
		moment, err := parseTime(at)
		if err != nil {
			return err
		}
		svc, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		hits, err := svc.Find(c.Context(), q, moment)
		if err != nil {
			return err
		}
		ms, err := st.ListMachines(c.Context())
		if err != nil {
			return err
		}
		unknown := q.Unknown(ms, moment)
		if a.flags.output != "table" { // which have no place for it
			a.writeUnknown(a.stderr, unknown)
		}
		rows, cells := []findRow{}, [][]string{}
		for _, h := range hits {
			r := findRow{Schema: "vmdrift.item/v1", Machine: h.Machine, Facet: q.Facet, Key: h.Item.Key(), Fields: map[string]string{}, Since: h.Since}
			for f := range h.Item.Fields() {
				r.Fields[f.Name] = f.Value
			}
			rows = append(rows, r)
			cells = append(cells, []string{h.Machine, string(q.Facet), h.Item.Key(), itemText(h.Item), h.Since.UTC().Format(time.RFC3339)})
		}
		return a.print(listing{rows, []string{"machine", "facet", "key", "fields", "since"}, cells, func(w io.Writer) {
			if len(hits) == 0 {
				fmt.Fprintln(w, "No machine is known to have it.")
				a.writeUnknown(w, unknown)
				return
			}
			t, flush := columns(w)
			fmt.Fprintln(t, "MACHINE\tITEM\tFIELDS")
			machines := map[string]bool{}
			for _, h := range hits {
				machines[h.Machine] = true
				fmt.Fprintf(t, "%s\t%s\t%s\n", h.Machine, shownKey(h.Item.Key()), itemText(h.Item))
			}
			flush()
			fmt.Fprintf(w, "\n%s on %s\n", count(len(hits), "item", "items"), count(len(machines), "machine", "machines"))
			a.writeUnknown(w, unknown)
		}})
	}
	return c
}

// writeUnknown says which machines may have what was asked for all the same.
func (a *app) writeUnknown(w io.Writer, unknown []drift.Unknown) {
	for i, u := range unknown {
		if i == mostUnknown && len(unknown) > mostUnknown+1 {
			fmt.Fprintf(w, "%s of %d more: vmdrift machines list\n", a.style.warn("Not known"), len(unknown)-mostUnknown)
			return
		}
		fmt.Fprintf(w, "%s of %s: %s\n", a.style.warn("Not known"), u.Machine, u.Why)
	}
}

// mostUnknown is how many machines are worth a line each.
const mostUnknown = 5

func facetNames() []string {
	var names []string
	for _, f := range inventory.Facets() {
		names = append(names, string(f))
	}
	return names
}

// itemText writes an item's fields: "process=nc user=root".
func itemText(it inventory.Item) string {
	var parts []string
	for f := range it.Fields() {
		parts = append(parts, f.Name+"="+shown(f.Value))
	}
	return strings.Join(parts, " ")
}
