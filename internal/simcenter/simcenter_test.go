package simcenter_test

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/vsphere"
	"github.com/vmdrift/vmdrift/internal/simcenter"
	"github.com/vmdrift/vmdrift/inventory"
)

// list returns the machine of that name as the real source sees it, with the pinned certificate.
func list(t *testing.T, c *simcenter.Center, name string) collector.Listed {
	t.Helper()
	src, err := vsphere.New(vsphere.Options{
		Name: "lab", URL: c.Host(), User: simcenter.User, Thumbprint: c.Thumbprint(),
		Password: func() (string, error) { return c.Password(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	l, err := src.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Problems {
		t.Errorf("%s: %v", p.Part, p.Err)
	}
	i := slices.IndexFunc(l.Machines, func(m collector.Listed) bool { return m.Machine.Name == name })
	if i < 0 {
		t.Fatalf("%s is not listed", name)
	}
	return l.Machines[i]
}

func field(t *testing.T, m collector.Listed, facet inventory.Facet, key, name string) string {
	t.Helper()
	seen := inventory.Snapshot{Observations: m.Observations}
	o, _ := seen.Observation(facet)
	if o.State == nil {
		t.Fatalf("%s has no %s", m.Machine.Name, facet)
	}
	it, ok := o.State.Get(key)
	if !ok {
		t.Fatalf("%s of %s has no %s", facet, m.Machine.Name, key)
	}
	v, _ := it.Field(name)
	return v
}

func TestWhatHappensToAMachineIsSeen(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx := t.Context()
	c, err := simcenter.Start(ctx, "esx-1",
		simcenter.VM{Name: "web-1", UUID: "4210e2a4-7f5b-4a70-9f0c-0123456789ab", Address: "192.0.2.11", Tags: map[string]string{"role": "web", "env": "prod"}},
		simcenter.VM{Name: "db-1", UUID: "4210e2a4-7f5b-4a70-9f0c-0123456789ac", Address: "192.0.2.12", Tags: map[string]string{"role": "db", "env": "prod"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	m := list(t, c, "web-1")
	if m.Power != collector.PowerOn || m.Machine.Labels["tag/role"] != "web" || m.Machine.Labels["tag/env"] != "prod" {
		t.Errorf("it is %s with %v", m.Power, m.Machine.Labels)
	}
	if len(m.Addresses) != 1 || m.Addresses[0].IP.String() != "192.0.2.11" {
		t.Errorf("its addresses are %v", m.Addresses)
	}
	if got := field(t, m, inventory.Hardware, "memory", "mib"); got != "4096" {
		t.Errorf("it has %s MiB", got)
	}

	for _, err := range []error{c.MoveNIC(ctx, "web-1"), c.PowerOff(ctx, "web-1"), c.SetMemory(ctx, "web-1", 8192)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.StartSSH()
	m = list(t, c, "web-1")
	if got := field(t, m, inventory.Network, "nic/4000", "attached_to"); got != "VM Network" {
		t.Errorf("its card is attached to %q", got)
	}
	if got := field(t, m, inventory.Hardware, "memory", "mib"); got != "8192" || m.Power != collector.PowerOff {
		t.Errorf("it is %s and has %s MiB", m.Power, got)
	}
	if got := field(t, list(t, c, "esx-1"), inventory.Hypervisor, "service/TSM-SSH", "running"); got != "yes" {
		t.Errorf("the host's SSH server runs: %s", got)
	}
	if other := list(t, c, "db-1"); other.Power != collector.PowerOn || field(t, other, inventory.Hardware, "memory", "mib") != "4096" {
		t.Error("it happened to the other machine too")
	}
	if c.PowerOff(ctx, "nobody") == nil {
		t.Error("a machine that is not there is switched off")
	}
}

// What one vCenter goes through must not show in the next, which begins from the same templates.
func TestTheNextOneBeginsAnew(t *testing.T) {
	for range 2 {
		c, err := simcenter.Start(t.Context(), "esx-1", simcenter.VM{Name: "web-1", Address: "192.0.2.11"})
		if err != nil {
			t.Fatal(err)
		}
		if got := field(t, list(t, c, "esx-1"), inventory.Hypervisor, "service/TSM-SSH", "running"); got != "no" {
			t.Errorf("the SSH server of a new host runs: %s", got)
		}
		c.StartSSH()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
