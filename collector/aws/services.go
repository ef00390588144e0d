package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/vmdrift/vmdrift/inventory"
)

// A service is the running Fargate tasks of one group in a cluster: an ECS service, the
// tasks that were started by hand of one family, or what the caller of RunTask named.
// Tasks come and go; the group is what lasts, and so the machine.
type service struct {
	cluster, group string
	tasks          []types.Task
	reason         string // why some of its tasks may be missing
	definitions    *definitions
	nics           *taskNICs
}

// tasksPerCall is the most that ECS lists and describes at once.
const tasksPerCall = 100

// services lists what runs on Fargate in the place.
func (p *place) services(ctx context.Context) []service {
	clusters, err := pages(func(token *string) ([]string, *string, error) {
		out, err := p.ecs.ListClusters(ctx, &ecs.ListClustersInput{MaxResults: ptr(int32(tasksPerCall)), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.ClusterArns, out.NextToken, nil
	})
	p.answered = p.answered || err == nil || len(clusters) > 0
	if err != nil {
		p.failed("ECS clusters", err)
	}
	var all []service
	for _, cluster := range clusters {
		tasks, reason := p.tasks(ctx, cluster)
		byGroup := map[string]int{}
		for _, t := range tasks {
			// A capacity provider (FARGATE_SPOT) stands in the place of the launch type.
			if t.LaunchType != types.LaunchTypeFargate && !strings.HasPrefix(awssdk.ToString(t.CapacityProviderName), "FARGATE") {
				continue
			}
			family, _ := familyAndRevision(t.TaskDefinitionArn)
			group := cmp.Or(awssdk.ToString(t.Group), "family:"+family)
			i, ok := byGroup[group]
			if !ok {
				i = len(all)
				byGroup[group] = i
				all = append(all, service{cluster: nameInARN(&cluster), group: group, reason: reason})
			}
			all[i].tasks = append(all[i].tasks, t)
		}
	}
	if len(all) == 0 {
		return nil
	}
	defs, nics := p.describeDefinitions(ctx, all), p.describeNICs(ctx, all)
	for i := range all {
		all[i].definitions, all[i].nics = defs, nics
	}
	return all
}

// tasks returns the tasks of a cluster that are to run, and why some may be missing.
func (p *place) tasks(ctx context.Context, cluster string) ([]types.Task, string) {
	what := "tasks of ECS cluster " + nameInARN(&cluster)
	ids, err := pages(func(token *string) ([]string, *string, error) {
		out, err := p.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, MaxResults: ptr(int32(tasksPerCall)), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.TaskArns, out.NextToken, nil
	})
	reason := ""
	if err != nil {
		reason = p.failed(what, err)
	}
	var tasks []types.Task
	for chunk := range slices.Chunk(ids, tasksPerCall) {
		out, err := p.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: chunk, Include: []types.TaskField{types.TaskFieldTags}})
		if err != nil {
			return tasks, p.failed(what, err)
		}
		tasks = append(tasks, out.Tasks...)
		for _, f := range out.Failures {
			// MISSING: it ended since it was listed.
			if why := awssdk.ToString(f.Reason); why != "MISSING" {
				reason = p.failed(what, fmt.Errorf("%w: %s", errTask, inventory.Escape(clip(why))))
			}
		}
	}
	return tasks, reason
}

var errTask = errors.New("a task is not described")

// familyAndRevision are those of arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7.
func familyAndRevision(arn *string) (family, revision string) {
	name := nameInARN(arn)
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}
