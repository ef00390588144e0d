package aws

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// task is a service as a machine, named cluster/service.
func (p *place) task(s *service) collector.Listed {
	name := strings.TrimPrefix(s.group, "service:")
	own := map[string]string{"account": p.account, "region": p.region, "cluster": s.cluster, "service": "", "family": ""}
	if name != s.group {
		own["service"] = name
	}
	tags, families := map[string]string{}, []string{}
	for i, t := range s.tasks {
		family, _ := familyAndRevision(t.TaskDefinitionArn)
		families = append(families, family)
		common := map[string]string{}
		for _, tag := range t.Tags {
			k, v := awssdk.ToString(tag.Key), awssdk.ToString(tag.Value)
			if old, ok := tags[k]; i == 0 || ok && old == v {
				common[k] = v
			}
		}
		tags = common // those that all tasks have
	}
	own["family"] = slices.Min(families)
	return collector.Listed{
		Machine: inventory.Machine{
			ID: inventory.MachineID{
				Source:   p.o.Name,
				NativeID: inventory.Escape(strings.Join([]string{p.account, p.region, "ecs", s.cluster, s.group}, "/")),
			},
			Name:   inventory.Escape(s.cluster + "/" + name),
			Labels: labels(own, tags),
		},
		Kind:         collector.Task,
		Power:        collector.PowerOn,
		Observations: []inventory.Observation{p.taskNetwork(s), s.observe()},
	}
}

// observe is the facet task: what the tasks have in common. While a service is being deployed, its
// old and its new tasks run side by side, and a field has both values.
func (s *service) observe() inventory.Observation {
	all := items{}
	var l lack
	for _, t := range s.tasks {
		d := s.definitions.byARN[awssdk.ToString(t.TaskDefinitionArn)]
		if d == nil {
			l.add(cmp.Or(s.definitions.reason, "a task definition is not there any more"), true, definitionFields...)
		}
		all.merge(taskItems(t, d))
	}
	if s.reason != "" {
		l.add(s.reason, true)
	}
	return all.observe(inventory.Task, l)
}

// definitionFields are the fields that only the definition tells.
var definitionFields = []string{"essential", "execution_role", "network_mode", "privileged", "read_only", "role", "user"}

// taskItems are the items of one task. Environment, commands and secrets' names are left out: they are
// where secrets are, and another one is another revision.
func taskItems(t types.Task, d *types.TaskDefinition) items {
	task := fields{"exec": yes(t.EnableExecuteCommand)}
	family, revision := familyAndRevision(t.TaskDefinitionArn)
	task.word("definition", family)
	task.word("revision", revision)
	task.word("cpu", awssdk.ToString(t.Cpu))
	task.word("memory", awssdk.ToString(t.Memory))
	task.word("platform", awssdk.ToString(t.PlatformFamily))
	task.word("platform_version", awssdk.ToString(t.PlatformVersion))
	it := items{"task": task}
	for _, c := range t.Containers {
		f := fields{}
		f.word("image", awssdk.ToString(c.Image))
		f.word("digest", awssdk.ToString(c.ImageDigest)) // known once it is pulled
		it["container/"+awssdk.ToString(c.Name)] = f
	}
	if d == nil {
		return it
	}
	task["role"], task["execution_role"] = nameInARN(d.TaskRoleArn), nameInARN(d.ExecutionRoleArn)
	task.word("network_mode", string(d.NetworkMode))
	if o := t.Overrides; o != nil { // of RunTask
		task.word("role", nameInARN(o.TaskRoleArn))
		task.word("execution_role", nameInARN(o.ExecutionRoleArn))
	}
	for _, c := range d.ContainerDefinitions {
		name := awssdk.ToString(c.Name)
		if f, ok := it["container/"+name]; ok {
			f["essential"] = yes(c.Essential == nil || *c.Essential)
			f["privileged"] = yes(awssdk.ToBool(c.Privileged))
			f["read_only"] = yes(awssdk.ToBool(c.ReadonlyRootFilesystem))
			f.text("user", c.User)
		}
		for _, m := range c.PortMappings {
			f := fields{"container": name}
			f.word("app_protocol", string(m.AppProtocol))
			it["port/"+cmp.Or(string(m.Protocol), "tcp")+"/"+portOf(m)] = f
		}
	}
	return it
}

func portOf(m types.PortMapping) string {
	if m.ContainerPort != nil {
		return strconv.Itoa(int(*m.ContainerPort))
	}
	return awssdk.ToString(m.ContainerPortRange)
}
