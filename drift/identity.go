package drift

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Sighting is one machine as a run saw it: the places that list it, and how the guest that
// answered there can be told.
type Sighting struct {
	// ID is what the machine is recorded as.
	ID inventory.MachineID `json:"id"`
	// Parts are the listings, each with an identity of its own; at least one.
	Parts []collector.Listed `json:"parts"`
	// Known is the machine as it is recorded, where it has another identity than its parts.
	Known *inventory.Machine `json:"known,omitempty"`
	// Guest is the zero Identity where nobody answered.
	Guest inventory.Identity `json:"guest,omitzero"`
	// Stranger says that the one that answered is not the one that a platform lists.
	Stranger bool `json:"stranger,omitempty"`
}

// A Link says that two rows are one machine.
type Link struct {
	From, Into inventory.MachineID
	// Name is what the machine is called from now on; empty leaves it as it is.
	Name string
}

// links finds which of the sightings are one machine. Proof is, in this order:
//
//   - two sources that list the same thing by the same id of the platform's;
//   - a guest whose firmware (SMBIOS UUID) or cloud (instance id) names exactly one listed machine;
//   - two answers from one running kernel with one machine id.
//
// Never a name, an address, or a machine id by itself: those are copied and given to others. Where two
// listed machines have the same evidence, as clones may, it proves nothing.
func links(all []Sighting) []Link {
	var out []Link
	into := map[inventory.MachineID]inventory.MachineID{}
	join := func(a, b Sighting) {
		if rank(b) < rank(a) {
			a, b = b, a
		}
		if a.ID == b.ID || into[b.ID] != (inventory.MachineID{}) || into[a.ID] != (inventory.MachineID{}) {
			return
		}
		into[b.ID] = a.ID
		out = append(out, Link{From: b.ID, Into: a.ID, Name: betterName(a, b)})
	}

	native := map[string]Sighting{}
	evidence := map[collector.Evidence][]Sighting{}
	for _, s := range all {
		for _, p := range s.Parts {
			if p.Kind == collector.Host {
				continue
			}
			key := string(p.Kind) + "\x00" + p.Machine.ID.NativeID
			if o, ok := native[key]; ok && (p.Kind == collector.Task || proves(o, s)) {
				join(o, s)
				continue
			}
			native[key] = s
			for _, e := range p.Evidence {
				if list := evidence[e]; len(list) == 0 || list[len(list)-1].ID != s.ID {
					evidence[e] = append(list, s)
				}
			}
		}
	}
	boots := map[inventory.Identity]Sighting{}
	for _, s := range all {
		if s.Stranger {
			continue // who answered is nobody that its listing tells
		}
		for _, e := range []collector.Evidence{
			{Kind: collector.InstanceID, Value: s.Guest.InstanceID},
			{Kind: collector.SMBIOSUUID, Value: s.Guest.SMBIOSUUID},
		} {
			// Two that answered from two systems are two, whatever their firmware says.
			if who := evidence[e]; e.Value != "" && len(who) == 1 && (who[0].Guest.BootID == "" || who[0].Guest.SameBoot(s.Guest)) {
				join(who[0], s)
			}
		}
		boot := inventory.Identity{MachineID: s.Guest.MachineID, BootID: s.Guest.BootID}
		if o, ok := boots[boot]; ok && boot.SameBoot(boot) {
			join(o, s)
		} else {
			boots[boot] = s
		}
	}
	return out
}

// strangers are the lines of inventories whose address leads to another machine than the one that they
// were found to be: they are machines of their own again, until it is known whose.
func strangers(all []Sighting) []inventory.MachineID {
	var out []inventory.MachineID
	for _, s := range all {
		for _, p := range s.Parts {
			if s.Stranger && p.Kind == collector.Host && p.Machine.ID != s.ID {
				out = append(out, p.Machine.ID)
			}
		}
	}
	return out
}

// proves reports whether two sightings share evidence of their platforms.
func proves(a, b Sighting) bool {
	for _, p := range a.Parts {
		for _, q := range b.Parts {
			if slices.ContainsFunc(p.Evidence, func(e collector.Evidence) bool { return slices.Contains(q.Evidence, e) }) {
				return true
			}
		}
	}
	return false
}

// rank orders sightings by how lasting what they are recorded as is: a platform's id, a line of an
// inventory, an address that somebody typed.
func rank(s Sighting) int {
	switch {
	case slices.ContainsFunc(s.Parts, func(p collector.Listed) bool { return p.Kind != collector.Host && p.Machine.ID == s.ID }):
		return 0
	case s.ID.Source == collector.Typed:
		return 2
	}
	return 1
}

// betterName returns the name for a machine that is a in one place and b in another, or nothing if a's is right.
func betterName(a, b Sighting) string {
	named := Sighting{Parts: slices.Concat(a.Parts, b.Parts)}.named()
	if named.Machine.ID == a.Parts[0].Machine.ID {
		return ""
	}
	return named.Machine.Name
}

// named returns the part after which the machine is named: a line of an inventory, which people wrote,
// unless it is only an address; else the first.
func (s Sighting) named() collector.Listed {
	for _, p := range s.Parts {
		if _, err := netip.ParseAddr(p.Machine.Name); err != nil && p.Kind == collector.Host && p.Machine.ID.Source != collector.Typed {
			return p
		}
	}
	return s.Parts[0]
}

// An Alias is a row that another one stands for.
type Alias struct {
	ID   inventory.MachineID
	Into inventory.Machine // as it is recorded
}

// sightings puts together what is listed of each machine, in the order in which they are listed. A
// listing that is there twice counts once.
func sightings(listed []collector.Listed, aliases []Alias) []Sighting {
	into := make(map[inventory.MachineID]inventory.Machine, len(aliases))
	for _, a := range aliases {
		into[a.ID] = a.Into
	}
	place := make(map[inventory.MachineID]int, len(listed))
	seen := make(map[inventory.MachineID]bool, len(listed))
	var out []Sighting
	for _, l := range listed {
		own := l.Machine.ID
		if seen[own] {
			continue
		}
		seen[own] = true
		id := own
		known, alias := into[own]
		if alias {
			id = known.ID
		}
		i, ok := place[id]
		if !ok {
			i = len(out)
			place[id] = i
			out = append(out, Sighting{ID: id})
		}
		out[i].Parts = append(out[i].Parts, l)
		if alias {
			out[i].Known = &known
		}
	}
	for i := range out {
		// The one that it is recorded as first, then platforms, then inventories.
		slices.SortStableFunc(out[i].Parts, func(a, b collector.Listed) int {
			return cmp.Or(cmp.Compare(place01(a.Machine.ID == out[i].ID), place01(b.Machine.ID == out[i].ID)),
				cmp.Compare(place01(a.Kind != collector.Host), place01(b.Kind != collector.Host)))
		})
	}
	return out
}

func place01(first bool) int {
	if first {
		return 0
	}
	return 1
}

// Joined returns the sighting as one listed machine: each facet from the first that has it, the labels
// of all, the address that people wrote down before the one that a platform tells.
func (s Sighting) Joined() collector.Listed {
	out := s.Parts[0]
	if len(s.Parts) == 1 && s.Known == nil {
		return out
	}
	parts := s.Parts
	if s.Known != nil && out.Machine.ID != s.ID { // what it is recorded as was not listed this time: that stays as it was
		parts = slices.Concat([]collector.Listed{{Machine: *s.Known, Kind: out.Kind}}, parts)
		out.Machine.Name = s.Known.Name
	} else {
		out.Machine.Name = s.named().Machine.Name
	}
	out.Machine.ID = s.ID
	labels := map[string]string{}
	have := map[inventory.Facet]bool{}
	out.Observations, out.Evidence = nil, nil
	for _, p := range parts {
		for k, v := range p.Machine.Labels {
			if _, ok := labels[k]; !ok {
				labels[k] = v
			}
		}
		for _, o := range p.Observations {
			if !have[o.Facet] {
				have[o.Facet] = true
				out.Observations = append(out.Observations, o)
			}
		}
		out.Evidence = append(out.Evidence, p.Evidence...)
		if out.Power == collector.PowerUnknown {
			out.Power = p.Power
		}
	}
	for _, p := range s.Parts {
		if p.Kind == collector.Host && p.Machine.Address != "" {
			out.Machine.Address, out.IdentityFile, out.Jump = p.Machine.Address, p.IdentityFile, p.Jump
			break
		}
	}
	if name, ok := s.named().Machine.Labels["name"]; ok && out.Machine.Name == s.named().Machine.Name {
		labels["name"] = name
	}
	slices.SortFunc(out.Observations, func(a, b inventory.Observation) int { return cmp.Compare(a.Facet, b.Facet) })
	out.Machine.Labels = labels
	return out
}
