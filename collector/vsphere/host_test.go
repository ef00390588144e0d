package vsphere

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func TestHostsOfTheSimulatorAreObserved(t *testing.T) {
	s := newSim(t)
	l := listed(t, s.source())
	o := facet(t, find(t, l, "DC0_H0"), inventory.Hypervisor)
	if o.Status != inventory.Partial || !o.ItemsComplete || o.Reason != "the platform did not give config.dateTimeInfo" {
		t.Errorf("the simulator has no clock, and the rest: %s %s", o.Status, o.Reason)
	}
	for _, key := range []string{"version", "lockdown", "service/TSM-SSH", "firewall/sshServer", "certificate", "ntp"} {
		if _, ok := o.State.Get(key); !ok {
			t.Errorf("there is no %s in\n%s", key, o.State.Text())
		}
	}
}

// esx is a host as a vCenter gives it.
func esx(t *testing.T) host {
	t.Helper()
	tls := httptest.NewTLSServer(nil)
	defer tls.Close()
	h := &mo.HostSystem{}
	h.Name = "esx-1.example.org"
	h.Runtime.ConnectionState, h.Runtime.PowerState = types.HostSystemConnectionStateConnected, types.HostSystemPowerStatePoweredOn
	h.Hardware = &types.HostHardwareInfo{SystemInfo: types.HostSystemInfo{Uuid: "4213FB4C-B8A6-2E7C-0D5F-9F3A1C7E5B60"}}
	h.Config = &types.HostConfigInfo{
		Product:      types.AboutInfo{Version: "8.0.3", Build: "24022510", Vendor: "VMware, Inc."},
		LockdownMode: types.HostLockdownModeLockdownNormal,
		Service:      &types.HostServiceInfo{Service: []types.HostService{{Key: "TSM-SSH", Policy: "off", Running: true}}},
		Firewall: &types.HostFirewallInfo{Ruleset: []types.HostFirewallRuleset{
			{Key: "sshServer", Enabled: true, AllowedHosts: &types.HostFirewallRulesetIpList{AllIp: true}},
			{Key: "vSphereClient", AllowedHosts: &types.HostFirewallRulesetIpList{
				IpAddress: []string{"10.0.0.2"}, IpNetwork: []types.HostFirewallRulesetIpNetwork{{Network: "10.0.0.0", PrefixLength: 8}},
			}},
		}},
		DateTimeInfo: &types.HostDateTimeInfo{NtpConfig: &types.HostNtpConfig{Server: []string{"b", "a"}}},
		Network:      &types.HostNetworkInfo{Portgroup: []types.HostPortGroup{{Spec: types.HostPortGroupSpec{Name: "web", VlanId: 42, VswitchName: "vSwitch0"}}}},
		Certificate:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}),
	}
	return host{object: object{ref: ref{Type: "HostSystem", Value: "host-1"}}, mo: h}
}

func TestHowAHostIsSetUpIsInItsFacet(t *testing.T) {
	o := hypervisor(esx(t), time.Time{})
	want := `certificate	issuer=O=Acme Co	not_after=2084-01-29T16:00:00Z	subject=O=Acme Co
firewall/sshServer	allowed=all	enabled=yes
firewall/vSphereClient	allowed=10.0.0.0/8,10.0.0.2	enabled=no
lockdown	mode=normal
ntp	servers=a,b
portgroup/web	switch=vSwitch0	vlan=42
service/TSM-SSH	policy=off	running=yes
version	build=24022510	vendor=VMware, Inc.	version=8.0.3
`
	if d := cmp.Diff(want, o.State.Text()); d != "" || o.Status != inventory.Complete {
		t.Errorf("%s: %s", o.Status, d)
	}
}

func TestAHostThatIsNotConnectedIsNotObserved(t *testing.T) {
	h := esx(t)
	h.mo.Runtime.ConnectionState = types.HostSystemConnectionStateNotResponding
	if o := hypervisor(h, time.Time{}); o.Status != inventory.Failed || !strings.Contains(o.Reason, "notResponding") || o.Validate() != nil {
		t.Errorf("%+v", o)
	}
	if p := hostPower(h); p != "" {
		t.Errorf("power %q is made up", p)
	}
}

func TestAPartOfAHostThatIsNotGivenIsNotAbsent(t *testing.T) {
	h := esx(t)
	h.mo.Config.Certificate, h.mo.Config.LockdownMode = []byte("rubbish"), ""
	if o := hypervisor(h, time.Time{}); o.Status != inventory.Partial || !o.ItemsComplete || strings.Join(o.Missing, " ") != "issuer mode not_after subject" {
		t.Errorf("%+v", o)
	}
	h.mo.Config.Service = nil
	h.missing = map[string]types.BaseMethodFault{"config.firewall": &types.NoPermission{PrivilegeId: "Host.Config.NetService"}}
	o := hypervisor(h, time.Time{})
	if o.Status != inventory.Partial || o.ItemsComplete || !strings.Contains(o.Reason, "config.firewall") || !strings.Contains(o.Reason, "Host.Config.NetService") || !strings.Contains(o.Reason, "config.certificate") {
		t.Errorf("%+v", o)
	}
}

func TestHostsWhoseBoardsHaveOneUUIDAreToldApart(t *testing.T) {
	in := newInfra()
	a, b := esx(t), esx(t)
	b.ref.Value = "host-2"
	in.hosts = []host{a, b}
	l := in.listHosts("lab")
	if l[0].Machine.ID.NativeID != "host-1" || l[1].Machine.ID.NativeID != "host-2" || l[0].Evidence != nil {
		t.Errorf("%+v", l)
	}
	in.hosts = []host{a}
	if l := in.listHosts("lab"); l[0].Machine.ID.NativeID != "4213fb4c-b8a6-2e7c-0d5f-9f3a1c7e5b60" || len(l[0].Evidence) != 2 {
		t.Errorf("%+v", l)
	}
}

func TestAVLANIsKnownWhereTheHostsOfAClusterAgree(t *testing.T) {
	cluster := ref{Type: "ClusterComputeResource", Value: "domain-c1"}
	in := newInfra()
	for i, vlan := range []int32{42, 42} {
		h := esx(t)
		h.ref.Value, h.mo.Parent, h.mo.Config.Network.Portgroup[0].Spec.VlanId = "host-"+itoa(i+1), &cluster, vlan
		in.hosts = append(in.hosts, h)
	}
	in.learnVLANs()
	vm := machine()
	card := vm.Config.Hardware.Device[5].(*types.VirtualVmxnet3)
	card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "web"}}
	if text := in.network(object{}, vm).State.Text(); !strings.Contains(text, "vlan=42") {
		t.Error(text)
	}
	in.hosts[1].mo.Config.Network.Portgroup[0].Spec.VlanId = 43
	in.vlans = map[vlanKey]string{}
	in.learnVLANs()
	if text := in.network(object{}, vm).State.Text(); strings.Contains(text, "vlan=") {
		t.Error(text)
	}
}

// A hostAgent answers for hosts: one by its level, one by a fault, and it counts.
type hostAgent struct{ calls atomic.Int64 }

func (a *hostAgent) RoundTrip(_ context.Context, req, res soap.HasFault) error {
	a.calls.Add(1)
	if req.(*methods.HostImageConfigGetAcceptanceBody).Req.This.Value == "broken" {
		return errors.New("the host\x1b does not answer")
	}
	res.(*methods.HostImageConfigGetAcceptanceBody).Res = &types.HostImageConfigGetAcceptanceResponse{Returnval: "partner"}
	return nil
}

func TestEachConnectedHostIsAskedForItsAcceptanceLevel(t *testing.T) {
	in := newInfra()
	for i, manager := range []string{"ok", "broken", "", "away"} {
		h := esx(t)
		if manager != "" {
			h.mo.ConfigManager.ImageConfigManager = &types.ManagedObjectReference{Type: "HostImageConfigManager", Value: manager}
		}
		if i == 3 {
			h.mo.Runtime.ConnectionState = types.HostSystemConnectionStateDisconnected
		}
		in.hosts = append(in.hosts, h)
	}
	agent := &hostAgent{}
	in.readAcceptance(t.Context(), guard{agent})
	if n := agent.calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
	for i, want := range []string{"acceptance\tlevel=partner\n", "acceptance\n", "acceptance\n"} {
		o := hypervisor(in.hosts[i], time.Time{})
		if err := o.Validate(); err != nil || !strings.Contains(o.State.Text(), want) || (o.Status == inventory.Complete) != (i == 0) {
			t.Errorf("host %d: %v %s: %s\n%s", i, err, o.Status, o.Reason, o.State.Text())
		}
	}
}

func TestACertificateThatRunsOutIsTold(t *testing.T) {
	h := esx(t)
	expires := readCertificate(h.mo.Config.Certificate).NotAfter
	for _, c := range []struct {
		soon time.Time
		want bool
	}{{expires, false}, {expires.Add(time.Second), true}} {
		if got := strings.Contains(hypervisor(h, c.soon).State.Text(), "expiring/certificate\t"); got != c.want {
			t.Errorf("of one that runs out at %s, before %s: told is %v", expires, c.soon, got)
		}
	}
}
