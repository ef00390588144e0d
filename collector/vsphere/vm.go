package vsphere

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// listVM returns a virtual machine as it is listed. A machine without an identity (its
// files are out of reach, or the role may not read it) cannot be listed.
func (in *infra) listVM(source string, o object, vm *mo.VirtualMachine) (collector.Listed, bool) {
	if vm.Config == nil || vm.Config.InstanceUuid == "" {
		return collector.Listed{}, false
	}
	l := collector.Listed{
		Machine: inventory.Machine{
			ID:      inventory.MachineID{Source: source, NativeID: sentence(strings.ToLower(vm.Config.InstanceUuid))},
			Name:    inventory.Escape(unescapeName(vm.Name)),
			Address: address(vm.Guest),
			Labels:  in.vmLabels(o, vm),
		},
		Kind:      collector.VM,
		Power:     powerOf(vm),
		Evidence:  smbios(vm.Config.Uuid),
		Addresses: addresses(vm.Guest),
	}
	if l.Machine.Name == "" {
		l.Machine.Name = inventory.Escape(o.ref.Value)
	}
	l.Observations = []inventory.Observation{
		hardware(o, vm, in.old),
		in.network(o, vm),
		in.tagsOf(o, in.vmPlaces(vm), vm.CustomValue),
	}
	return l, true
}

// powerOf returns whether the machine runs. What the server last knew of a machine that it has
// lost sight of is no answer.
func powerOf(vm *mo.VirtualMachine) collector.Power {
	if vm.Runtime.ConnectionState != "" && vm.Runtime.ConnectionState != types.VirtualMachineConnectionStateConnected {
		return collector.PowerUnknown
	}
	switch vm.Runtime.PowerState {
	case types.VirtualMachinePowerStatePoweredOn:
		return collector.PowerOn
	case types.VirtualMachinePowerStatePoweredOff, types.VirtualMachinePowerStateSuspended:
		return collector.PowerOff
	}
	return collector.PowerUnknown
}

// smbios returns the machine's firmware UUID in both of the orders in which a guest may show it:
//
//	vSphere    4213fb4c-b8a6-2e7c-0d5f-9f3a1c7e5b60
//	guest      4cfb1342-a6b8-7c2e-0d5f-9f3a1c7e5b60
//
// SMBIOS up to 2.5 left the order of the first three parts open and 2.6 fixed it to the
// little end first, so that it depends on the virtual hardware and on what reads it.
func smbios(uuid string) []collector.Evidence {
	uuid = strings.ToLower(uuid)
	swapped, ok := swapUUID(uuid)
	if !ok {
		return nil
	}
	out := []collector.Evidence{{Kind: collector.SMBIOSUUID, Value: uuid}}
	if swapped != uuid {
		out = append(out, collector.Evidence{Kind: collector.SMBIOSUUID, Value: swapped})
	}
	return out
}

// swapUUID turns round the bytes of a lower-case UUID's first three parts. A UUID of
// zeros or of ones stands for none.
func swapUUID(uuid string) (string, bool) {
	if len(uuid) != 36 || strings.Trim(uuid, "0-") == "" || strings.Trim(uuid, "f-") == "" {
		return "", false
	}
	for i, c := range []byte(uuid) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return "", false
		}
	}
	out := []byte(uuid)
	for _, part := range [][2]int{{0, 8}, {9, 13}, {14, 18}} {
		for from, to := part[0], part[1]-2; to >= part[0]; from, to = from+2, to-2 {
			out[from], out[from+1] = uuid[to], uuid[to+1]
		}
	}
	return string(out), true
}

// addresses are those of the connected network cards, as VMware Tools tell them.
func addresses(g *types.GuestInfo) []collector.Address {
	if g == nil {
		return nil
	}
	nics := slices.Clone(g.Net)
	// A bridge of containers, a tunnel: only the guest has it.
	nics = slices.DeleteFunc(nics, func(n types.GuestNicInfo) bool { return n.DeviceConfigId < 0 })
	slices.SortStableFunc(nics, func(a, b types.GuestNicInfo) int { return cmp.Compare(a.DeviceConfigId, b.DeviceConfigId) })
	var out []collector.Address
	for i, nic := range nics {
		for _, text := range nic.IpAddress {
			if a, err := netip.ParseAddr(text); err == nil && nic.Connected && usable(a) {
				out = append(out, collector.Address{NIC: i, Network: inventory.Escape(nic.Network), IP: a.Unmap().WithZone("")})
			}
		}
	}
	return out
}

// address returns where the guest can be reached: the first IPv4 address of its first
// connected network card, else the one that Tools put forward; empty if none is known.
func address(g *types.GuestInfo) string {
	if g == nil {
		return ""
	}
	for _, a := range addresses(g) {
		if a.IP.Is4() {
			return a.IP.String()
		}
	}
	if a, err := netip.ParseAddr(g.IpAddress); err == nil && usable(a) {
		if a = a.Unmap().WithZone(""); a.Is6() {
			return "[" + a.String() + "]"
		}
		return a.String()
	}
	return ""
}

// usable leaves out addresses that a machine gives itself.
func usable(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
}
