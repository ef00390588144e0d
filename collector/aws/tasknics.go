package aws

import (
	"cmp"
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/vmdrift/vmdrift/inventory"
)

// taskNICs are the network interfaces of the Fargate tasks of a region.
type taskNICs struct {
	byID   map[string]ec2types.NetworkInterface
	reason string // why some are missing
}

// filterValues is the most that a filter of EC2 takes. Named by filter and not by id, an
// interface that went with its task does not fail the call.
const filterValues = 200

func (p *place) describeNICs(ctx context.Context, all []service) *taskNICs {
	var ids []string
	for _, s := range all {
		for _, t := range s.tasks {
			ids = append(ids, nicIDs(t)...)
		}
	}
	n := &taskNICs{byID: map[string]ec2types.NetworkInterface{}}
	slices.Sort(ids)
	for chunk := range slices.Chunk(slices.Compact(ids), filterValues) {
		out, err := p.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{
			Filters: []ec2types.Filter{{Name: ptr("network-interface-id"), Values: chunk}},
		})
		if err != nil {
			n.reason = p.failed("network interfaces of tasks", err)
			break
		}
		for _, nic := range out.NetworkInterfaces {
			n.byID[awssdk.ToString(nic.NetworkInterfaceId)] = nic
		}
	}
	return n
}

func nicIDs(t types.Task) []string {
	var ids []string
	for _, a := range t.Attachments {
		if awssdk.ToString(a.Type) != "ElasticNetworkInterface" {
			continue
		}
		for _, d := range a.Details {
			if awssdk.ToString(d.Name) == "networkInterfaceId" && awssdk.ToString(d.Value) != "" {
				ids = append(ids, *d.Value)
			}
		}
	}
	return ids
}

// taskNetwork is the facet network of a service: what its tasks' interfaces have in common, each field with all
// the values that there are. The addresses, the MAC and the subnet are another for each task, and left out.
func (p *place) taskNetwork(s *service) inventory.Observation {
	it := items{}
	var l lack
	if s.reason != "" {
		l.add(s.reason, true)
	}
	for _, t := range s.tasks {
		for _, id := range nicIDs(t) {
			n, ok := s.nics.byID[id]
			if !ok {
				l.add(cmp.Or(s.nics.reason, "the network interface of a task is gone"), true)
				continue
			}
			f := fields{"public": "none"}
			f.text("vpc", n.VpcId)
			f["attached_to"] = f["vpc"]
			if a := n.Association; a != nil && awssdk.ToString(a.PublicIp) != "" {
				f["public"] = "assigned"
			}
			var in []string
			for _, g := range n.Groups {
				in = append(in, awssdk.ToString(g.GroupId))
			}
			f.list("security_groups", in)
			it.merge(items{"nic/0": f})
		}
	}
	if len(it) == 0 {
		o := inventory.Observation{Facet: inventory.Network, Status: inventory.Failed, Reason: "no task has a network interface yet"}
		if s.nics.reason != "" {
			o.Reason = inventory.Escape(s.nics.reason)
		}
		return o
	}
	return p.network(it, l)
}
