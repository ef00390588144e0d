package vsphere

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmware/govmomi/vim25/types"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

func sortedStrings(s []string) []string { slices.Sort(s); return s }

func TestTheFirmwareUUIDIsThereInBothOrders(t *testing.T) {
	got := smbios("4213FB4C-B8A6-2E7C-0D5F-9F3A1C7E5B60")
	want := []collector.Evidence{
		{Kind: collector.SMBIOSUUID, Value: "4213fb4c-b8a6-2e7c-0d5f-9f3a1c7e5b60"},
		{Kind: collector.SMBIOSUUID, Value: "4cfb1342-a6b8-7c2e-0d5f-9f3a1c7e5b60"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	for _, none := range []string{"", "x", strings.Repeat("0", 36), "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "4213fb4c-b8a6-2e7c-0d5f-9f3a1c7e5b6g"} {
		if got := smbios(none); got != nil {
			t.Errorf("%s: %v", none, got)
		}
	}
}

func FuzzSwapUUID(f *testing.F) {
	f.Add("4213fb4c-b8a6-2e7c-0d5f-9f3a1c7e5b60")
	f.Add("--------------------------------1---")
	f.Fuzz(func(t *testing.T, s string) {
		if swapped, ok := swapUUID(s); ok {
			if back, ok := swapUUID(swapped); !ok || back != s {
				t.Errorf("%q → %q → %q", s, swapped, back)
			}
		}
	})
}

func FuzzThumbprint(f *testing.F) {
	f.Add(strings.Repeat("AB:", 31) + "AB")
	f.Add("::")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseThumbprint(s); err == nil && len(p) != 20 && len(p) != 32 {
			t.Errorf("%q: %d bytes", s, len(p))
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { readCertificate(b) })
}

func TestEveryLabelCanBeSelectedBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, value := label(rapid.String().Draw(t, "key")), label(rapid.String().Draw(t, "value"))
		if key == "" || value == "" {
			return
		}
		sel, err := labels.Parse("tag/" + key + "=" + value)
		if err != nil || !sel.Matches(labels.Set{"tag/" + key: value}) {
			t.Errorf("%q=%q: %v", key, value, err)
		}
	})
}

func TestNamesLoseThePlatformsEscapesOnce(t *testing.T) {
	for in, want := range map[string]string{"a%2fb": "a/b", "a%5cb": `a\b`, "100%25": "100%", "%252f": "%2f", "plain": "plain"} {
		if got := unescapeName(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestTheAddressIsTheFirstIPv4OfTheFirstConnectedCard(t *testing.T) {
	nic := func(key int32, connected bool, ips ...string) types.GuestNicInfo {
		return types.GuestNicInfo{DeviceConfigId: key, Connected: connected, IpAddress: ips}
	}
	for _, c := range []struct {
		what  string
		guest *types.GuestInfo
		want  string
	}{
		{"no Tools", nil, ""},
		{"nothing known", &types.GuestInfo{}, ""},
		{"the first card", &types.GuestInfo{Net: []types.GuestNicInfo{nic(4001, true, "10.0.1.1"), nic(4000, true, "fe80::1", "10.0.0.1")}}, "10.0.0.1"},
		{"not connected", &types.GuestInfo{Net: []types.GuestNicInfo{nic(4000, false, "10.0.0.1"), nic(4001, true, "10.0.1.1")}}, "10.0.1.1"},
		{"a bridge of containers", &types.GuestInfo{Net: []types.GuestNicInfo{nic(-1, true, "172.17.0.1")}, IpAddress: "10.0.0.9"}, "10.0.0.9"},
		{"an address that it gave itself", &types.GuestInfo{Net: []types.GuestNicInfo{nic(4000, true, "169.254.1.1")}}, ""},
		{"IPv6 only", &types.GuestInfo{IpAddress: "2001:db8::1"}, "[2001:db8::1]"},
		{"a name that runs a command", &types.GuestInfo{IpAddress: "-oProxyCommand=x"}, ""},
	} {
		if got := address(c.guest); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		got := strings.Trim(address(&types.GuestInfo{IpAddress: rapid.String().Draw(t, "ip")}), "[]")
		if _, err := netip.ParseAddr(got); got != "" && err != nil {
			t.Error(err)
		}
	})
}

func TestVLANsAreToldInWords(t *testing.T) {
	for want, spec := range map[string]types.BaseVmwareDistributedVirtualSwitchVlanSpec{
		"42":              &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: 42},
		"trunk 1,100-200": &types.VmwareDistributedVirtualSwitchTrunkVlanSpec{VlanId: []types.NumericRange{{Start: 100, End: 200}, {Start: 1, End: 1}}},
		"private 7":       &types.VmwareDistributedVirtualSwitchPvlanSpec{PvlanId: 7},
	} {
		if got, ok := vlanOf(&types.VMwareDVSPortSetting{Vlan: spec}); !ok || got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if _, ok := vlanOf(nil); ok {
		t.Error("a VLAN is known where nothing says so")
	}
}
