package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// Options say what a Source lists, and as whom.
type Options struct {
	Name string // of the source, part of its machines' identities

	// Credentials to begin with. Nil is the SDK's default chain: environment, Profile or the
	// shared files, container, instance.
	Credentials awssdk.CredentialsProvider
	Profile     string // in the shared files; empty: AWS_PROFILE, or default

	// Roles are assumed, each for the account that it is of. None: the
	// account of the credentials.
	Roles []Role
	// Regions to list. Empty: all that an account has enabled, asked once per account.
	Regions []string

	ECS                   bool // also list what ECS runs on Fargate
	UserData              bool // one call more per instance: the SHA-256 of its user data
	TerminationProtection bool // one call more per instance
	PublicAddress         bool // reach a guest by its public address, before a private one

	Concurrency int    // regions in flight at once; 0 is 8
	Endpoint    string // a URL in the place of all of AWS's, for tests

	retryer  func() awssdk.Retryer // in the place of the adaptive one, for tests
	pageSize int32                 // in the place of the most that EC2 gives at once, for tests
}

// A Role is how another account is entered.
type Role struct {
	ARN         string // empty: the credentials as they are, for their own account beside others
	ExternalID  string // where the role's trust policy asks for one
	SessionName string // in the other account's trail; empty is "vmdrift"
}

const (
	defaultConcurrency = 8
	defaultSession     = "vmdrift"
	// fallbackRegion answers STS and DescribeRegions where nothing names a region.
	fallbackRegion = "us-east-1"
	// maxAttempts of one call: throttled calls wait longer each time, half a minute together.
	maxAttempts = 8
	// callLimit is for one attempt of a call, up to the last byte: a page of 1,000 takes seconds.
	callLimit = 30 * time.Second
	// pageSize is the most instances, volumes or security groups that EC2 gives at once.
	pageSize int32 = 1000
)

// A Source lists the machines of AWS accounts. It is safe for concurrent use.
type Source struct {
	o   Options
	cfg awssdk.Config
}

var _ collector.Source = (*Source)(nil)

// New checks o and reads the SDK's shared configuration. It calls nobody.
func New(ctx context.Context, o Options) (*Source, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.retryer == nil {
		o.retryer = adaptive
	}
	if o.pageSize == 0 {
		o.pageSize = pageSize
	}
	load := []func(*config.LoadOptions) error{
		config.WithRetryer(o.retryer),
		config.WithAppID("vmdrift"),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callLimit)),
		config.WithLogger(logging.Nop{}), // it would write to standard error what is none of our words
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(o.Credentials))
	}
	if o.Endpoint != "" {
		load = append(load, config.WithBaseEndpoint(o.Endpoint))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		var missing config.SharedConfigProfileNotExistError
		if errors.As(err, &missing) {
			return nil, &collector.Error{
				Outcome: collector.AuthFailed,
				Err:     fmt.Errorf("there is no AWS profile %q", inventory.Escape(missing.Profile)),
				Hint:    "Name one of ~/.aws/config, or leave the profile out for the default chain.",
			}
		}
		// What the SDK says here may quote a line of the credentials file.
		return nil, &collector.Error{
			Outcome: collector.Broken, Err: errors.New("the AWS configuration cannot be read"),
			Hint: "Try it with: aws sts get-caller-identity.",
		}
	}
	cfg.HTTPClient = wholeBody{cfg.HTTPClient}
	if cfg.Region == "" {
		cfg.Region = fallbackRegion
		if len(o.Regions) > 0 {
			cfg.Region = o.Regions[0]
		}
	}
	return &Source{o: o, cfg: cfg}, nil
}

// Name implements collector.Source.
func (s *Source) Name() string { return s.o.Name }

// adaptive also slows down the calls that follow a throttled one.
func adaptive() awssdk.Retryer {
	return patient{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) { o.MaxAttempts = maxAttempts })
	})}
}

// patient waits long for an endpoint that is busy, and not for one that is not there.
type patient struct{ *retry.AdaptiveMode }

// RetryDelay implements aws.Retryer: its error ends the attempts.
func (p patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	var dial *net.OpError
	if attempt >= maxDials && errors.As(err, &dial) && dial.Op == "dial" {
		return 0, err
	}
	return p.AdaptiveMode.RetryDelay(attempt, err)
}

// maxDials is how often an endpoint is tried that lets nobody connect.
const maxDials = 3

// A region's name becomes part of a host name.
var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)

func (o Options) check() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name: an AWS source needs one"))
	}
	for _, r := range o.Regions {
		if !regionName.MatchString(r) {
			errs = append(errs, fmt.Errorf("regions: %.80q is no region: write it like eu-west-1", r))
		}
	}
	for _, r := range o.Roles {
		if r.ARN == "" {
			continue
		}
		a, err := arn.Parse(r.ARN)
		if err != nil || a.Service != "iam" || a.AccountID == "" || !strings.HasPrefix(a.Resource, "role/") {
			errs = append(errs, fmt.Errorf("roles: %.200q is no role: write it like arn:aws:iam::123456789012:role/vmdrift", r.ARN))
		}
	}
	return errors.Join(errs...)
}
