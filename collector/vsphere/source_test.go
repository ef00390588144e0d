package vsphere

import (
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/simulator"
)

func TestAListingHasTheMachinesAndTheirHosts(t *testing.T) {
	s := newSim(t, func(m *simulator.Model) { m.Folder = 1; m.Pool = 1 })
	l := listed(t, s.source())
	if got := kinds(l); got[collector.VM] != len(s.model.Map().All("VirtualMachine")) || got[collector.Hypervisor] != 4 {
		t.Fatalf("%v", got)
	}
	for i, m := range l.Machines {
		if i > 0 && l.Machines[i-1].Machine.ID.NativeID >= m.Machine.ID.NativeID {
			t.Errorf("%s is out of order", m.Machine.Name)
		}
		if m.Machine.ID.Source != "lab" || m.Machine.ID.NativeID == "" || m.Machine.Name == "" || m.Machine.Labels["datacenter"] == "" {
			t.Errorf("%+v", m.Machine)
		}
		for j, o := range m.Observations {
			if err := o.Validate(); err != nil {
				t.Errorf("%s: %v", m.Machine.Name, err)
			}
			if j > 0 && m.Observations[j-1].Facet >= o.Facet {
				t.Errorf("%s: %s is out of order", m.Machine.Name, o.Facet)
			}
			if o.State == nil {
				continue
			}
			for _, it := range o.State.Items() {
				for f := range it.Fields() {
					if !o.Facet.HasField(f.Name) {
						t.Errorf("%s of %s has a field %s that the facet does not know", it.Key(), o.Facet, f.Name)
					}
				}
			}
		}
	}
	vm := find(t, l, "DC0_C0_RP1_VM0")
	if vm.Power != collector.PowerOn || vm.Machine.Labels["cluster"] != "DC0_C0" || vm.Machine.Labels["resource_pool"] != "DC0_C0_RP1" || len(vm.Evidence) == 0 {
		t.Errorf("%+v", vm)
	}
	if o := facet(t, vm, inventory.Network); o.Status != inventory.Complete || !strings.Contains(o.State.Text(), "attached_to=DC0_DVPG0") {
		t.Errorf("%+v\n%s", o, o.State.Text())
	}
	if o := facet(t, vm, inventory.Hardware); o.Status != inventory.Complete {
		t.Errorf("%+v", o)
	}
}

func TestNothingChangesWhereNothingChanged(t *testing.T) {
	s := newSim(t)
	src := s.source()
	digests := func() string {
		var b strings.Builder
		for _, m := range listed(t, src).Machines {
			b.WriteString(m.Machine.ID.NativeID)
			for _, o := range m.Observations {
				if o.State != nil {
					b.WriteString(" " + o.State.Digest().String())
				}
			}
		}
		return b.String()
	}
	first := digests()
	for range 9 {
		if digests() != first {
			t.Fatal("a listing differs from the one before")
		}
	}
	if n := s.count("Login"); n != 1 {
		t.Errorf("%d logins: the session is kept", n)
	}
}

func TestTemplatesAreListedIfAskedFor(t *testing.T) {
	s := newSim(t)
	s.markTemplate("DC0_H0_VM0")
	if n := kinds(listed(t, s.source()))[collector.VM]; n != 3 {
		t.Errorf("%d machines without templates", n)
	}
	l := listed(t, s.source(func(o *Options) { o.Templates = true }))
	if m := find(t, l, "DC0_H0_VM0"); m.Machine.Labels["template"] != "yes" {
		t.Errorf("%v", m.Machine.Labels)
	}
}

func TestAListingOnlyReads(t *testing.T) {
	s := newSim(t)
	src := s.source()
	s.attachTag("env", "prod", "DC0_H0_VM0")
	s.onCall(nil)
	listed(t, src)
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for call, n := range s.calls {
		switch {
		case mayCall[call]:
		case strings.HasPrefix(call, "GET /rest/com/vmware/cis/tagging/"):
		case call == "POST /rest/com/vmware/cis/session", call == "DELETE /rest/com/vmware/cis/session":
		case call == "POST /rest/com/vmware/cis/tagging/tag-association?~action=list-attached-objects-on-tags":
		default:
			t.Errorf("%d × %s", n, call)
		}
	}
	for _, once := range []string{"Login", "Logout", "CreateContainerView", "DestroyView"} {
		if s.calls[once] != 1 {
			t.Errorf("%s is called %d times", once, s.calls[once])
		}
	}
}
