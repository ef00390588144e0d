package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// definitions are the task definitions that tasks of a region run.
type definitions struct {
	byARN  map[string]*types.TaskDefinition
	reason string // why some are missing
}

// describeDefinitions asks for each once. A revision never changes, but it may be deleted.
func (p *place) describeDefinitions(ctx context.Context, all []service) *definitions {
	d := &definitions{byARN: map[string]*types.TaskDefinition{}}
	for _, s := range all {
		for _, t := range s.tasks {
			arn := awssdk.ToString(t.TaskDefinitionArn)
			if _, asked := d.byARN[arn]; asked || arn == "" || d.reason != "" {
				continue
			}
			out, err := p.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
			if err != nil {
				d.reason = p.failed("task definitions", err)
				continue
			}
			d.byARN[arn] = out.TaskDefinition
		}
	}
	return d
}
