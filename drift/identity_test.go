package drift

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// sighted is a listing that is a machine of its own. uuid is its platform's evidence; a line of an inventory has none.
func sighted(source, id, uuid string, guest inventory.Identity) Sighting {
	l := collector.Listed{Kind: collector.Host, Machine: inventory.Machine{ID: inventory.MachineID{Source: source, NativeID: id}, Name: id}}
	if uuid != "" {
		l.Kind, l.Evidence = collector.VM, []collector.Evidence{{Kind: collector.SMBIOSUUID, Value: uuid}}
	}
	return Sighting{ID: l.Machine.ID, Parts: []collector.Listed{l}, Guest: guest}
}

func TestMachinesAreOneWhereItIsProvenAndNowhereElse(t *testing.T) {
	id := func(machine, boot, uuid string) inventory.Identity {
		return inventory.Identity{MachineID: machine, BootID: boot, SMBIOSUUID: uuid}
	}
	instance := sighted("aws", "1/eu/i-1", "x", inventory.Identity{})
	instance.Parts[0].Kind, instance.Parts[0].Evidence = collector.Instance, []collector.Evidence{{Kind: collector.InstanceID, Value: "i-1"}}
	stranger := sighted("config", "web", "", id("m", "b", "u"))
	stranger.Stranger = true
	for name, c := range map[string]struct {
		seen []Sighting
		want []string
	}{
		"a guest tells the UUID of one VM": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted("config", "web", "", id("m", "b", "u"))},
			[]string{"config/web is vc/vm-1, named web"},
		},
		"in whichever order they are listed": {
			[]Sighting{sighted("config", "web", "", id("m", "b", "u")), sighted("vc", "vm-1", "u", inventory.Identity{})},
			[]string{"config/web is vc/vm-1, named web"},
		},
		"an inventory that knows only the address does not name the machine": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted("config", "10.0.0.1", "", id("m", "b", "u"))},
			[]string{"config/10.0.0.1 is vc/vm-1"},
		},
		"nor does what was typed": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted(collector.Typed, "web", "", id("m", "b", "u"))},
			[]string{"target/web is vc/vm-1"},
		},
		"a guest tells the id of its instance": {
			[]Sighting{instance, sighted("config", "web", "", inventory.Identity{InstanceID: "i-1"})},
			[]string{"config/web is aws/1/eu/i-1, named web"},
		},
		"two lines of inventories lead to one running system": {
			[]Sighting{sighted("lab", "a", "", id("m", "b", "")), sighted("mine", "b", "", id("m", "b", ""))},
			[]string{"mine/b is lab/a"},
		},
		"two vCenters list one VM": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted("esx", "vm-1", "u", inventory.Identity{})},
			[]string{"esx/vm-1 is vc/vm-1"},
		},
		"the same number in two vCenters is not the same VM": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted("vc2", "vm-1", "v", inventory.Identity{})}, nil,
		},
		"clones with one machine id are two": {
			[]Sighting{sighted("lab", "a", "", id("m", "b", "u")), sighted("lab", "b", "", id("m", "c", "v"))}, nil,
		},
		"containers of one kernel are as many as they are": {
			[]Sighting{sighted("lab", "a", "", id("m", "b", "")), sighted("lab", "b", "", id("n", "b", ""))}, nil,
		},
		"clones with one UUID prove nothing by it": {
			[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), sighted("vc", "vm-2", "u", inventory.Identity{}), sighted("config", "web", "", id("m", "b", "u"))}, nil,
		},
		"two that answered from two systems are two, whatever their firmware says": {
			[]Sighting{sighted("vc", "vm-1", "u", id("m", "b", "u")), sighted("config", "web", "", id("m", "c", "u"))}, nil,
		},
		"nobody answered":    {[]Sighting{sighted("lab", "a", "", inventory.Identity{}), sighted("lab", "b", "", inventory.Identity{})}, nil},
		"a stranger answers": {[]Sighting{sighted("vc", "vm-1", "u", inventory.Identity{}), stranger}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range links(c.seen) {
				s := text(l.From) + " is " + text(l.Into)
				if l.Name != "" {
					s += ", named " + l.Name
				}
				got = append(got, s)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAMachineListedTwiceHasWhatBothSayOfIt(t *testing.T) {
	state := func(f inventory.Facet, line string) inventory.Observation {
		it, err := inventory.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		s, err := inventory.NewState(f, it)
		if err != nil {
			t.Fatal(err)
		}
		return inventory.Observe(s)
	}
	vm, web := sighted("vc", "vm-1", "u", inventory.Identity{}).Parts[0], sighted("config", "web", "", inventory.Identity{}).Parts[0]
	vm.Machine.Labels, vm.Machine.Address = map[string]string{"kind": "vm", "name": "vm-1"}, "10.0.0.1"
	web.Machine.Labels, web.Machine.Address = map[string]string{"kind": "host", "name": "web", "role": "web"}, "root@web"
	vm.Observations = []inventory.Observation{state(inventory.Tags, "folder\tvalue=prod")}
	alias := Alias{ID: web.Machine.ID, Into: inventory.Machine{ID: vm.Machine.ID, Name: "web", Labels: map[string]string{"kind": "vm", "cluster": "c1"}}}

	both := sightings([]collector.Listed{web, vm}, []Alias{alias})
	if len(both) != 1 {
		t.Fatalf("it is %d machines", len(both))
	}
	got := both[0].Joined()
	want := inventory.Machine{ID: vm.Machine.ID, Name: "web", Address: "root@web", Labels: map[string]string{"kind": "vm", "name": "web", "role": "web"}}
	if d := cmp.Diff(want, got.Machine); d != "" {
		t.Error(d)
	}
	if len(got.Observations) != 1 || got.Kind != collector.VM || len(got.Evidence) != 1 {
		t.Errorf("got %+v", got)
	}

	// Where the vCenter is not asked, what it said stays.
	got = sightings([]collector.Listed{web}, []Alias{alias})[0].Joined()
	want.Labels = map[string]string{"kind": "vm", "cluster": "c1", "name": "web", "role": "web"}
	if d := cmp.Diff(want, got.Machine); d != "" {
		t.Error(d)
	}
}
