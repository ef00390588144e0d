package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/vmdrift/vmdrift/internal/simvm"
)

const (
	demoInstance = "cloud-1" // the one instance of the AWS side
	demoRegion   = "eu-west-1"
	demoProfile  = "vmdrift-demo"   // the reader's shell may know other profiles, and none of that name
	motoPatience = 10 * time.Second // with nothing else to do it takes three
)

// A demoCloud is the AWS side of the demo: moto_server, which is an EC2 written by others, with one instance,
// whose guest is a simulated one. A nil one is none: most people don't have moto_server.
type demoCloud struct {
	client  *ec2.Client
	address string // of the instance
	group   string // that guards it
}

// startCloud starts the AWS side if it can be had. Where it cannot, the demo goes on, and says why.
func (d *demo) startCloud(ctx context.Context) error {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		d.noCloud = "moto_server is not installed here (pip install 'moto[ec2,server]'): with it there would be an AWS side."
		return nil
	}
	if err := d.onlyOwnAWS(); err != nil {
		return fmt.Errorf("put the AWS settings aside: %w", err)
	}
	bounded, cancel := context.WithTimeoutCause(ctx, motoPatience, errImpatient)
	defer cancel()
	if d.cloud, err = d.makeCloud(bounded, path); err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if bounded.Err() != nil {
		err = context.Cause(bounded)
	}
	d.noCloud = fmt.Sprintf("There is no AWS side this time: %v.", err)
	return nil
}

func (d *demo) makeCloud(ctx context.Context, path string) (*demoCloud, error) {
	url, err := d.startMoto(ctx, path)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf("[profile %s]\nregion = %s\naws_access_key_id = demo\naws_secret_access_key = demo\nendpoint_url = %s\n", demoProfile, demoRegion, url)
	if err := os.WriteFile(d.awsConfig(), []byte(conf), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's AWS profile: %w", err)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(demoProfile))
	if err != nil {
		return nil, fmt.Errorf("read the demo's AWS profile: %w", err)
	}
	c := &demoCloud{client: ec2.NewFromConfig(cfg)}
	if err := c.makeInstance(ctx); err != nil {
		return nil, fmt.Errorf("make the demo's instance: %w", err)
	}
	return c, nil
}

func (d *demo) awsConfig() string { return filepath.Join(d.dir, "aws_config") }

// makeInstance makes an instance that is guarded by a group of its own, with an address of AWS's pool.
func (c *demoCloud) makeInstance(ctx context.Context) error {
	name := "edge of the cloud"
	group, err := c.client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name})
	if err != nil {
		return err
	}
	c.group = *group.GroupId
	if err := c.letIn(ctx, "10.0.0.0/8"); err != nil {
		return err
	}
	out, err := c.client.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: awssdk.String("ami-12c6146b"), MinCount: awssdk.Int32(1), MaxCount: awssdk.Int32(1), InstanceType: types.InstanceTypeT3Micro,
		SecurityGroupIds:  []string{c.group},
		MetadataOptions:   &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired},
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: awssdk.String("Name"), Value: awssdk.String(demoInstance)}}}},
	})
	if err != nil {
		return err
	}
	c.address = *out.Instances[0].PrivateIpAddress
	return nil
}

// letIn lets a network get to the instance's SSH server.
func (c *demoCloud) letIn(ctx context.Context, network string) error {
	_, err := c.client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &c.group, IpPermissions: []types.IpPermission{
		{IpProtocol: awssdk.String("tcp"), FromPort: awssdk.Int32(22), ToPort: awssdk.Int32(22), IpRanges: []types.IpRange{{CidrIp: &network}}},
	}})
	return err
}

// machine is the guest of the instance.
func (c *demoCloud) machine() []demoMachine {
	if c == nil {
		return nil
	}
	return []demoMachine{{name: demoInstance, kind: simvm.Debian12, system: "Debian 12", login: simvm.Sudo, address: c.address}}
}

// source is its entry in the configuration.
func (c *demoCloud) source() string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("  - {name: aws, type: aws, profile: %s, regions: [%s]}\n", demoProfile, demoRegion)
}

func (c *demoCloud) introduce(w io.Writer) {
	if c != nil {
		fmt.Fprintf(w, "  %s\tDebian 12, an EC2 instance\tkind=instance\n", demoInstance)
	}
}

func (c *demoCloud) sayWhatIsRight(ctx context.Context, d *demo) error {
	if c == nil {
		return nil
	}
	_, err := d.show(ctx, "baseline", "capture", "cloud", "--from", demoInstance, "--selector", "kind=instance")
	return err
}

func (c *demoCloud) letItDrift(ctx context.Context, happens func(machine, what string, err error)) {
	if c != nil {
		happens(demoInstance, "its security group lets the whole world get to SSH", c.letIn(ctx, "0.0.0.0/0"))
	}
}

func (c *demoCloud) drift() []string {
	if c == nil {
		return nil
	}
	return []string{
		demoInstance + " network ingress/tcp/22-22/0.0.0.0/0 added critical",
		demoInstance + " reach tcp/22 changed high",
	}
}
