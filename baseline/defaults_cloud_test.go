package baseline

import (
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

func TestTheDefaultRulesJudgeACloudAsAnOperatorWould(t *testing.T) {
	testJudgements(t, []judgement{
		{"IMDSv1 allowed", inventory.Cloud, "metadata http_tokens=required", "metadata http_tokens=optional", "high"},
		{"IMDSv1 forbidden", inventory.Cloud, "metadata http_tokens=optional", "metadata http_tokens=required", "medium"},
		{"another instance type", inventory.Cloud, "instance type=t3.micro", "instance type=t3.large", "medium"},
		{"another instance profile", inventory.Cloud, "instance instance_profile=", "instance instance_profile=admin", "high"},
		{"termination protection off", inventory.Cloud, "protection termination=yes", "protection termination=no", "medium"},
		{"other user data", inventory.Cloud, "user_data sha256=a", "user_data sha256=b", "high"},
		{"user data that nobody asked for", inventory.Cloud, "user_data sha256=a", "user_data", ignoredHere},
		{"a volume attached", inventory.Cloud, "", "volume/dev/sdf encrypted=yes", "medium"},
		{"a volume attached that is not encrypted", inventory.Cloud, "", "volume/dev/sdf encrypted=no", "high"},
		{"a volume grown", inventory.Cloud, "volume/dev/sdf size_gib=8", "volume/dev/sdf size_gib=16", "low"},
		{"another tag", inventory.Cloud, "tag/role value=web", "tag/role value=db", "low"},
		{"another name", inventory.Cloud, "tag/Name value=web-1", "tag/Name value=web-2", ignoredHere},
		{"another stack", inventory.Cloud, "tag/aws:cloudformation:stack-id value=a", "tag/aws:cloudformation:stack-id value=b", ignoredHere},

		{"an interface added", inventory.Network, "", "nic/1 mac=a public=none", "high"},
		{"an interface moved", inventory.Network, "nic/0 attached_to=vpc-1/subnet-1", "nic/0 attached_to=vpc-1/subnet-2", "high"},
		{"a public address", inventory.Network, "nic/0 public=none public_address=", "nic/0 public=elastic public_address=192.0.2.1", "high"},
		{"a public address taken away", inventory.Network, "nic/0 public=elastic", "nic/0 public=none", "low"},
		{"another private address", inventory.Network, "nic/0 private_addresses=10.0.0.1", "nic/0 private_addresses=10.0.0.2", ignoredHere},
		{"another public address", inventory.Network, "nic/0 public=assigned public_address=192.0.2.1", "nic/0 public=assigned public_address=192.0.2.2", ignoredHere},
		{"a group attached", inventory.Network, "nic/0 security_groups=sg-1", "nic/0 security_groups=sg-1,sg-2", "medium"},
		{"a router made", inventory.Network, "nic/0 source_dest_check=yes", "nic/0 source_dest_check=no", "high"},
		{"a port opened to a network", inventory.Network, "", "ingress/tcp/22-22/10.0.0.0/8 via=web", "medium"},
		{"a port opened to the world", inventory.Network, "", "ingress/tcp/8080-8080/0.0.0.0/0 via=web", "high"},
		{"a port opened to the world over IPv6", inventory.Network, "", "ingress/tcp/8080-8080/::/0 via=web", "high"},
		{"SSH opened to the world", inventory.Network, "", "ingress/tcp/22-22/0.0.0.0/0 via=web", "critical"},
		{"everything opened to the world", inventory.Network, "", "ingress/all/any/0.0.0.0/0 via=web", "critical"},
		{"every TCP port opened to the world", inventory.Network, "", "ingress/tcp/0-65535/::/0 via=web", "critical"},
		{"echo for the world", inventory.Network, "", "ingress/icmp/8-any/0.0.0.0/0 via=web", "low"},
		{"a port closed", inventory.Network, "ingress/tcp/22-22/0.0.0.0/0 via=web", "", "low"},
		{"the same rule by another group", inventory.Network, "ingress/tcp/22-22/0.0.0.0/0 via=a", "ingress/tcp/22-22/0.0.0.0/0 via=b", ignoredHere},
		{"a way out to everywhere", inventory.Network, "", "egress/all/any/0.0.0.0/0 via=web", "medium"},
		{"a way out to a network", inventory.Network, "", "egress/tcp/443-443/10.0.0.0/8 via=web", "low"},

		{"a deployment", inventory.Task, "task revision=7", "task revision=8", "low"},
		{"a port that somebody can get to", inventory.Reach, "", "tcp/22 from=10.0.0.0/8 who=network", "high"},
		{"a port that nobody can get to any more", inventory.Reach, "tcp/22 from=10.0.0.0/8 who=network", "", "low"},
		{"a port for a group too", inventory.Reach, "tcp/22 from=10.0.0.0/8 who=network", "tcp/22 from=10.0.0.0/8,sg-1 who=network", "high"},
		{"a port for the internet", inventory.Reach, "tcp/22 from=0.0.0.0/0 who=network", "tcp/22 from=0.0.0.0/0 who=anywhere", "high"},
		{"a port taken off the internet", inventory.Reach, "tcp/22 from=0.0.0.0/0 who=anywhere", "tcp/22 from=0.0.0.0/0 who=network", "low"},
		{"a port kept to one of two networks", inventory.Reach, "tcp/22 from=10.0.0.0/8,sg-1 who=network", "tcp/22 from=sg-1 who=network", "low"},
		{"a port for another group instead", inventory.Reach, "tcp/22 from=sg-1 who=network", "tcp/22 from=sg-2 who=network", "high"},
		{"another image under the tag", inventory.Task, "container/app digest=a", "container/app digest=b", "medium"},
		{"a container added", inventory.Task, "", "container/spy digest=b", "high"},
		{"a shell allowed", inventory.Task, "task exec=no", "task exec=yes", "high"},
		{"another role", inventory.Task, "task role=a", "task role=admin", "high"},
		{"a port added", inventory.Task, "", "port/tcp/22 container=app", "medium"},
	})
}
