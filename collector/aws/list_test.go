package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

const ireland, frankfurt = "eu-west-1", "eu-central-1"

// open is a source that knows the planted keys and does not wait between attempts.
func open(t testing.TB, endpoint string, o Options) *Source {
	t.Helper()
	o.Name, o.Credentials, o.Endpoint = "prod", keys, endpoint
	if o.retryer == nil {
		o.retryer = impatient(2)
	}
	return must(New(t.Context(), o))(t)
}

// list lists, and fails the test where there is a problem.
func list(t testing.TB, s *Source) []collector.Listed {
	t.Helper()
	l := must(s.List(t.Context()))(t)
	for _, p := range l.Problems {
		t.Errorf("%s: %v (%s)", p.Part, p.Err, p.Hint)
	}
	for _, m := range l.Machines {
		for i, o := range m.Observations {
			if err := o.Validate(); err != nil {
				t.Errorf("%s: %v", m.Machine.Name, err)
			}
			if i > 0 && m.Observations[i-1].Facet >= o.Facet {
				t.Errorf("%s: the observations are not sorted", m.Machine.Name)
			}
			for _, it := range o.State.Items() {
				for f := range it.Fields() {
					if !o.Facet.HasField(f.Name) {
						t.Errorf("%s: %s has a field %s", m.Machine.Name, o.Facet, f.Name)
					}
				}
			}
		}
	}
	return l.Machines
}

// run starts n instances in moto.
func run(t testing.TB, c *ec2.Client, n int32, tags map[string]string) []types.Instance {
	t.Helper()
	in := &ec2.RunInstancesInput{
		ImageId: ptr("ami-12c6146b"), MinCount: ptr(n), MaxCount: ptr(n), InstanceType: types.InstanceTypeT3Micro,
		MetadataOptions: &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: ptr(int32(1))},
	}
	if len(tags) > 0 {
		spec := types.TagSpecification{ResourceType: types.ResourceTypeInstance}
		for k, v := range tags {
			spec.Tags = append(spec.Tags, types.Tag{Key: ptr(k), Value: ptr(v)})
		}
		in.TagSpecifications = []types.TagSpecification{spec}
	}
	return must(c.RunInstances(context.Background(), in))(t).Instances
}

func facet(t testing.TB, m collector.Listed, f inventory.Facet) inventory.Observation {
	t.Helper()
	o, ok := (&inventory.Snapshot{Observations: m.Observations}).Observation(f)
	if !ok {
		t.Fatalf("%s has no %s", m.Machine.Name, f)
	}
	return o
}

func TestInstancesOfAllAccountsAndRegionsAreListed(t *testing.T) {
	url := startMoto(t)
	one, two := newRole(), newRole()
	a := run(t, admin(t, url, one, ireland), 1, map[string]string{"Name": "web-1", "role": "web", "aws:team": "x/y"})[0]
	b := run(t, admin(t, url, one, frankfurt), 2, map[string]string{"Name": "db"})
	c := run(t, admin(t, url, two, ireland), 1, nil)[0]
	gone := run(t, admin(t, url, two, ireland), 1, nil)[0]
	must(admin(t, url, two, ireland).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{*gone.InstanceId}}))(t)
	must(admin(t, url, two, ireland).StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{*c.InstanceId}}))(t)

	f := newFront(t, url, nil)
	got := list(t, open(t, f.URL, Options{Roles: []Role{one, two}}))
	if len(got) != 4 {
		t.Fatalf("%d machines", len(got))
	}
	account := func(r Role) string { return strings.Split(r.ARN, ":")[4] }
	byID := map[string]collector.Listed{}
	for _, m := range got {
		byID[m.Machine.ID.NativeID] = m
	}
	web, ok := byID[account(one)+"/"+ireland+"/"+*a.InstanceId]
	if !ok {
		t.Fatal("web-1 is not listed by its account, region and id")
	}
	want := inventory.Machine{
		ID:   inventory.MachineID{Source: "prod", NativeID: account(one) + "/" + ireland + "/" + *a.InstanceId},
		Name: "web-1", Address: *a.PrivateIpAddress,
		Labels: map[string]string{
			"account": account(one), "region": ireland, "az": *a.Placement.AvailabilityZone, "platform": "linux",
			"Name": "web-1", "role": "web", "aws-team": "x-y",
		},
	}
	if d := cmp.Diff(want, web.Machine); d != "" {
		t.Error(d)
	}
	if web.Kind != collector.Instance || web.Power != collector.PowerOn ||
		!slices.Equal(web.Evidence, []collector.Evidence{{Kind: collector.InstanceID, Value: *a.InstanceId}}) {
		t.Errorf("%+v", web)
	}
	for _, i := range b {
		if m := byID[account(one)+"/"+frankfurt+"/"+*i.InstanceId]; m.Machine.Name != "db ("+*i.InstanceId+")" {
			t.Errorf("one of two machines with one name tag is named %q", m.Machine.Name)
		}
	}
	if m := byID[account(two)+"/"+ireland+"/"+*c.InstanceId]; m.Machine.Name != *c.InstanceId || m.Power != collector.PowerOff {
		t.Errorf("a stopped machine without a name: %+v", m)
	}
	if n := f.count("DescribeRegions"); n != 2 {
		t.Errorf("the regions of two accounts were asked %d times", n)
	}
	cloud := facet(t, web, inventory.Cloud)
	for _, line := range []string{"instance\t", "metadata\t", "tag/role\tvalue=web", "volume/", "user_data\n", "protection\n"} {
		if !strings.Contains(cloud.State.Text(), line) {
			t.Errorf("cloud lacks %q:\n%s", line, cloud.State.Text())
		}
	}
	t.Logf("\n%s%s", cloud.State.Text(), facet(t, web, inventory.Network).State.Text())
}

func TestARoleIsAssumedWithItsExternalIDAndUsedForAllElse(t *testing.T) {
	f := newFront(t, "", fakeCloud{account: "444455556666", instances: 1}.answer)
	role := Role{ARN: "arn:aws:iam::444455556666:role/vmdrift", ExternalID: "for-vmdrift", SessionName: "night"}
	list(t, open(t, f.URL, Options{Roles: []Role{role}}))
	if f.count("AssumeRole") != 1 {
		t.Errorf("the role was assumed %d times", f.count("AssumeRole"))
	}
	for _, c := range f.calls {
		switch {
		case c.action != "AssumeRole" && c.accessKey != "ASIA444455556666":
			t.Errorf("%s was called as %s", c.action, c.accessKey)
		case c.action == "AssumeRole" && (c.form.Get("ExternalId") != "for-vmdrift" || c.form.Get("RoleSessionName") != "night"):
			t.Errorf("%v", c.form)
		}
	}
}

func TestPublicAddressesComeFirstIfWanted(t *testing.T) {
	i := &types.Instance{PrivateIpAddress: ptr("10.0.0.1"), PublicIpAddress: ptr("192.0.2.1"), Ipv6Address: ptr("2001:db8::1")}
	for _, c := range []struct {
		o    Options
		drop string
		want string
	}{
		{want: "10.0.0.1"}, {o: Options{PublicAddress: true}, want: "192.0.2.1"}, {drop: "v4", want: "[2001:db8::1]"},
	} {
		if c.drop != "" {
			i.PrivateIpAddress, i.PublicIpAddress = nil, nil
		}
		if got := (&place{o: &c.o}).address(i); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTheRetriesAreAdaptive(t *testing.T) {
	s := must(New(t.Context(), Options{Name: "prod"}))(t)
	if r, ok := s.cfg.Retryer().(patient); !ok || r.MaxAttempts() != maxAttempts {
		t.Errorf("%T", s.cfg.Retryer())
	}
}

func TestAnEndpointThatIsNotThereIsNotWaitedFor(t *testing.T) {
	r := adaptive().(patient)
	nobody := fmt.Errorf("request: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")})
	cut := fmt.Errorf("request: %w", &net.OpError{Op: "read", Err: errors.New("connection reset")})
	for _, c := range []struct {
		attempt int
		err     error
		on      bool
	}{{1, nobody, true}, {maxDials, nobody, false}, {maxDials, cut, true}, {maxAttempts - 1, cut, true}} {
		if _, err := r.RetryDelay(c.attempt, c.err); (err == nil) != c.on {
			t.Errorf("after attempt %d: %v", c.attempt, err)
		}
	}
}
