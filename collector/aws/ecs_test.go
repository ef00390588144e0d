package aws

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// fakeECS is a cluster: a service with two tasks, a task of its own, and one on EC2. Answers as in ECS's reference.
type fakeECS struct {
	revision string // of the service's second task
	digest   string
	instead  func(call) *answer
	reversed bool // the tasks in another order
}

const ecsARN = "arn:aws:ecs:eu-west-1:111122223333:"

func (e fakeECS) answer(r call) *answer {
	if e.instead != nil {
		if a := e.instead(r); a != nil {
			return a
		}
	}
	if r.service == "ecs" && r.region != ireland {
		return &answer{200, `{"clusterArns":[]}`}
	}
	switch r.action {
	case "ListClusters":
		return &answer{200, `{"clusterArns":["` + ecsARN + `cluster/shop"]}`}
	case "ListTasks":
		if !strings.Contains(r.body, "nextToken") {
			return &answer{200, `{"taskArns":["` + ecsARN + `task/shop/1","` + ecsARN + `task/shop/2"],"nextToken":"2"}`}
		}
		return &answer{200, `{"taskArns":["` + ecsARN + `task/shop/3","` + ecsARN + `task/shop/4","` + ecsARN + `task/shop/5"]}`}
	case "DescribeTasks":
		task := func(id, group, launch, definition, digest, eni string) string {
			return fmt.Sprintf(`{"taskArn":"%[1]stask/shop/%[2]s","group":%[3]q,"launchType":%[4]q,"taskDefinitionArn":"%[1]stask-definition/%[5]s","lastStatus":"RUNNING","cpu":"256","memory":"512",
				"platformVersion":"1.4.0","platformFamily":"Linux","enableExecuteCommand":false,"startedAt":1700000000.5,"tags":[{"key":"team","value":"shop"},{"key":"id","value":%[2]q}],
				"containers":[{"name":"app","image":"registry/app:latest","imageDigest":%[6]q,"networkInterfaces":[{"privateIpv4Address":"10.0.0.%[2]s"}]}],
				"attachments":[{"type":"ElasticNetworkInterface","details":[{"name":"subnetId","value":"subnet-1"},{"name":"networkInterfaceId","value":%[7]q}]}]}`,
				ecsARN, id, group, launch, definition, digest, eni)
		}
		tasks := []string{
			task("1", "service:web", "FARGATE", "web:7", "sha256:aa", "eni-a"),
			task("2", "service:web", "FARGATE", "web:"+e.revision, e.digest, "eni-b"),
			task("3", "family:job", "FARGATE", "job:1", "sha256:cc", "eni-a"),
			task("4", "service:old", "EC2", "old:1", "sha256:dd", ""),
		}
		if e.reversed {
			slices.Reverse(tasks)
		}
		return &answer{200, `{"tasks":[` + strings.Join(tasks, ",") + `],"failures":[{"arn":"` + ecsARN + `task/shop/5","reason":"MISSING"}]}`}
	case "DescribeTaskDefinition":
		return &answer{200, `{"taskDefinition":{"family":"web","networkMode":"awsvpc","taskRoleArn":"arn:aws:iam::111122223333:role/app/web","executionRoleArn":"arn:aws:iam::111122223333:role/exec",
			"containerDefinitions":[{"name":"app","image":"registry/app:latest","essential":true,"readonlyRootFilesystem":true,"user":"1000","environment":[{"name":"DB","value":"planted-environment"}],
			"portMappings":[{"containerPort":8080,"hostPort":8080,"protocol":"tcp","appProtocol":"http"}]}]}}`}
	}
	return fakeCloud{account: "111122223333"}.answer(r)
}

func (e fakeECS) list(t *testing.T) ([]collector.Listed, *front) {
	if e.revision == "" {
		e.revision, e.digest = "7", "sha256:aa"
	}
	f := newFront(t, "", e.answer)
	return list(t, open(t, f.URL, Options{ECS: true})), f
}

func TestWhatRunsOnFargateIsAMachinePerService(t *testing.T) {
	got, f := fakeECS{}.list(t)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	job, web := got[0], got[1]
	want := inventory.Machine{
		ID: inventory.MachineID{Source: "prod", NativeID: "111122223333/eu-west-1/ecs/shop/service:web"}, Name: "shop/web",
		Labels: map[string]string{"account": "111122223333", "region": ireland, "cluster": "shop", "service": "web", "family": "web", "team": "shop"},
	}
	if d := cmp.Diff(want, web.Machine); d != "" {
		t.Error(d)
	}
	if web.Kind != collector.Task || job.Machine.Name != "shop/family:job" {
		t.Errorf("%s %s", web.Kind, job.Machine.Name)
	}
	const task = `container/app	digest=sha256:aa	essential=yes	image=registry/app:latest	privileged=no	read_only=yes	user=1000
port/tcp/8080	app_protocol=http	container=app
task	cpu=256	definition=web	exec=no	execution_role=exec	memory=512	network_mode=awsvpc	platform=Linux	platform_version=1.4.0	revision=7	role=app/web
`
	if d := cmp.Diff(task, facet(t, web, inventory.Task).State.Text()); d != "" {
		t.Error(d)
	}
	const network = `ingress/tcp/443-443/0.0.0.0/0	via=web (sg-1)
nic/0	attached_to=vpc-1	public=assigned	security_groups=sg-1	vpc=vpc-1
`
	if d := cmp.Diff(network, facet(t, web, inventory.Network).State.Text()); d != "" {
		t.Error(d)
	}
	if n := f.count("DescribeTaskDefinition"); n != 2 {
		t.Errorf("two definitions were asked for %d times", n)
	}
	noSecrets(t, collector.Listing{Machines: got}, nil)
}

func TestATaskWithAnotherImageIsFoundBesideTheOthers(t *testing.T) {
	before, _ := fakeECS{}.list(t)
	g := goldenOf(t, before[1])
	same, _ := fakeECS{reversed: true}.list(t)
	if d := drifted(g, same[1]); len(d) > 0 {
		t.Errorf("tasks in another order: %q", d)
	}
	after, _ := fakeECS{revision: "8", digest: "sha256:bb"}.list(t)
	want := []string{
		"medium task container/app changed (digest: sha256:aa → sha256:aa,sha256:bb)",
		"low task task changed (revision: 7 → 7,8)",
	}
	if d := cmp.Diff(want, drifted(g, after[1])); d != "" {
		t.Error(d)
	}
	again, _ := fakeECS{revision: "8", digest: "sha256:bb", reversed: true}.list(t)
	if d := cmp.Diff(digests(after), digests(again)); d != "" {
		t.Error(d)
	}
}

func TestWhatECSRefusesIsUnknownAndNotAbsent(t *testing.T) {
	before, _ := fakeECS{}.list(t)
	g := goldenOf(t, before[1])
	denied := refuseJSON(400, "AccessDeniedException", planted)
	for action, c := range map[string]struct {
		machines int
		a        *answer
		hint     string
	}{
		"ListClusters":              {0, denied, "Allow ecs:ListClusters"},
		"ListTasks":                 {0, denied, "Allow ecs:ListTasks"},
		"DescribeTasks":             {0, refuseJSON(400, "ThrottlingException", planted), "The next run tries again"},
		"DescribeTaskDefinition":    {2, denied, "Allow ecs:DescribeTaskDefinition"},
		"DescribeNetworkInterfaces": {2, refuse(403, "UnauthorizedOperation", planted), "Allow ec2:DescribeNetworkInterfaces"},
		"DescribeSecurityGroups":    {2, refuse(403, "UnauthorizedOperation", planted), "Allow ec2:DescribeSecurityGroups"},
	} {
		e := fakeECS{revision: "7", digest: "sha256:aa", instead: always(action, ireland, c.a)}
		f := newFront(t, "", e.answer)
		l := must(open(t, f.URL, Options{ECS: true}).List(t.Context()))(t)
		noSecrets(t, l, nil)
		if len(l.Machines) != c.machines || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Hint, c.hint) {
			t.Errorf("%s: %d machines, %+v", action, len(l.Machines), l.Problems)
			continue
		}
		for _, m := range l.Machines {
			for _, o := range m.Observations {
				if err := o.Validate(); err != nil {
					t.Error(err)
				}
			}
			if strings.HasSuffix(m.Machine.Name, "web") {
				if d := drifted(g, m); len(d) > 0 {
					t.Errorf("%s denied: %q", action, d)
				}
			}
		}
	}
}

func TestHalfOfAServicesTasksCloseNothing(t *testing.T) {
	e := fakeECS{revision: "7", digest: "sha256:aa", instead: func(r call) *answer {
		if r.action == "ListTasks" && strings.Contains(r.body, "nextToken") {
			return refuseJSON(500, "ServerException", "")
		}
		return nil
	}}
	f := newFront(t, "", e.answer)
	l := must(open(t, f.URL, Options{ECS: true}).List(t.Context()))(t)
	for _, m := range l.Machines {
		for _, o := range m.Observations {
			if o.ItemsComplete || o.Status != inventory.Partial {
				t.Errorf("%s %s is %s", m.Machine.Name, o.Facet, o.Status)
			}
		}
	}
}
