package aws

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// A fakeCloud answers for EC2 and STS where moto cannot: at a thousand instances a second, and by halves.
type fakeCloud struct {
	instances int // per region
	pageSize  int // 0: what the caller asks for
	account   string
	// instead answers in the place of what follows; nil goes on to that.
	instead func(call) *answer
}

func (c fakeCloud) answer(r call) *answer {
	if c.instead != nil {
		if a := c.instead(r); a != nil {
			return a
		}
	}
	ec2 := func(action, inner string) *answer {
		return &answer{200, `<` + action + `Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>` + inner + `</` + action + `Response>`}
	}
	switch r.action {
	case "GetCallerIdentity":
		return callerIs(c.account)
	case "AssumeRole":
		account := strings.Split(r.form.Get("RoleArn"), ":")[4]
		return &answer{200, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA` + account +
			`</AccessKeyId><SecretAccessKey>planted-role-secret</SecretAccessKey><SessionToken>planted-role-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>` +
			`<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>b</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`}
	case "DescribeRegions":
		return ec2(r.action, `<regionInfo><item><regionName>`+ireland+`</regionName></item><item><regionName>`+frankfurt+`</regionName></item></regionInfo>`)
	case "DescribeInstances":
		from, _ := strconv.Atoi(r.form.Get("NextToken"))
		size, _ := strconv.Atoi(r.form.Get("MaxResults"))
		if c.pageSize > 0 {
			size = c.pageSize
		}
		var b strings.Builder
		b.WriteString(`<reservationSet><item><ownerId>` + c.account + `</ownerId><instancesSet>`)
		for n := from; n < min(from+size, c.instances); n++ {
			b.WriteString(instanceXML(n))
		}
		b.WriteString(`</instancesSet></item></reservationSet>`)
		if from+size < c.instances {
			fmt.Fprintf(&b, `<nextToken>%d</nextToken>`, from+size)
		}
		return ec2(r.action, b.String())
	case "DescribeVolumes":
		from, _ := strconv.Atoi(r.form.Get("NextToken"))
		var b strings.Builder
		b.WriteString(`<volumeSet>`)
		to := min(from+int(pageSize), c.instances)
		for n := from; n < to; n++ {
			fmt.Fprintf(&b, `<item><volumeId>vol-%017x</volumeId><size>8</size><encrypted>true</encrypted><volumeType>gp3</volumeType></item>`, n)
		}
		b.WriteString(`</volumeSet>`)
		if to < c.instances {
			fmt.Fprintf(&b, `<nextToken>%d</nextToken>`, to)
		}
		return ec2(r.action, b.String())
	case "DescribeSecurityGroups":
		return ec2(r.action, `<securityGroupInfo><item><groupId>sg-1</groupId><groupName>web</groupName><ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissions></item></securityGroupInfo>`)
	case "DescribeInstanceAttribute":
		if r.form.Get("Attribute") == "userData" {
			return ec2(r.action, `<userData><value>cGxhbnRlZC11c2VyLWRhdGE=</value></userData>`) // planted-user-data
		}
		return ec2(r.action, `<disableApiTermination><value>true</value></disableApiTermination>`)
	case "DescribeNetworkInterfaces":
		return ec2(r.action, `<networkInterfaceSet>
			<item><networkInterfaceId>eni-a</networkInterfaceId><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId><groupSet><item><groupId>sg-1</groupId></item></groupSet>
				<association><publicIp>192.0.2.1</publicIp><ipOwnerId>amazon</ipOwnerId></association></item>
			<item><networkInterfaceId>eni-b</networkInterfaceId><vpcId>vpc-1</vpcId><subnetId>subnet-2</subnetId><groupSet><item><groupId>sg-1</groupId></item></groupSet>
				<association><publicIp>192.0.2.2</publicIp><ipOwnerId>amazon</ipOwnerId></association></item>
			</networkInterfaceSet>`)
	}
	return nil
}

// instanceXML is an instance as EC2 answers, without what is not read.
func instanceXML(n int) string {
	return fmt.Sprintf(`<item><instanceId>i-%017x</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>
<instanceType>t3.micro</instanceType><launchTime>2026-11-23T01:02:03.000Z</launchTime><placement><availabilityZone>eu-west-1a</availabilityZone><tenancy>default</tenancy></placement>
<monitoring><state>disabled</state></monitoring><privateIpAddress>10.0.%d.%d</privateIpAddress><architecture>x86_64</architecture><rootDeviceName>/dev/xvda</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-%017x</volumeId><status>attached</status><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
<ebsOptimized>true</ebsOptimized><networkInterfaceSet><item><networkInterfaceId>eni-%d</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><macAddress>02:00:00:00:00:01</macAddress>
<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet><attachment><deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex></attachment>
<privateIpAddressesSet><item><privateIpAddress>10.0.%d.%d</privateIpAddress><primary>true</primary></item></privateIpAddressesSet></item></networkInterfaceSet>
<metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint><instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>
<tagSet><item><key>Name</key><value>web-%d</value></item><item><key>role</key><value>web</value></item></tagSet></item>`, n, n/250, n%250, n, n, n/250, n%250, n)
}

// once answers by a for the first n calls of the action, and not after them.
func once(n int64, action string, a *answer) func(call) *answer {
	var seen atomic.Int64
	return func(r call) *answer {
		if r.action == action && seen.Add(1) <= n {
			return a
		}
		return nil
	}
}

// always answers every call of the action by a, in one region or, where that is empty, in all.
func always(action, region string, a *answer) func(call) *answer {
	return func(r call) *answer {
		if r.action == action && (region == "" || r.region == region) {
			return a
		}
		return nil
	}
}
