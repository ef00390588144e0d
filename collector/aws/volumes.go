package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// volumes are those that are attached somewhere in a region.
type volumes struct {
	byID   map[string]types.Volume
	reason string // why some are missing
}

// volumeFields are the fields that DescribeInstances does not tell.
var volumeFields = []string{"encrypted", "kms_key", "size_gib", "type"}

func (p *place) listVolumes(ctx context.Context) volumes {
	attached := []types.Filter{{Name: ptr("attachment.status"), Values: []string{"attaching", "attached", "busy", "detaching"}}}
	list, err := pages(func(token *string) ([]types.Volume, *string, error) {
		out, err := p.ec2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{Filters: attached, MaxResults: &p.o.pageSize, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Volumes, out.NextToken, nil
	})
	v := volumes{byID: make(map[string]types.Volume, len(list))}
	if err != nil {
		v.reason = p.failed("volumes", err)
	}
	for _, vol := range list {
		v.byID[awssdk.ToString(vol.VolumeId)] = vol
	}
	return v
}

// describe sets the fields of the volume, and reports whether it is among those listed.
func (v volumes) describe(id string, f fields) bool {
	vol, ok := v.byID[id]
	if !ok {
		return false
	}
	f.flag("encrypted", vol.Encrypted)
	f.text("kms_key", vol.KmsKeyId)
	f.number("size_gib", vol.Size)
	f.word("type", string(vol.VolumeType))
	return true
}

func (v volumes) why(id string) string {
	if v.reason != "" {
		return v.reason
	}
	return "volume " + id + " came or went during the listing"
}
