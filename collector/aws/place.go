package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/vmdrift/vmdrift/collector"
)

// A place is one region of one account, and what was learnt there.
type place struct {
	o               *Options
	account, region string
	ec2             *ec2.Client
	ecs             *ecs.Client

	groups   groups  // of all machines here
	volumes  volumes // of all instances here
	answered bool    // something was learnt, if only that there is nothing
	problems []problem
	machines []collector.Listed
}

// list lists the place. Volumes and security groups are asked after the machines
// that have them, so that those of a new machine are among them, and not at all where there is none.
func (p *place) list(ctx context.Context) {
	instances, err := p.instances(ctx)
	p.answered = err == nil || len(instances) > 0
	if err != nil {
		p.failed("instances", err)
	}
	var services []service
	if p.o.ECS {
		services = p.services(ctx)
	}
	if len(instances) > 0 {
		p.volumes = p.listVolumes(ctx)
	}
	if len(instances) > 0 || len(services) > 0 {
		p.groups = p.listGroups(ctx)
	}
	asked := p.attributes(ctx, instances)
	for i := range instances {
		p.machines = append(p.machines, p.instance(&instances[i], asked[i]))
	}
	for i := range services {
		p.machines = append(p.machines, p.task(&services[i]))
	}
}

// failed keeps what went wrong with a part of the place, and returns it in one
// sentence for the observations that lack something by it.
func (p *place) failed(what string, err error) string {
	pr := problemOf(what+" of account "+p.account+", region "+p.region, err)
	pr.what, pr.region = what+" of account "+p.account, p.region
	p.problems = append(p.problems, pr)
	return what + " could not be read: " + pr.Err.Error()
}

// here are the states of an instance that is there. A terminated one is listed for
// an hour more, and is gone.
var here = []types.Filter{{
	Name:   ptr("instance-state-name"),
	Values: []string{"pending", "running", "stopping", "stopped"},
}}

func (p *place) instances(ctx context.Context) ([]types.Instance, error) {
	return pages(func(token *string) ([]types.Instance, *string, error) {
		out, err := p.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: here, MaxResults: &p.o.pageSize, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		var list []types.Instance
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				if i.InstanceId != nil {
					list = append(list, i)
				}
			}
		}
		return list, out.NextToken, nil
	})
}

var errLoop = errors.New("the pages go round in a circle")

// pages gathers all pages of a list. With an error comes what was there before it. The
// SDK's paginators would end at a token that comes twice as if the list were complete.
func pages[T any](fetch func(token *string) ([]T, *string, error)) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for token := (*string)(nil); ; {
		list, next, err := fetch(token)
		all = append(all, list...)
		if err != nil || next == nil || *next == "" {
			return all, err
		}
		if seen[*next] {
			return all, errLoop
		}
		seen[*next], token = true, next
	}
}

func ptr[T any](v T) *T { return &v }
