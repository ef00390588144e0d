package aws

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestWhatCouldNotBeReadIsUnknownAndNotAbsent(t *testing.T) {
	one := func(instead func(call) *answer) collector.Listed {
		f := newFront(t, "", fakeCloud{account: "111122223333", instances: 1, instead: instead}.answer)
		o := Options{Regions: []string{ireland}, UserData: true, TerminationProtection: true}
		l := must(open(t, f.URL, o).List(t.Context()))(t)
		noSecrets(t, l, nil)
		return l.Machines[0]
	}
	g := goldenOf(t, one(nil))
	for action, missing := range map[string]struct {
		facet  inventory.Facet
		fields []string
		items  bool
	}{
		"DescribeVolumes":           {inventory.Cloud, volumeFields, true},
		"DescribeInstanceAttribute": {inventory.Cloud, []string{"sha256", "termination"}, true},
		"DescribeSecurityGroups":    {inventory.Network, nil, false},
	} {
		m := one(always(action, "", refuse(403, "UnauthorizedOperation", planted)))
		o := facet(t, m, missing.facet)
		if o.Status != inventory.Partial || !slices.Equal(o.Missing, missing.fields) || o.ItemsComplete != missing.items || !strings.Contains(o.Reason, "ec2:"+action) {
			t.Errorf("%s: %s, missing %v, %s", action, o.Status, o.Missing, o.Reason)
		}
		if d := drifted(g, m); len(d) > 0 {
			t.Errorf("%s denied: %q", action, d)
		}
	}
	// Not asked for: as if it could not be read.
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 1}.answer)
	if d := drifted(g, list(t, open(t, f.URL, Options{Regions: []string{ireland}}))[0]); len(d) > 0 {
		t.Errorf("%q", d)
	}
}

func TestAnInstanceThatIsBeingStartedClosesNothing(t *testing.T) {
	i := &types.Instance{InstanceId: ptr("i-1"), State: &types.InstanceState{Name: types.InstanceStateNamePending}}
	m := (&place{o: &Options{}}).instance(i, attributes{userData: fields{}, protection: fields{}})
	for _, o := range m.Observations {
		if o.ItemsComplete || o.Validate() != nil {
			t.Errorf("%+v", o)
		}
	}
}
