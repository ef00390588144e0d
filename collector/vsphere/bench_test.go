package vsphere

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// fleet puts copies of the simulator's first machine into its registry, until there are n.
func (s *sim) fleet(n int) {
	s.t.Helper()
	first := s.vm("DC0_C0_RP0_VM0")
	reg := s.model.Map()
	for i := len(reg.All("VirtualMachine")); i < n; i++ {
		vm := *first
		config := *first.Config
		vm.Self = types.ManagedObjectReference{Type: "VirtualMachine", Value: fmt.Sprintf("vm-copy-%05d", i)}
		vm.Name = fmt.Sprintf("copy-%05d", i)
		config.InstanceUuid = fmt.Sprintf("50130000-0000-0000-0000-%012d", i)
		config.Uuid = fmt.Sprintf("42130000-0000-0000-0000-%012d", i)
		vm.Config = &config
		reg.Put(&vm)
		folder := reg.Get(*vm.Parent).(*simulator.Folder)
		folder.ChildEntity = append(folder.ChildEntity, vm.Self)
	}
}

// BenchmarkList10000 prints what a listing of 10,000 machines takes beside one bare call for the same
// properties, unpaged, whose answer is decoded and thrown away.
func BenchmarkList10000(b *testing.B) {
	const machines = 10_000
	s := newSim(b)
	s.fleet(machines)
	src := s.source()
	var full, bare time.Duration
	var calls int
	var bytes, bareBytes int64
	for b.Loop() {
		s.onCall(nil)
		s.bytes = 0
		start := time.Now()
		l := listed(b, src)
		full += time.Since(start)
		if len(l.Machines) < machines {
			b.Fatalf("%d machines", len(l.Machines))
		}
		calls, bytes = 0, s.bytes
		for _, n := range s.calls {
			calls += n
		}
		s.bytes = 0
		start = time.Now()
		if n := s.bare(src); n != machines {
			b.Fatalf("%d machines", n)
		}
		bare += time.Since(start)
		bareBytes = s.bytes
	}
	pages := (machines + pageSize - 1) / pageSize
	b.ReportMetric(float64(calls), "calls")
	b.ReportMetric(float64(calls-pages), "calls-beside-pages")
	b.ReportMetric(float64(bytes)/1e6, "MB")
	b.ReportMetric(float64(bareBytes)/1e6, "bare-MB")
	b.ReportMetric(bare.Seconds()/float64(b.N), "bare-s/op")
	b.ReportMetric(full.Seconds()/float64(b.N), "list-s/op")
	b.ReportMetric(full.Seconds()/bare.Seconds(), "ratio")
}

// bare asks for the same properties of the same machines in one call.
func (s *sim) bare(src *Source) int {
	ctx := context.Background()
	src.mu.Lock()
	defer src.mu.Unlock()
	ses, err := src.open(ctx)
	s.must(err)
	v, err := ses.view(ctx, []string{"VirtualMachine"}, 0)
	s.must(err)
	defer v.close(ctx)
	skip := true
	res, err := methods.RetrievePropertiesEx(ctx, v.client, &types.RetrievePropertiesEx{
		This: v.client.ServiceContent.PropertyCollector,
		SpecSet: []types.PropertyFilterSpec{{
			ObjectSet: []types.ObjectSpec{{Obj: v.ref, Skip: &skip, SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: "ContainerView", Path: "view"}}}},
			PropSet:   []types.PropertySpec{{Type: "VirtualMachine", PathSet: vmPaths}},
		}},
	})
	s.must(err)
	return len(res.Returnval.Objects)
}

func TestTheNumberOfCallsGrowsWithThePages(t *testing.T) {
	const machines, page = 400, 100
	s := newSim(t)
	s.fleet(machines)
	src := s.source()
	src.page = page
	if n := len(listed(t, src).Machines); n != machines+4 {
		t.Errorf("%d machines", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := 0
	for _, n := range s.calls {
		calls += n
	}
	// Content, login, view, infrastructure, end of view; tags: login, categories, tags, logout.
	if most := machines/page + 9; calls > most {
		t.Errorf("%d calls, at most %d: %v", calls, most, s.calls)
	}
}
