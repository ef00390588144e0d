package aws

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/vmdrift/vmdrift/collector"
)

// List implements collector.Source. Accounts and regions are listed at the same
// time, within the set concurrency. One that cannot be listed is a Problem, and the others go on.
func (s *Source) List(ctx context.Context) (collector.Listing, error) {
	var places []*place
	var problems []problem
	accounts := make([]account, max(len(s.o.Roles), 1))
	s.each(len(accounts), func(i int) {
		role := Role{}
		if len(s.o.Roles) > 0 {
			role = s.o.Roles[i]
		}
		accounts[i] = s.enter(ctx, role)
	})
	for _, a := range accounts {
		problems = append(problems, a.problems...)
		for _, region := range a.regions {
			at := func(o *awssdk.Config) { o.Region = region }
			cfg := a.cfg.Copy()
			at(&cfg)
			places = append(places, &place{o: &s.o, account: a.id, region: region, ec2: ec2.NewFromConfig(cfg), ecs: ecs.NewFromConfig(cfg)})
		}
	}

	s.each(len(places), func(i int) { places[i].list(ctx) })
	if err := ctx.Err(); errors.Is(err, context.Canceled) { // at a deadline, what came before it counts
		return collector.Listing{}, err
	}
	var l collector.Listing
	answered := false
	for _, p := range places {
		answered = answered || p.answered
		problems = append(problems, p.problems...)
		l.Machines = append(l.Machines, p.machines...)
	}
	problems = together(problems)
	if !answered && len(problems) > 0 {
		return collector.Listing{}, problems[0].asError(len(problems) - 1)
	}
	for _, p := range problems {
		l.Problems = append(l.Problems, p.Problem)
	}
	// Two roles may lead into one account.
	byID := func(a, b collector.Listed) int { return cmp.Compare(a.Machine.ID.NativeID, b.Machine.ID.NativeID) }
	slices.SortStableFunc(l.Machines, byID)
	l.Machines = slices.CompactFunc(l.Machines, func(a, b collector.Listed) bool { return byID(a, b) == 0 })
	tellApart(l.Machines)
	return l, nil
}

// tellApart gives machines that share a name one of their own: a name tag is
// often that of a whole group.
func tellApart(ms []collector.Listed) {
	count := map[string]int{}
	for _, m := range ms {
		count[m.Machine.Name]++
	}
	for i := range ms {
		if m := &ms[i].Machine; count[m.Name] > 1 {
			own := m.ID.NativeID
			if ms[i].Kind == collector.Instance {
				own = own[strings.LastIndexByte(own, '/')+1:]
			}
			m.Name += " (" + own + ")"
		}
	}
}

// each calls do for 0 … n-1, as many at once as the concurrency says.
func (s *Source) each(n int, do func(i int)) {
	limit := s.o.Concurrency
	if limit <= 0 {
		limit = defaultConcurrency
	}
	each(n, limit, do)
}

func each(n, limit int, do func(i int)) {
	slots := make(chan struct{}, limit)
	var running sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	running.Wait()
}
