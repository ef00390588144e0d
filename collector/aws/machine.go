package aws

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// instance is an EC2 instance as a machine. A guest finds its instance id in DMI. Its SMBIOS UUID is
// evidence too, but not of ours: EC2's API does not tell it.
func (p *place) instance(i *types.Instance, a attributes) collector.Listed {
	id := *i.InstanceId
	tags := tagMap(i.Tags)
	az := ""
	if i.Placement != nil {
		az = awssdk.ToString(i.Placement.AvailabilityZone)
	}
	own := map[string]string{"account": p.account, "region": p.region, "az": az, "platform": "linux"}
	if i.Platform == types.PlatformValuesWindows {
		own["platform"] = "windows"
	}
	return collector.Listed{
		Machine: inventory.Machine{
			ID:      inventory.MachineID{Source: p.o.Name, NativeID: inventory.Escape(p.account + "/" + p.region + "/" + id)},
			Name:    inventory.Escape(cmp.Or(strings.TrimSpace(tags["Name"]), id)),
			Address: p.address(i),
			Labels:  labels(own, tags),
		},
		Kind:      collector.Instance,
		Power:     powerOf(i.State),
		Evidence:  []collector.Evidence{{Kind: collector.InstanceID, Value: inventory.Escape(strings.ToLower(id))}},
		Addresses: addresses(i),
		Observations: []inventory.Observation{
			p.cloud(i, tags, a),
			p.network(nicsOf(i, i.State != nil && i.State.Name == types.InstanceStateNameRunning), starting(i)),
		},
	}
}

// starting is what a new instance lacks: its volumes and addresses come one by one. One that was
// stopped before is in this state for a moment too.
func starting(i *types.Instance) (l lack) {
	if i.State != nil && i.State.Name == types.InstanceStateNamePending {
		l.add("the instance was being started", true)
	}
	return l
}

// powerOf says of an instance on its way where it goes.
func powerOf(s *types.InstanceState) collector.Power {
	if s == nil {
		return collector.PowerUnknown
	}
	switch s.Name {
	case types.InstanceStateNamePending, types.InstanceStateNameRunning:
		return collector.PowerOn
	case types.InstanceStateNameStopping, types.InstanceStateNameStopped, types.InstanceStateNameShuttingDown:
		return collector.PowerOff
	}
	return collector.PowerUnknown
}

// addresses are those of the interfaces, by device index.
func addresses(i *types.Instance) []collector.Address {
	nics := slices.Clone(i.NetworkInterfaces)
	index := func(n types.InstanceNetworkInterface) int32 {
		if n.Attachment == nil {
			return 0
		}
		return 1000*awssdk.ToInt32(n.Attachment.NetworkCardIndex) + awssdk.ToInt32(n.Attachment.DeviceIndex)
	}
	slices.SortStableFunc(nics, func(a, b types.InstanceNetworkInterface) int { return cmp.Compare(index(a), index(b)) })
	var out []collector.Address
	for at, n := range nics {
		add := func(text *string) {
			if ip, err := netip.ParseAddr(awssdk.ToString(text)); err == nil {
				out = append(out, collector.Address{NIC: at, Network: inventory.Escape(awssdk.ToString(n.SubnetId)), IP: ip})
			}
		}
		for _, a := range n.PrivateIpAddresses {
			add(a.PrivateIpAddress)
			if a.Association != nil {
				add(a.Association.PublicIp)
			}
		}
		for _, a := range n.Ipv6Addresses {
			add(a.Ipv6Address)
		}
	}
	return out
}

// address is where to reach the guest: IPv6 only where it has nothing else.
func (p *place) address(i *types.Instance) string {
	private, public := awssdk.ToString(i.PrivateIpAddress), awssdk.ToString(i.PublicIpAddress)
	if p.o.PublicAddress {
		private, public = public, private
	}
	v6 := awssdk.ToString(i.Ipv6Address)
	if v6 != "" {
		v6 = "[" + v6 + "]"
	}
	return inventory.Escape(cmp.Or(private, public, v6))
}

func tagMap(tags []types.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return out
}
