package vsphere

import (
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// network observes the machine's network cards, and what they are plugged into.
func (in *infra) network(o object, vm *mo.VirtualMachine) inventory.Observation {
	l := newList(inventory.Network)
	on := powerOf(vm) == collector.PowerOn
	if l.read(o, "config.hardware.device") {
		for _, d := range vm.Config.Hardware.Device {
			if card, ok := d.(types.BaseVirtualEthernetCard); ok {
				in.nic(l, kindOf(d), card.GetVirtualEthernetCard(), in.computeOf(vm), on)
			}
		}
	}
	return l.observation(inventory.Network)
}

func (in *infra) nic(l *list, kind string, card *types.VirtualEthernetCard, compute ref, on bool) {
	fields := append(in.attachment(card.Backing, compute), text("type", kind), opt("mac", card.MacAddress))
	if c := card.Connectable; c != nil {
		fields = append(fields, flag("connected", c.Connected).onlyIf(on), flag("start_connected", c.StartConnected))
		if !on {
			l.lack(notRunning, "connected")
		}
	}
	l.add("nic/"+itoa(card.Key), fields...)
}

// attachment says where a card is plugged in. What the user may not see of a network is unknown;
// that it is another one is told by its id.
func (in *infra) attachment(b types.BaseVirtualDeviceBackingInfo, compute ref) []field {
	switch b := b.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		vlan, known := in.vlans[vlanKey{compute, b.DeviceName}]
		return []field{
			text("attachment", "portgroup"), text("attached_to", b.DeviceName), text("network_id", ""), text("switch", ""),
			text("vlan", vlan).onlyIf(known && vlan != mixed),
		}
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		n, known := in.networks[b.Port.PortgroupKey]
		return []field{
			text("attachment", "distributed portgroup"), text("attached_to", n.name).onlyIf(known),
			text("network_id", b.Port.PortgroupKey), opt("switch", in.switches[n.parent]),
			text("vlan", n.vlan).onlyIf(n.vlanKnown),
		}
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		n, known := in.networks[b.OpaqueNetworkId]
		return []field{
			text("attachment", "opaque "+b.OpaqueNetworkType), text("attached_to", n.name).onlyIf(known),
			text("network_id", b.OpaqueNetworkId), text("switch", ""), text("vlan", "").onlyIf(false),
		}
	}
	return []field{text("attachment", "none"), text("attached_to", ""), text("network_id", ""), text("switch", ""), text("vlan", "").onlyIf(false)}
}

// computeOf returns the cluster that the machine runs in, or the host's own stand-in for one.
func (in *infra) computeOf(vm *mo.VirtualMachine) ref {
	if vm.Runtime.Host == nil {
		return ref{}
	}
	return in.computes[*vm.Runtime.Host]
}
