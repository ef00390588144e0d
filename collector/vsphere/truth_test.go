package vsphere

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// The ground truth: what an administrator does, and exactly what is to be found of it.
var truths = []struct {
	what   string
	before func(s *sim, vm string)
	do     func(s *sim, vm string)
	want   []string
	labels map[string]string // that change with it
}{
	{what: "nothing", do: func(*sim, string) {}},
	{
		what: "a network card moved to another port group",
		do:   func(s *sim, vm string) { s.moveNIC(vm) },
		want: []string{"network nic/4000 changed attached_to: DC0_DVPG0 → VM Network, attachment: distributed portgroup → portgroup, network_id, switch: DVS0 → "},
	},
	{
		what: "memory changed",
		do: func(s *sim, vm string) {
			s.reconfigure(vm, types.VirtualMachineConfigSpec{MemoryMB: 2048})
		},
		want: []string{"hardware memory changed mib: 32 → 2048"},
	},
	{
		what: "CPUs changed",
		do: func(s *sim, vm string) {
			s.reconfigure(vm, types.VirtualMachineConfigSpec{NumCPUs: 4})
		},
		want: []string{"hardware cpu changed count: 1 → 4"},
	},
	{
		what: "Secure Boot switched on",
		before: func(s *sim, vm string) {
			s.reconfigure(vm, types.VirtualMachineConfigSpec{Firmware: "efi"})
		},
		do: func(s *sim, vm string) {
			yes := true
			s.reconfigure(vm, types.VirtualMachineConfigSpec{BootOptions: &types.VirtualMachineBootOptions{EfiSecureBootEnabled: &yes}})
		},
		want: []string{"hardware firmware changed secure_boot: no → yes"},
	},
	{
		what:   "a CD-ROM connected",
		before: func(s *sim, vm string) { s.cdrom(vm, false) },
		do:     func(s *sim, vm string) { s.cdrom(vm, true) },
		want:   []string{"hardware cdrom/SCSI(0:0) changed connected: no → yes"},
	},
	{
		what: "a disk added",
		do:   func(s *sim, vm string) { s.addDisk(vm) },
		want: []string{"hardware disk/SCSI(0:1) added"},
	},
	{
		what: "a snapshot taken",
		do: func(s *sim, vm string) {
			s.wait(s.object(vm).CreateSnapshot(context.Background(), "before/update", "", false, false))
		},
		want: []string{"hardware snapshot/before/update#1 added"},
	},
	{
		what:   "another tag of a category",
		before: func(s *sim, vm string) { s.attachTag("env", "prod", vm) },
		do:     func(s *sim, vm string) { s.detachTag("prod", vm); s.attachTag("env", "test", vm) },
		want:   []string{"tags tag/env changed value: prod → test"},
		labels: map[string]string{"tag/env": "test"},
	},
	{
		what:   "a custom attribute changed",
		before: func(s *sim, vm string) { s.setAttribute(vm, "Cost centre", "4711") },
		do:     func(s *sim, vm string) { s.setAttribute(vm, "Cost centre", "4712 (IT)") },
		want:   []string{"tags attribute/Cost centre changed value: 4711 → 4712 (IT)"},
		labels: map[string]string{"attribute/Cost_centre": "4712__IT"},
	},
	{
		what: "switched off",
		do:   func(s *sim, vm string) { s.powerOff(vm) },
	},
	{
		what: "moved to another host of its cluster",
		do: func(s *sim, vm string) {
			for _, h := range s.model.Map().All("HostSystem") {
				if host := h.(*simulator.HostSystem); host.Self != *s.vm(vm).Runtime.Host && host.Parent.Type == "ClusterComputeResource" {
					s.model.Map().Update(s.model.Service.Context, s.vm(vm), []types.PropertyChange{{Name: "runtime.host", Val: &host.Self}})
					return
				}
			}
			s.t.Fatal("there is no other host")
		},
	},
}

func TestExactlyWhatChangedIsFoundEachOnce(t *testing.T) {
	for _, c := range truths {
		t.Run(c.what, func(t *testing.T) {
			const vm = "DC0_C0_RP0_VM0"
			s := newSim(t)
			if c.before != nil {
				c.before(s, vm)
			}
			src := s.source()
			first := find(t, listed(t, src), vm)
			golden, err := specOf(first).Compile()
			if err != nil {
				t.Fatal(err)
			}
			if got := golden.DiffAll(first.Observations); len(got) > 0 {
				t.Fatalf("before anything was done: %v", got)
			}
			c.do(s, vm)
			second := find(t, listed(t, src), vm)
			var got []string
			for _, ch := range golden.DiffAll(second.Observations) {
				got = append(got, sketch(ch))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			want := map[string]string{}
			for k, v := range first.Machine.Labels {
				want[k] = v
			}
			for k, v := range c.labels {
				want[k] = v
			}
			if d := cmp.Diff(want, second.Machine.Labels); d != "" {
				t.Errorf("labels: %s", d)
			}
			if first.Machine.ID != second.Machine.ID {
				t.Error("another identity")
			}
		})
	}
}

// specOf is a baseline of all that is known of a machine, without the built-in rules: nothing is ignored.
func specOf(m collector.Listed) baseline.Spec {
	s := baseline.Spec{Name: "golden", Defaults: baseline.NoDefaults, Facets: map[inventory.Facet]baseline.FacetSpec{}}
	for _, o := range m.Observations {
		s.Facets[o.Facet] = baseline.FacetSpec{Mode: baseline.Closed, Items: o.State}
	}
	return s
}

// sketch writes a change in a line. Values of ids, which differ from run to run, are left out.
func sketch(c baseline.Change) string {
	text := string(c.Facet) + " " + c.Key + " " + string(c.Op)
	if c.Op != baseline.Changed {
		return text
	}
	for i, f := range c.Fields {
		sep := " "
		if i > 0 {
			sep = ", "
		}
		text += sep + f.Name
		if !slices.Contains([]string{"network_id"}, f.Name) {
			text += ": " + *f.Want + " → " + *f.Have
		}
	}
	return text
}

func (s *sim) moveNIC(vm string) {
	s.t.Helper()
	nic := s.devices(vm).SelectByType((*types.VirtualEthernetCard)(nil))[0]
	nic.GetVirtualDevice().Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"},
	}
	s.must(s.object(vm).EditDevice(context.Background(), nic))
}

func (s *sim) cdrom(vm string, connected bool) {
	s.t.Helper()
	l := s.devices(vm)
	have := l.SelectByType((*types.VirtualCdrom)(nil))
	if len(have) == 0 {
		ide, err := l.FindIDEController("")
		s.must(err)
		cd, err := l.CreateCdrom(ide)
		s.must(err)
		cd.Connectable = &types.VirtualDeviceConnectInfo{Connected: connected}
		s.must(s.object(vm).AddDevice(context.Background(), cd))
		return
	}
	have[0].GetVirtualDevice().Connectable = &types.VirtualDeviceConnectInfo{Connected: connected}
	s.must(s.object(vm).EditDevice(context.Background(), have[0]))
}

func (s *sim) addDisk(vm string) {
	s.t.Helper()
	l := s.devices(vm)
	c, err := l.FindSCSIController("")
	s.must(err)
	ds := s.model.Map().Any("Datastore").(*simulator.Datastore)
	disk := l.CreateDisk(c, ds.Self, "")
	disk.CapacityInKB = 1 << 20
	s.must(s.object(vm).AddDevice(context.Background(), disk))
}

func TestABaselineOfThePlatformIsWrittenAndReadBack(t *testing.T) {
	s := newSim(t)
	l := listed(t, s.source())
	for _, name := range []string{"DC0_C0_RP0_VM0", "DC0_H0"} {
		spec := specOf(find(t, l, name))
		var text bytes.Buffer
		if err := baseline.WriteYAML(&text, spec); err != nil {
			t.Fatal(err)
		}
		back, err := baseline.ReadYAML("golden.yaml", &text)
		if err != nil || len(back) != 1 || back[0].Digest() != spec.Digest() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
