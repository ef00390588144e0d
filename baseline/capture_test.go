package baseline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

func TestACapturedBaselineWantsWhatTheMachineIs(t *testing.T) {
	snap := inventory.Snapshot{Observations: []inventory.Observation{
		{Facet: inventory.Groups, Status: inventory.Denied, Reason: "getent may not be run"},
		inventory.Observe(state(t, inventory.OS, "hostname value=web-1", "kernel value=6.1", "machine_id value=b1cd", "smbios_uuid value=4c4c")),
		{Facet: inventory.Packages, Status: inventory.Partial, State: state(t, inventory.Packages, "deb/a version=1")},
		{
			Facet: inventory.Ports, Status: inventory.Partial, ItemsComplete: true, Missing: []string{"process"}, Reason: "not root",
			State: state(t, inventory.Ports, "tcp/0.0.0.0:22 ephemeral=no", "udp/0.0.0.0:40000 ephemeral=yes", "udp/0.0.0.0:51820 ephemeral=yes"),
		},
		inventory.Observe(state(t, inventory.Users, "alice uid=1")),
	}}
	s, gaps := Capture(snap, "web", "role=web")
	mustCompile(t, s)
	if s.Name != "web" || s.Selector != "role=web" || s.Defaults != DefaultsV1 {
		t.Errorf("%+v", s)
	}
	got := map[inventory.Facet]string{}
	for f, fs := range s.Facets {
		if fs.Mode != Closed || len(fs.Rules) > 0 {
			t.Errorf("%s: %s, %v", f, fs.Mode, fs.Rules)
		}
		got[f] = fs.Items.Text()
	}
	if d := cmp.Diff(map[inventory.Facet]string{
		inventory.OS:    "kernel\tvalue=6.1\n",
		inventory.Ports: "tcp/0.0.0.0:22\tephemeral=no\nudp/0.0.0.0:51820\tephemeral=yes\n",
		inventory.Users: "alice\tuid=1\n",
	}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Gap{
		{Facet: inventory.Groups, Status: inventory.Denied, Reason: "getent may not be run", LeftOut: true},
		{Facet: inventory.Packages, Status: inventory.Partial, Reason: "not all items could be read", LeftOut: true},
		{Facet: inventory.Ports, Status: inventory.Partial, Reason: "not root", Missing: []string{"process"}},
		{Facet: inventory.Services, Reason: "the snapshot does not have it", LeftOut: true},
	}, gaps); d != "" {
		t.Error(d)
	}
}

func TestAMachineHasNotDriftedFromWhatWasCapturedFromIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var snap inventory.Snapshot
		for _, f := range inventory.GuestFacets() {
			s := genState(f).Draw(t, string(f))
			o := inventory.Observe(s)
			if rapid.Bool().Draw(t, "partly") {
				o = lessKnown(t, s)
			}
			snap.Observations = append(snap.Observations, o)
		}
		s, gaps := Capture(snap, "x", "")
		g := compile(t, s)
		if got := g.DiffAll(snap.Observations); len(got) > 0 {
			t.Fatalf("%q", lines(got))
		}
		left := map[inventory.Facet]bool{}
		for _, gap := range gaps {
			left[gap.Facet] = gap.LeftOut
		}
		for _, o := range snap.Observations {
			if g.Compares(o.Facet) == left[o.Facet] || left[o.Facet] == o.ItemsComplete {
				t.Fatalf("%s: compared %v, left out %v, all items known %v", o.Facet, g.Compares(o.Facet), left[o.Facet], o.ItemsComplete)
			}
		}
	})
}
