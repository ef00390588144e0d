package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// goldenOf makes a baseline of what a listed machine is.
func goldenOf(t testing.TB, m collector.Listed) *baseline.Golden {
	t.Helper()
	spec, gaps := baseline.Capture(inventory.Snapshot{Machine: m.Machine, Observations: m.Observations}, "golden", "")
	for _, g := range gaps {
		if slices.Contains(inventory.PlatformFacets(), g.Facet) {
			t.Errorf("%s: %s", g.Facet, g.Reason)
		}
	}
	return must(spec.Compile())(t)
}

// drifted are the changes, one a line, with their severity.
func drifted(g *baseline.Golden, m collector.Listed) []string {
	out := []string{}
	for _, c := range g.DiffAll(m.Observations) {
		out = append(out, c.Severity.String()+" "+c.String())
	}
	return out
}

// vm is one instance in a network of its own, in which nothing has a public address.
type vm struct {
	*ec2.Client
	id, group, other, subnet string
}

func newVM(t *testing.T, c *ec2.Client) vm {
	ctx := t.Context()
	net := must(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: ptr("10.0.0.0/16")}))(t)
	subnet := must(c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: net.Vpc.VpcId, CidrBlock: ptr("10.0.1.0/24")}))(t)
	group := func(name string) string {
		made, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{VpcId: net.Vpc.VpcId, GroupName: &name, Description: &name})
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidGroup.Duplicate" {
			return *must(made, err)(t).GroupId
		}
		// The network is new, so it was ourselves: an answer was lost on the way, and the SDK asked again.
		there := must(c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{
			{Name: ptr("vpc-id"), Values: []string{*net.Vpc.VpcId}}, {Name: ptr("group-name"), Values: []string{name}},
		}}))(t)
		return *there.SecurityGroups[0].GroupId
	}
	v := vm{Client: c, group: group("web"), other: group("debug"), subnet: *subnet.Subnet.SubnetId}
	v.allow(t, v.group, 443, "0.0.0.0/0")
	v.allow(t, v.other, 9000, "10.0.0.0/8")
	out := must(c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: ptr("ami-12c6146b"), MinCount: ptr(int32(1)), MaxCount: ptr(int32(1)), InstanceType: types.InstanceTypeT3Micro,
		SubnetId: &v.subnet, SecurityGroupIds: []string{v.group},
		MetadataOptions:   &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired},
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: ptr("role"), Value: ptr("web")}}}},
	}))(t)
	v.id = *out.Instances[0].InstanceId
	return v
}

func (v vm) allow(t *testing.T, group string, port int32, from string) {
	t.Helper()
	must(v.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{
		{IpProtocol: ptr("tcp"), FromPort: &port, ToPort: &port, IpRanges: []types.IpRange{{CidrIp: &from}}},
	}}))(t)
}

func TestEachChangeIsFoundOnceAndNothingElse(t *testing.T) {
	url := startMoto(t)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, v vm)
		want   []string
	}{
		{"nothing changes", func(*testing.T, vm) {}, nil},
		{
			"a security group's rule is opened to the world",
			func(t *testing.T, v vm) { v.allow(t, v.group, 22, "0.0.0.0/0") },
			[]string{"critical network ingress/tcp/22-22/0.0.0.0/0 added (via: web (WEB))"},
		},
		{"IMDSv1 is allowed", func(t *testing.T, v vm) {
			must(v.ModifyInstanceMetadataOptions(t.Context(), &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: &v.id, HttpTokens: types.HttpTokensStateOptional}))(t)
		}, []string{"high cloud metadata changed (http_tokens: required → optional)"}},
		{"a public address is added", func(t *testing.T, v vm) {
			ip := must(v.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc}))(t)
			must(v.AssociateAddress(t.Context(), &ec2.AssociateAddressInput{InstanceId: &v.id, AllocationId: ip.AllocationId}))(t)
		}, []string{"high network nic/0 changed (public: none → elastic)"}},
		{"the instance type is changed", func(t *testing.T, v vm) {
			must(v.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{v.id}}))(t)
			must(v.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &v.id, InstanceType: &types.AttributeValue{Value: ptr("t3.large")}}))(t)
		}, []string{"medium cloud instance changed (type: t3.micro → t3.large)"}},
		{"the machine is stopped and started", func(t *testing.T, v vm) {
			must(v.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{v.id}}))(t)
			must(v.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{v.id}}))(t)
		}, nil},
		{"a tag is changed", func(t *testing.T, v vm) {
			must(v.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{v.id}, Tags: []types.Tag{{Key: ptr("role"), Value: ptr("db")}}}))(t)
		}, []string{"low cloud tag/role changed (value: web → db)"}},
		{"a group is attached", func(t *testing.T, v vm) {
			must(v.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &v.id, Groups: []string{v.group, v.other}}))(t)
		}, []string{
			"medium network ingress/tcp/9000-9000/10.0.0.0/8 added (via: debug (OTHER))",
			"medium network nic/0 changed (security_groups: WEB → SORTED)",
		}},
		{"termination protection is turned on", func(t *testing.T, v vm) {
			must(v.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &v.id, DisableApiTermination: &types.AttributeBooleanValue{Value: ptr(true)}}))(t)
		}, []string{"low cloud protection changed (termination: no → yes)"}},
		{"user data are changed", func(t *testing.T, v vm) {
			must(v.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &v.id, UserData: &types.SecureBlobAttributeValue{Value: []byte("ZWNobyBoZWxsbw==")}}))(t)
		}, []string{"high cloud user_data changed (sha256:  → 584a331fd6b02dcb1ecbe2eba731f609a2e1e3dac0bb73ae998dfad14c309a77)"}},
		{"a volume is attached", func(t *testing.T, v vm) {
			vol := must(v.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: ptr(ireland + "a"), Size: ptr(int32(20)), VolumeType: types.VolumeTypeGp3}))(t)
			must(v.AttachVolume(t.Context(), &ec2.AttachVolumeInput{InstanceId: &v.id, VolumeId: vol.VolumeId, Device: ptr("/dev/sdf")}))(t)
		}, []string{"high cloud volume/dev/sdf added (delete_on_termination: no, encrypted: no, kms_key: , size_gib: 20, type: gp3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			role := newRole()
			v := newVM(t, admin(t, url, role, ireland))
			s := open(t, url, Options{Roles: []Role{role}, Regions: []string{ireland}, UserData: true, TerminationProtection: true})
			g := goldenOf(t, list(t, s)[0])
			c.change(t, v)
			both := []string{v.group, v.other}
			slices.Sort(both)
			names := strings.NewReplacer(strings.Join(both, ","), "SORTED", v.group, "WEB", v.other, "OTHER")
			got := drifted(g, list(t, s)[0])
			for i := range got {
				got[i] = names.Replace(got[i])
			}
			if d := cmp.Diff(append([]string{}, c.want...), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTenListingsOfOneStateAreEqual(t *testing.T) {
	url, role := startMoto(t), newRole()
	newVM(t, admin(t, url, role, ireland))
	s := open(t, url, Options{Roles: []Role{role}, Regions: []string{ireland}, UserData: true, TerminationProtection: true})
	first := list(t, s)
	for range 9 {
		if d := cmp.Diff(digests(first), digests(list(t, s))); d != "" {
			t.Fatal(d)
		}
	}
}

func digests(ms []collector.Listed) []string {
	var out []string
	for _, m := range ms {
		for _, o := range m.Observations {
			out = append(out, m.Machine.ID.NativeID+" "+string(o.Facet)+" "+o.State.Digest().String())
		}
	}
	return out
}
