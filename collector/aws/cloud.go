package aws

import (
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/vmdrift/vmdrift/inventory"
)

// cloud is the facet of that name. Left out is what changes by a stop and a start, or by
// itself: launch time, host, state and its reasons, attach times.
func (p *place) cloud(i *types.Instance, tags map[string]string, a attributes) inventory.Observation {
	it := items{"instance": instanceFields(i), "metadata": metadataFields(i.MetadataOptions)}
	l := starting(i)
	// The items are there if nobody asked for them, so that one in a baseline is unknown and not removed.
	it["user_data"], it["protection"] = a.userData, a.protection
	if a.reason != "" {
		l.add(a.reason, false, a.missing...)
	}
	for _, m := range i.BlockDeviceMappings {
		f := fields{}
		it["volume/"+strings.TrimPrefix(awssdk.ToString(m.DeviceName), "/")] = f
		if m.Ebs == nil {
			continue
		}
		f.flag("delete_on_termination", m.Ebs.DeleteOnTermination)
		if !p.volumes.describe(awssdk.ToString(m.Ebs.VolumeId), f) {
			l.add(p.volumes.why(awssdk.ToString(m.Ebs.VolumeId)), false, volumeFields...)
		}
	}
	for key, value := range tags {
		it["tag/"+key] = fields{"value": value}
	}
	return it.observe(inventory.Cloud, l)
}

func instanceFields(i *types.Instance) fields {
	f := fields{"instance_profile": "", "lifecycle": "on-demand"}
	f.word("architecture", string(i.Architecture))
	f.word("boot_mode", string(i.CurrentInstanceBootMode))
	f.flag("ebs_optimized", i.EbsOptimized)
	if i.HibernationOptions != nil {
		f.flag("hibernation", i.HibernationOptions.Configured)
	}
	f.text("image", i.ImageId)
	if i.IamInstanceProfile != nil {
		f["instance_profile"] = nameInARN(i.IamInstanceProfile.Arn)
	}
	f.text("key_pair", i.KeyName)
	f.word("lifecycle", string(i.InstanceLifecycle))
	if i.Monitoring != nil {
		// On its way: where it goes.
		f.word("monitoring", map[types.MonitoringState]string{
			types.MonitoringStateEnabled: "enabled", types.MonitoringStatePending: "enabled",
			types.MonitoringStateDisabled: "disabled", types.MonitoringStateDisabling: "disabled",
		}[i.Monitoring.State])
	}
	f.text("root_device", i.RootDeviceName)
	if i.Placement != nil {
		f.word("tenancy", string(i.Placement.Tenancy))
	}
	f.word("type", string(i.InstanceType))
	return f
}

func metadataFields(m *types.InstanceMetadataOptionsResponse) fields {
	f := fields{}
	if m == nil {
		return f
	}
	f.word("endpoint", string(m.HttpEndpoint))
	f.word("http_tokens", string(m.HttpTokens))
	f.number("hop_limit", m.HttpPutResponseHopLimit)
	f.word("instance_tags", string(m.InstanceMetadataTags))
	f.word("ipv6", string(m.HttpProtocolIpv6))
	return f
}

// nameInARN returns the path and name in arn:aws:iam::123456789012:role/path/name. The account is
// the machine's own, and a baseline may be for several.
func nameInARN(arn *string) string {
	s := awssdk.ToString(arn)
	if parts := strings.SplitN(s, ":", 6); len(parts) == 6 {
		s = parts[5]
	}
	if _, name, ok := strings.Cut(s, "/"); ok {
		return name
	}
	return s
}
