package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/inventory"
)

// A diagnosis says of one machine what can be read there.
type diagnosis struct {
	Schema    string           `json:"schema" jsonschema:"enum=vmdrift.diagnosis/v1"`
	Machine   string           `json:"machine"`
	Address   string           `json:"address"`
	Privilege string           `json:"privilege" jsonschema:"enum=root,enum=sudo,enum=user"`
	Seconds   float64          `json:"seconds"`
	Facets    []facetDiagnosis `json:"facets"`
}

type facetDiagnosis struct {
	Facet  inventory.Facet  `json:"facet"`
	Status inventory.Status `json:"status"`
	Items  int              `json:"items"`
	Reason string           `json:"reason,omitempty"`
	Advice string           `json:"advice,omitempty" jsonschema:"description=The one line that mends it."`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "doctor TARGET",
		GroupID: "scan",
		Short:   "Say what can and cannot be read on a machine, and how to mend it",
		Long: `Doctor goes into one target and says of every facet whether it could be read
whole, and, where it could not, why not and the one line that mends it.

Exit status: 0 everything can be read, 1 something cannot, 2 the machine could not be scanned.`,
		Args: args(cobra.MaximumNArgs(1)),
	}
	r := a.addReach(c, false)
	c.RunE = func(c *cobra.Command, names []string) error {
		res, err := a.one(c, r, names)
		if err != nil {
			return err
		}
		if res.Err != nil {
			return a.troubleOf(res)
		}
		d := diagnosis{Schema: "vmdrift.diagnosis/v1", Machine: res.Machine.Name, Address: res.Machine.Address, Privilege: res.Snapshot.Privilege, Seconds: res.Duration.Seconds()}
		var rows [][]string
		whole := true
		for _, o := range res.Snapshot.Observations {
			l := facetDiagnosis{Facet: o.Facet, Status: o.Status, Reason: o.Reason, Advice: guest.Advice(o)}
			if o.State != nil {
				l.Items = o.State.Len()
			}
			whole = whole && (o.Status == inventory.Complete || o.Status == inventory.Unsupported)
			d.Facets = append(d.Facets, l)
			rows = append(rows, []string{string(l.Facet), string(l.Status), fmt.Sprint(l.Items), l.Reason, l.Advice})
		}
		err = a.print(listing{d, []string{"facet", "status", "items", "reason", "advice"}, rows, func(w io.Writer) {
			st := a.style
			fmt.Fprintf(w, "%s  %s, %s in %.2f s\n", st.bold(d.Machine), d.Address, readAs(d.Privilege), d.Seconds)
			worstFirst := slices.Clone(d.Facets)
			slices.SortStableFunc(worstFirst, func(x, y facetDiagnosis) int { return cmp.Compare(urgency(x.Status), urgency(y.Status)) })
			for _, l := range worstFirst {
				paint := st.good
				switch l.Status {
				case inventory.Partial, inventory.Unsupported:
					paint = st.warn
				case inventory.Denied, inventory.Failed:
					paint = st.alarm
				}
				fmt.Fprintf(w, "  %s %s", paint(pad(string(l.Status), 11)), pad(string(l.Facet), 9))
				if l.Status.Observed() {
					fmt.Fprintf(w, " %s", count(l.Items, "item", "items"))
				}
				fmt.Fprintln(w)
				for _, text := range []string{l.Reason, l.Advice} {
					if text != "" {
						fmt.Fprintf(w, "              %s\n", st.fold(14, text, 14))
					}
				}
			}
		}})
		if err == nil && !whole {
			err = exitStatus(exitDrift)
		}
		return err
	}
	return c
}

// readAs says with what rights a machine was read.
func readAs(privilege string) string {
	switch privilege {
	case "sudo":
		return "read as root by sudo"
	case "user":
		return "read without root"
	}
	return "read as " + privilege
}

// urgency orders statuses: what somebody must look at first.
func urgency(s inventory.Status) int {
	return slices.Index([]inventory.Status{inventory.Failed, inventory.Denied, inventory.Partial, inventory.Unsupported, inventory.Complete}, s)
}
