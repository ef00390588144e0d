// Package simfleet makes up a fleet for benchmarks and budgets: machines from 20
// images, about 944 items each, of which a few change every night. The same seed makes
// the same fleet.
//
// It is the fleet that the storage was designed by: 2 % of the machines change on a
// night, in one item mostly; and on one night in 30 the machines of one image have 40
// packages patched. Every machine has a machine id and a hardware UUID of its own.
//
// It knows nothing of how a state is collected or kept.
package simfleet

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// Images is how many images there are: five distributions in four roles.
const Images = 20

// Facets of every machine, sorted; the order of Machine.States.
var Facets = inventory.GuestFacets()

// A Fleet is a number of machines as they are after some night.
type Fleet struct {
	rng      *rand.Rand
	images   [Images]image
	machines []*Machine
	states   map[inventory.Digest]*inventory.State // each distinct one once
	nights   int
}

// A Machine as it is now.
type Machine struct {
	inventory.Machine
	Image  int
	States []*inventory.State // one per facet, in the order of Facets
}

// New returns a fleet of n machines before its first night.
func New(seed uint64, n int) *Fleet {
	f := &Fleet{rng: rand.New(rand.NewPCG(seed, seed)), states: map[inventory.Digest]*inventory.State{}}
	for i := range f.images {
		f.images[i] = newImage(i, f)
	}
	for i := range n {
		f.machines = append(f.machines, f.newMachine(i))
	}
	return f
}

// Machines returns all machines.
func (f *Fleet) Machines() []*Machine { return f.machines }

// Night lets a night pass and returns the machines that changed in it.
func (f *Fleet) Night() []*Machine {
	f.nights++
	changed := map[*Machine]bool{}
	for range len(f.machines) / 50 {
		m := f.machines[f.rng.IntN(len(f.machines))]
		f.change(m)
		changed[m] = true
	}
	if f.nights%30 == 15 {
		img := f.rng.IntN(Images)
		patch := f.patch(img)
		for _, m := range f.machines {
			if m.Image == img {
				f.replace(m, inventory.Packages, patch)
				changed[m] = true
			}
		}
	}
	var out []*Machine
	for _, m := range f.machines {
		if changed[m] {
			out = append(out, m)
		}
	}
	return out
}

func (f *Fleet) newMachine(i int) *Machine {
	img := i % Images
	name := fmt.Sprintf("%s-%s-%04d", roles[img%len(roles)], distros[img/len(roles)].id, i)
	m := &Machine{
		Machine: inventory.Machine{
			ID:   inventory.MachineID{Source: "vsphere:dc1", NativeID: f.uuid()},
			Name: name, Address: fmt.Sprintf("scan@10.%d.%d.%d:22", i>>16, i>>8&255, i&255),
			Labels: map[string]string{"role": roles[img%len(roles)], "os": distros[img/len(roles)].id, "env": "prod"},
		},
		Image: img, States: slices.Clone(f.images[img].states),
	}
	f.replace(m, inventory.OS, []edit{
		{key: "machine_id", fields: []inventory.Field{{Name: "value", Value: f.uuid()}}},
		{key: "smbios_uuid", fields: []inventory.Field{{Name: "value", Value: f.uuid()}}},
	})
	return m
}

// change does to one machine what happens to machines.
func (f *Fleet) change(m *Machine) {
	n := f.rng.IntN(100)
	switch {
	case n < 35: // a package is upgraded
		f.replace(m, inventory.Packages, []edit{f.upgrade(m)})
	case n < 50: // a tool is installed, or was
		name := tools[f.rng.IntN(len(tools))]
		f.replace(m, inventory.Packages, []edit{{key: distros[m.Image/len(roles)].kind + "/" + name + ":amd64", fields: packageFields(name, 1), toggle: true}})
	case n < 65: // something listens
		f.replace(m, inventory.Ports, []edit{{
			key:    fmt.Sprintf("tcp/0.0.0.0:%d", 8000+f.rng.IntN(200)),
			fields: fieldsOf("dual_stack", "no", "ephemeral", "no", "process", "java", "user", "app"), toggle: true,
		}})
	case n < 80: // somebody comes or goes
		f.replace(m, inventory.Users, []edit{{key: fmt.Sprintf("u%03d", f.rng.IntN(300)), fields: userFields(2000), toggle: true}})
	default: // a service fails or recovers
		old := f.pick(m, inventory.Services)
		f.replace(m, inventory.Services, []edit{{key: old.Key(), fields: fieldsOf("active", "failed", "enabled", "enabled", "sub", "failed"), toggle: true}})
	}
}

// upgrade is a package in its next version, the same for all who upgrade it.
func (f *Fleet) upgrade(m *Machine) edit {
	old := f.pick(m, inventory.Packages)
	source, _ := old.Field("source")
	return edit{key: old.Key(), fields: packageFields(source, 2+f.nights/20)}
}

func (f *Fleet) pick(m *Machine, facet inventory.Facet) inventory.Item {
	items := m.States[slices.Index(Facets, facet)].Items()
	return items[f.rng.IntN(len(items))]
}

// patch is 40 packages of an image in a new version.
func (f *Fleet) patch(img int) []edit {
	var edits []edit
	items := f.images[img].states[slices.Index(Facets, inventory.Packages)].Items()
	for _, at := range f.rng.Perm(len(items))[:40] {
		source, _ := items[at].Field("source")
		edits = append(edits, edit{key: items[at].Key(), fields: packageFields(source, 100+f.nights)})
	}
	return edits
}

// An edit is an item as it becomes; toggle takes it away if it is there just so.
type edit struct {
	key    string
	fields []inventory.Field
	toggle bool
}

// replace changes one facet of a machine.
func (f *Fleet) replace(m *Machine, facet inventory.Facet, edits []edit) {
	at := slices.Index(Facets, facet)
	var items []inventory.Item
	pending := map[string]inventory.Item{}
	for _, e := range edits {
		it := newItem(e.key, e.fields...)
		if old, ok := m.States[at].Get(e.key); e.toggle && ok && old.Encoded() == it.Encoded() {
			it = inventory.Item{}
		}
		pending[e.key] = it
	}
	for _, it := range m.States[at].Items() {
		if _, ok := pending[it.Key()]; !ok {
			items = append(items, it)
		}
	}
	for _, it := range pending {
		if it.Key() != "" {
			items = append(items, it)
		}
	}
	m.States[at] = f.state(facet, items)
}

// state returns the one copy of a state.
func (f *Fleet) state(facet inventory.Facet, items []inventory.Item) *inventory.State {
	s, err := inventory.NewState(facet, items...)
	if err != nil {
		panic(err) // made up wrongly
	}
	if old, ok := f.states[s.Digest()]; ok {
		return old
	}
	f.states[s.Digest()] = s
	return s
}

func (f *Fleet) uuid() string {
	return fmt.Sprintf("%016x-%016x", f.rng.Uint64(), f.rng.Uint64())
}

func newItem(key string, fields ...inventory.Field) inventory.Item {
	it, err := inventory.NewItem(key, fields...)
	if err != nil {
		panic(err) // made up wrongly
	}
	return it
}

func fieldsOf(pairs ...string) []inventory.Field {
	var out []inventory.Field
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, inventory.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}
