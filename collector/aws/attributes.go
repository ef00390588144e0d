package aws

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// attributes are the fields of an instance that EC2 tells of one instance at a time only.
type attributes struct {
	userData, protection fields // empty: unknown
	missing              []string
	reason               string
}

// perInstance bounds the calls that are in flight for single instances of one region.
const perInstance = 4

// attributes asks for what the options want, instance by instance. At the first call that fails to the
// end it stops asking: the next thousand would fail the same way.
func (p *place) attributes(ctx context.Context, list []types.Instance) []attributes {
	out := make([]attributes, len(list))
	var want []types.InstanceAttributeName
	if p.o.UserData {
		want = append(want, types.InstanceAttributeNameUserData)
	}
	if p.o.TerminationProtection {
		want = append(want, types.InstanceAttributeNameDisableApiTermination)
	}
	var mu sync.Mutex
	reason := ""
	each(len(list), perInstance, func(i int) {
		out[i] = attributes{userData: fields{}, protection: fields{}}
		for _, name := range want {
			mu.Lock()
			gaveUp := reason
			mu.Unlock()
			if gaveUp == "" {
				err := p.attribute(ctx, *list[i].InstanceId, name, &out[i])
				if err == nil {
					continue
				}
				mu.Lock()
				if reason == "" && !isGone(err) {
					reason = p.failed("instance attributes", err)
				}
				if gaveUp = reason; gaveUp == "" {
					gaveUp = "the instance went during the listing"
				}
				mu.Unlock()
			}
			out[i].reason = gaveUp
			out[i].missing = append(out[i].missing, fieldOf[name])
		}
	})
	return out
}

var fieldOf = map[types.InstanceAttributeName]string{
	types.InstanceAttributeNameUserData:              "sha256",
	types.InstanceAttributeNameDisableApiTermination: "termination",
}

func (p *place) attribute(ctx context.Context, id string, name types.InstanceAttributeName, a *attributes) error {
	out, err := p.ec2.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name})
	if err != nil {
		return err
	}
	if v := out.DisableApiTermination; v != nil {
		a.protection.flag("termination", v.Value)
	}
	if name == types.InstanceAttributeNameUserData {
		a.userData["sha256"] = ""
		if out.UserData != nil && out.UserData.Value != nil && *out.UserData.Value != "" {
			a.userData["sha256"] = digestOf(*out.UserData.Value)
		}
	}
	return nil
}

// digestOf is the SHA-256 of user data, which often hold secrets and are not kept.
func digestOf(encoded string) string {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		text = []byte(encoded)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
