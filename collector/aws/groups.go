package aws

import (
	"cmp"
	"context"
	"net/netip"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// groups are the security groups of a region, with their rules resolved.
type groups struct {
	byID   map[string]group
	reason string // why some are missing
}

type group struct {
	label string   // name and id, for humans
	rules []string // keys of the items that its rules are
}

func (p *place) listGroups(ctx context.Context) groups {
	list, err := pages(func(token *string) ([]types.SecurityGroup, *string, error) {
		out, err := p.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{MaxResults: &p.o.pageSize, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.SecurityGroups, out.NextToken, nil
	})
	g := groups{byID: make(map[string]group, len(list))}
	if err != nil {
		g.reason = p.failed("security groups", err)
	}
	for _, sg := range list {
		id := awssdk.ToString(sg.GroupId)
		g.byID[id] = group{
			label: awssdk.ToString(sg.GroupName) + " (" + id + ")",
			rules: append(ruleKeys("ingress", sg.IpPermissions), ruleKeys("egress", sg.IpPermissionsEgress)...),
		}
	}
	return g
}

// ruleKeys are the keys of the items that the permissions are: one per port range and
// peer, whatever permissions AWS puts them together in.
//
//	ingress/tcp/22-22/0.0.0.0/0  egress/all/any/::/0  ingress/icmp/8-any/10.0.0.0/8  ingress/tcp/5432-5432/sg-0a1b
func ruleKeys(direction string, permissions []types.IpPermission) []string {
	var keys []string
	for _, p := range permissions {
		prefix := direction + "/" + protocolAndPorts(p) + "/"
		for _, r := range p.IpRanges {
			keys = append(keys, prefix+network(r.CidrIp))
		}
		for _, r := range p.Ipv6Ranges {
			keys = append(keys, prefix+network(r.CidrIpv6))
		}
		for _, r := range p.PrefixListIds {
			keys = append(keys, prefix+awssdk.ToString(r.PrefixListId))
		}
		for _, r := range p.UserIdGroupPairs {
			keys = append(keys, prefix+cmp.Or(awssdk.ToString(r.GroupId), awssdk.ToString(r.GroupName)))
		}
	}
	return keys
}

// protocolNames are those that AWS itself uses in the place of a number.
var protocolNames = map[string]string{"": "all", "-1": "all", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}

func protocolAndPorts(p types.IpPermission) string {
	protocol := awssdk.ToString(p.IpProtocol)
	if name, ok := protocolNames[protocol]; ok {
		protocol = name
	}
	from, to := int32(-1), int32(-1)
	if p.FromPort != nil {
		from = *p.FromPort
	}
	if p.ToPort != nil {
		to = *p.ToPort
	}
	if protocol == "all" || from == -1 && to == -1 {
		return protocol + "/any"
	}
	return protocol + "/" + number(from) + "-" + number(to)
}

// number is a port or, of ICMP, a type or a code, where -1 is any.
func number(n int32) string {
	if n == -1 {
		return "any"
	}
	return strconv.Itoa(int(n))
}

// network is a CIDR in its one form.
func network(cidr *string) string {
	s := awssdk.ToString(cidr)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().String()
	}
	return s
}
