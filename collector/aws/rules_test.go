package aws

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

func TestARuleIsOneItemPerPortRangeAndPeer(t *testing.T) {
	ranges := func(cidrs ...string) (out []types.IpRange) {
		for _, c := range cidrs {
			out = append(out, types.IpRange{CidrIp: &c})
		}
		return out
	}
	for _, c := range []struct {
		name string
		p    types.IpPermission
		want []string
	}{
		{
			"a port for two networks",
			types.IpPermission{IpProtocol: ptr("tcp"), FromPort: ptr(int32(22)), ToPort: ptr(int32(22)), IpRanges: ranges("0.0.0.0/0", "10.0.0.0/8")},
			[]string{"ingress/tcp/22-22/0.0.0.0/0", "ingress/tcp/22-22/10.0.0.0/8"},
		},
		{
			"everything, over both protocols",
			types.IpPermission{IpProtocol: ptr("-1"), IpRanges: ranges("0.0.0.0/0"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: ptr("0:0::/0")}}},
			[]string{"ingress/all/any/0.0.0.0/0", "ingress/all/any/::/0"},
		},
		{
			"echo",
			types.IpPermission{IpProtocol: ptr("icmp"), FromPort: ptr(int32(8)), ToPort: ptr(int32(-1)), IpRanges: ranges("10.0.0.0/8")},
			[]string{"ingress/icmp/8-any/10.0.0.0/8"},
		},
		{
			"all of ICMPv6, by number",
			types.IpPermission{IpProtocol: ptr("58"), FromPort: ptr(int32(-1)), ToPort: ptr(int32(-1)), IpRanges: ranges("10.1.2.3/8")},
			[]string{"ingress/icmpv6/any/10.0.0.0/8"},
		},
		{
			"another group, one of another account, and a prefix list",
			types.IpPermission{
				IpProtocol: ptr("udp"), FromPort: ptr(int32(53)), ToPort: ptr(int32(54)),
				UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: ptr("sg-1")}, {GroupId: ptr("sg-2"), UserId: ptr("444455556666")}},
				PrefixListIds:    []types.PrefixListId{{PrefixListId: ptr("pl-1")}},
			},
			[]string{"ingress/udp/53-54/pl-1", "ingress/udp/53-54/sg-1", "ingress/udp/53-54/sg-2"},
		},
		{"a protocol without ports", types.IpPermission{IpProtocol: ptr("50"), IpRanges: ranges("10.0.0.0/8")}, []string{"ingress/50/any/10.0.0.0/8"}},
		{"nobody", types.IpPermission{IpProtocol: ptr("tcp")}, nil},
		{"what is no network", types.IpPermission{IpRanges: ranges("rubbish\n")}, []string{"ingress/all/any/rubbish\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ruleKeys("ingress", []types.IpPermission{c.p})
			slices.Sort(got)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestARuleOfTwoGroupsIsOneItem(t *testing.T) {
	p := place{o: &Options{}, groups: groups{byID: map[string]group{
		"sg-1": {"web (sg-1)", []string{"ingress/tcp/443-443/0.0.0.0/0"}},
		"sg-2": {"all (sg-2)", []string{"ingress/tcp/443-443/0.0.0.0/0"}},
	}}}
	o := p.network(items{"nic/0": {"security_groups": "sg-1"}, "nic/1": {"security_groups": "sg-1,sg-2"}}, lack{})
	it, ok := o.State.Get("ingress/tcp/443-443/0.0.0.0/0")
	if via, _ := it.Field("via"); !ok || via != "all (sg-2),web (sg-1)" || o.State.Len() != 3 {
		t.Error(o.State.Text())
	}
}

func TestAGroupThatIsNotListedMakesTheRulesIncomplete(t *testing.T) {
	o := (&place{o: &Options{}}).network(items{"nic/0": {"security_groups": "sg-9"}}, lack{})
	if o.ItemsComplete || o.Status != "partial" || o.Validate() != nil {
		t.Errorf("%+v", o)
	}
}

func TestAnAddressThatAStopGivesBackIsUnknownWhileTheMachineIsOff(t *testing.T) {
	association := func(owner string) *types.InstanceNetworkInterfaceAssociation {
		return &types.InstanceNetworkInterfaceAssociation{PublicIp: ptr("192.0.2.1"), IpOwnerId: &owner}
	}
	for _, c := range []struct {
		a       *types.InstanceNetworkInterfaceAssociation
		running bool
		want    string
	}{
		{nil, true, "none"},
		{nil, false, ""},
		{association("amazon"), true, "assigned"},
		{association("111122223333"), false, "elastic"},
	} {
		i := &types.Instance{NetworkInterfaces: []types.InstanceNetworkInterface{{NetworkInterfaceId: ptr("eni-1"), Association: c.a}}}
		if got := nicsOf(i, c.running)["nic/eni-1"]["public"]; got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
