package baseline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// A Gap is what a captured baseline could not take over from its machine.
type Gap struct {
	Facet  inventory.Facet
	Status inventory.Status // empty if the snapshot does not have the facet at all
	Reason string           // one sentence, canonical text
	// Missing names the fields that are not known on some or all items. They are
	// not compared there.
	Missing []string
	// LeftOut says that the facet is not in the baseline at all, and so not compared.
	LeftOut bool
}

// Capture makes a baseline of what a machine is: all facets that were observed,
// closed, under the built-in rules. What those ignore in any case (what names the
// machine, the sockets of clients, services on their way to another state) is left out.
//
// Facets that could not be read are left out and returned as gaps: a baseline must not say that
// nothing is wanted there. So is a facet whose items are not all known. Where
// only fields are missing, the items are taken without them, and a gap says so.
//
// The result is not checked: name and selector may yet be refused by Compile.
func Capture(snap inventory.Snapshot, name, selector string) (Spec, []Gap) {
	s := Spec{Name: name, Selector: selector, Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{}}
	var gaps []Gap
	seen := map[inventory.Facet]bool{}
	for _, o := range snap.Observations {
		seen[o.Facet] = true
		gap := Gap{Facet: o.Facet, Status: o.Status, Reason: o.Reason, Missing: o.Missing}
		switch {
		case o.Facet == inventory.Presence: // it is to be seen, whether it is now or not
			continue
		case !o.Facet.Known():
			gap.LeftOut, gap.Reason = true, "this version of vmdrift does not know the facet"
		case !o.Status.Observed() || o.State == nil:
			gap.LeftOut = true
		case !o.ItemsComplete:
			gap.LeftOut = true
			if gap.Reason == "" {
				gap.Reason = "not all items could be read"
			}
		default:
			items, err := lasting(o.State)
			if err != nil {
				gap.LeftOut, gap.Reason = true, inventory.Escape(err.Error())
				break
			}
			s.Facets[o.Facet] = FacetSpec{Mode: Closed, Items: items}
			if o.Status == inventory.Complete {
				continue
			}
		}
		gaps = append(gaps, gap)
	}
	// A hypervisor has no guest, and so nothing of one is missing.
	guest := slices.ContainsFunc(inventory.GuestFacets(), func(f inventory.Facet) bool { return seen[f] })
	for _, f := range inventory.GuestFacets() {
		if guest && !seen[f] {
			gaps = append(gaps, Gap{Facet: f, Reason: "the snapshot does not have it", LeftOut: true})
		}
	}
	return s, gaps
}

// lasting returns the state without the items and fields that the built-in rules
// ignore whatever becomes of them.
func lasting(st *inventory.State) (*inventory.State, error) {
	rules, err := CompileRules(st.Facet(), Closed, readDefaultsV1().Facets[st.Facet()])
	if err != nil {
		return nil, err
	}
	b := inventory.NewBuilder(st.Facet())
	b.Grow(st.Len(), len(st.Text()))
	var buf []matched
	for _, it := range st.Items() {
		// As one that a machine later has or lacks, beside the same one wanted.
		buf = rules.matching(buf[:0], Added, it.Key(), &it, nil)
		if ignored(buf, "") {
			continue
		}
		buf = rules.matching(buf[:0], Changed, it.Key(), &it, &it)
		line := []string{it.Key()}
		for f := range it.Fields() {
			if !ignored(buf, f.Name) {
				line = append(line, f.Name+"="+f.Value)
			}
		}
		kept, err := inventory.ParseLine(strings.Join(line, "\t"))
		if err != nil {
			return nil, fmt.Errorf("item %.200s: %w", it.Key(), err)
		}
		b.Add(kept)
	}
	return b.State()
}
