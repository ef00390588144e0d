package aws

import (
	"slices"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/vmdrift/vmdrift/inventory"
)

// network is the facet of that name: the interfaces, and what the security groups of all of
// them let through. A rule that several groups have is one item. l is what is missing of the interfaces.
func (p *place) network(nics items, l lack) inventory.Observation {
	var attached []string
	for _, f := range nics {
		attached = append(attached, words(f["security_groups"])...)
	}
	via := map[string][]string{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(attached))) {
		g, ok := p.groups.byID[id]
		if !ok {
			l.add(p.groups.why(id), true)
			continue
		}
		for _, key := range g.rules {
			via[key] = append(via[key], g.label)
		}
	}
	for key, labels := range via {
		nics[key] = fields{}
		nics[key].list("via", labels)
	}
	return nics.observe(inventory.Network, l)
}

func (g groups) why(id string) string {
	if g.reason != "" {
		return g.reason
	}
	return "security group " + id + " is of another account, or went during the listing: its rules are not known"
}

// nicsOf are the interfaces of an instance, keyed by where they are plugged in: nic/0, or
// nic/1/0 on the second network card.
func nicsOf(i *types.Instance, running bool) items {
	it := items{}
	for _, n := range i.NetworkInterfaces {
		key := "nic/" + awssdk.ToString(n.NetworkInterfaceId)
		if a := n.Attachment; a != nil && a.DeviceIndex != nil {
			key = "nic/" + strconv.Itoa(int(*a.DeviceIndex))
			if card := awssdk.ToInt32(a.NetworkCardIndex); card > 0 {
				key = "nic/" + strconv.Itoa(int(card)) + "/" + strconv.Itoa(int(*a.DeviceIndex))
			}
		}
		f := fields{}
		f.text("interface", n.NetworkInterfaceId)
		f.word("type", awssdk.ToString(n.InterfaceType))
		f.text("vpc", n.VpcId)
		f.text("subnet", n.SubnetId)
		f["attached_to"] = strings.Trim(f["vpc"]+"/"+f["subnet"], "/")
		f.text("mac", n.MacAddress)
		var private, v6, in []string
		for _, a := range n.PrivateIpAddresses {
			private = append(private, awssdk.ToString(a.PrivateIpAddress))
		}
		for _, a := range n.Ipv6Addresses {
			v6 = append(v6, awssdk.ToString(a.Ipv6Address))
		}
		for _, g := range n.Groups {
			in = append(in, awssdk.ToString(g.GroupId))
		}
		f.list("private_addresses", private)
		f.list("ipv6_addresses", v6)
		f.list("security_groups", in)
		f.flag("source_dest_check", n.SourceDestCheck)
		public(f, n, running)
		it[key] = f
	}
	return it
}

// public says whether an interface has a public address, and which. An address of AWS's pool is given
// back when the instance stops, so that nothing is known of one that is off and has none.
func public(f fields, n types.InstanceNetworkInterface, running bool) {
	var addresses []string
	kind := "none"
	add := func(a *types.InstanceNetworkInterfaceAssociation) {
		if a == nil || awssdk.ToString(a.PublicIp) == "" {
			return
		}
		addresses = append(addresses, *a.PublicIp)
		if awssdk.ToString(a.IpOwnerId) != "amazon" {
			kind = "elastic"
		} else if kind == "none" {
			kind = "assigned"
		}
	}
	add(n.Association)
	for _, a := range n.PrivateIpAddresses {
		add(a.Association)
	}
	if len(addresses) > 0 || running {
		f["public"] = kind
		f.list("public_address", addresses)
	}
}
