package aws

import (
	"fmt"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

func TestInstanceCallsGrowByTheThousand(t *testing.T) {
	for _, c := range []struct{ instances, calls int }{{0, 1}, {1, 1}, {1000, 1}, {1001, 2}, {2500, 3}} {
		f := newFront(t, "", fakeCloud{account: "111122223333", instances: c.instances}.answer)
		got := list(t, open(t, f.URL, Options{Regions: []string{ireland}}))
		if len(got) != c.instances {
			t.Errorf("%d machines of %d", len(got), c.instances)
		}
		if n := f.count("DescribeInstances"); n != c.calls {
			t.Errorf("%d instances took %d calls of DescribeInstances, want %d", c.instances, n, c.calls)
		}
		// Who calls, and security groups where there are instances; volumes by pages of their own.
		others := len(f.calls) - f.count("DescribeInstances") - f.count("DescribeVolumes")
		if most := 2; others > most {
			t.Errorf("%d instances took %d other calls: %v", c.instances, others, f.actions())
		}
	}
}

func TestThePagesOfMotoArePutTogether(t *testing.T) {
	url, role := startMoto(t), newRole()
	c := admin(t, url, role, ireland)
	const n, size = 12, 5
	for range n { // moto counts reservations where EC2 counts instances: one each
		run(t, c, 1, nil)
	}
	f := newFront(t, url, nil)
	got := list(t, open(t, f.URL, Options{Roles: []Role{role}, Regions: []string{ireland}, pageSize: size}))
	if calls := f.count("DescribeInstances"); len(got) != n || calls != 3 {
		t.Errorf("%d machines by %d calls of DescribeInstances", len(got), calls)
	}
	for _, m := range got {
		for _, o := range m.Observations {
			if o.Status != inventory.Complete {
				t.Errorf("%s: %s is %s: %s", m.Machine.Name, o.Facet, o.Status, o.Reason)
			}
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFront(b, "", fakeCloud{account: "111122223333", instances: n}.answer)
			s := open(b, f.URL, Options{Regions: []string{ireland}})
			for b.Loop() {
				f.forget()
				if got := list(b, s); len(got) != n {
					b.Fatal(len(got))
				}
			}
			b.ReportMetric(float64(len(f.calls)), "calls/op")
		})
	}
}
