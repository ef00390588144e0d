package aws

import (
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An account is one that was entered, with the regions to list there. One that could
// not be has no regions and a problem.
type account struct {
	id       string
	cfg      awssdk.Config
	regions  []string
	problems []problem
}

// enter takes on the role and asks once who that is: credentials that are no good
// are one problem and not one per region. GetCallerIdentity needs no permission.
func (s *Source) enter(ctx context.Context, role Role) account {
	a := account{id: "of the credentials", cfg: s.cfg.Copy()}
	if role.ARN != "" {
		if parsed, err := arn.Parse(role.ARN); err == nil {
			a.id = parsed.AccountID
		}
		a.cfg.Credentials = awssdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(s.cfg), role.ARN,
			func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName = defaultSession
				if role.SessionName != "" {
					o.RoleSessionName = role.SessionName
				}
				if role.ExternalID != "" {
					o.ExternalID = &role.ExternalID
				}
			}))
	}
	me, err := sts.NewFromConfig(a.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		a.problems = append(a.problems, problemOf("account "+a.id, err))
		return a
	}
	if id := awssdk.ToString(me.Account); id != "" {
		a.id = id
	}
	if len(s.o.Regions) > 0 {
		a.regions = slices.Compact(slices.Sorted(slices.Values(s.o.Regions)))
		return a
	}
	out, err := ec2.NewFromConfig(a.cfg).DescribeRegions(ctx, &ec2.DescribeRegionsInput{}) // without AllRegions: those enabled
	if err != nil {
		p := problemOf("account "+a.id, err)
		p.Hint += " Or name the regions to list."
		a.problems = append(a.problems, p)
		return a
	}
	for _, r := range out.Regions {
		// It becomes part of a host name.
		if name := awssdk.ToString(r.RegionName); regionName.MatchString(name) {
			a.regions = append(a.regions, name)
		}
	}
	slices.Sort(a.regions)
	return a
}
