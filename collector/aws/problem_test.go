package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// planted is what a message of AWS may quote of a request, and must not come through.
const planted = "The Canonical String should have been x-amz-security-token:planted-session-token planted-secret-key planted-role-secret"

func TestWhatIsRefusedIsAProblemAndTheRestGoesOn(t *testing.T) {
	for _, c := range []struct {
		name     string
		cloud    fakeCloud
		machines int
		part     string // of the one problem; empty: there is none
		err      string
		hint     string
	}{
		{name: "nothing is refused", machines: 6},
		{
			name:  "one region is denied",
			cloud: fakeCloud{instead: always("DescribeInstances", frankfurt, refuse(403, "UnauthorizedOperation", planted))}, machines: 3,
			part: "instances of account 111122223333, region eu-central-1",
			err:  "ec2:DescribeInstances is not allowed (UnauthorizedOperation)",
			hint: "Allow ec2:DescribeInstances to the identity",
		},
		{
			name:     "a service control policy denies one region",
			cloud:    fakeCloud{instead: always("DescribeInstances", frankfurt, refuse(403, "UnauthorizedOperation", "with an explicit deny in a service control policy "+planted))},
			machines: 3, part: "instances of", err: "ec2:DescribeInstances is not allowed", hint: "A service control policy of the organisation denies ec2:DescribeInstances",
		},
		{
			name: "volumes are denied in one region", cloud: fakeCloud{instead: always("DescribeVolumes", ireland, refuse(403, "UnauthorizedOperation", planted))}, machines: 6,
			part: "volumes of account 111122223333, region eu-west-1", err: "ec2:DescribeVolumes is not allowed", hint: "Allow ec2:DescribeVolumes",
		},
		{
			name: "security groups are denied in one region", cloud: fakeCloud{instead: always("DescribeSecurityGroups", ireland, refuse(403, "UnauthorizedOperation", planted))}, machines: 6,
			part: "security groups of", err: "ec2:DescribeSecurityGroups is not allowed", hint: "Allow ec2:DescribeSecurityGroups",
		},
		{name: "a call is throttled once", cloud: fakeCloud{instead: once(1, "DescribeVolumes", refuse(503, "RequestLimitExceeded", planted))}, machines: 6},
		{
			name: "a region is throttled to the end", cloud: fakeCloud{instead: always("DescribeInstances", ireland, refuse(503, "RequestLimitExceeded", planted))}, machines: 3,
			part: "instances of", err: "ec2:DescribeInstances was throttled to the end (RequestLimitExceeded)", hint: "The next run tries again",
		},
		{
			name: "the second page fails",
			cloud: fakeCloud{pageSize: 2, instead: func(r call) *answer {
				if r.action == "DescribeInstances" && r.region == ireland && r.form.Get("NextToken") != "" {
					return refuse(500, "InternalError", planted)
				}
				return nil
			}},
			machines: 5, part: "instances of", err: "ec2:DescribeInstances failed at AWS (InternalError)", hint: "outages",
		},
		{
			name: "the pages go round in a circle",
			cloud: fakeCloud{instead: always("DescribeSecurityGroups", ireland, &answer{
				200, `<DescribeSecurityGroupsResponse><securityGroupInfo/><nextToken>again</nextToken></DescribeSecurityGroupsResponse>`,
			})},
			machines: 6, part: "security groups of", err: "the pages go round in a circle",
		},
		{
			name: "credentials expire in the middle", cloud: fakeCloud{instead: always("DescribeInstances", frankfurt, refuse(400, "RequestExpired", planted))}, machines: 3,
			part: "instances of", err: "the credentials have expired (RequestExpired)", hint: "Renew them",
		},
		{
			name: "a proxy answers", cloud: fakeCloud{instead: always("DescribeInstances", frankfurt, &answer{200, "<html>planted-secret-key"})}, machines: 3,
			part: "instances of", err: "the answer is none of AWS's", hint: "proxy",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cloud.account, c.cloud.instances = "111122223333", 3
			f := newFront(t, "", c.cloud.answer)
			l := must(open(t, f.URL, Options{}).List(t.Context()))(t)
			if len(l.Machines) != c.machines {
				t.Errorf("%d machines, want %d", len(l.Machines), c.machines)
			}
			noSecrets(t, l, nil)
			if c.part == "" {
				if len(l.Problems) > 0 {
					t.Errorf("%+v", l.Problems)
				}
				return
			}
			if len(l.Problems) != 1 {
				t.Fatalf("%+v", l.Problems)
			}
			p := l.Problems[0]
			for what, pair := range map[string][2]string{"part": {p.Part, c.part}, "error": {p.Err.Error(), c.err}, "hint": {p.Hint, c.hint}} {
				if !strings.Contains(pair[0], pair[1]) {
					t.Errorf("the %s %q does not say %q", what, pair[0], pair[1])
				}
			}
		})
	}
}

func TestWhereNothingIsLearntTheErrorSaysTheWayOut(t *testing.T) {
	role := []Role{{ARN: "arn:aws:iam::444455556666:role/vmdrift", ExternalID: "planted-external-id"}}
	for _, c := range []struct {
		name    string
		o       Options
		instead func(call) *answer
		outcome collector.Outcome
		err     string
		hint    string
	}{
		{"expired", Options{}, always("GetCallerIdentity", "", refuseSTS(403, "ExpiredToken", planted)), collector.AuthFailed, "the credentials have expired (ExpiredToken)", "Renew them"},
		{"unknown key", Options{}, always("GetCallerIdentity", "", refuseSTS(403, "InvalidClientTokenId", planted)), collector.AuthFailed, "does not know the access key", "Check the access key"},
		{"wrong secret", Options{}, always("GetCallerIdentity", "", refuseSTS(403, "SignatureDoesNotMatch", planted)), collector.AuthFailed, "the secret key is wrong", "clock"},
		{
			"no role",
			Options{Roles: role},
			always("AssumeRole", "", refuseSTS(403, "AccessDenied", planted)),
			collector.AuthFailed, "account 444455556666: sts:AssumeRole is not allowed (AccessDenied)", "Allow sts:AssumeRole",
		},
		{"no regions", Options{}, always("DescribeRegions", "", refuse(403, "UnauthorizedOperation", planted)), collector.AuthFailed, "ec2:DescribeRegions is not allowed", "Or name the regions"},
		{"all denied", Options{}, always("DescribeInstances", "", refuse(403, "UnauthorizedOperation", planted)), collector.AuthFailed, "ec2:DescribeInstances is not allowed", "docs/aws.md"},
		{"a code that is none", Options{}, always("DescribeInstances", "", refuse(400, "\u202e"+strings.Repeat("x", 500), planted)), collector.Broken, `failed (\u{202e}xxx`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t, "", fakeCloud{account: "111122223333", instead: c.instead}.answer)
			l, err := open(t, f.URL, c.o).List(t.Context())
			noSecrets(t, l, err)
			var e *collector.Error
			if !errors.As(err, &e) || e.Outcome != c.outcome || !strings.Contains(err.Error(), c.err) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("%v (%+v)", err, e)
			}
			if len(err.Error()) > 300 || !inventory.IsCanonical(err.Error()) {
				t.Errorf("%d bytes of %q", len(err.Error()), err)
			}
		})
	}
}

func TestOneAccountThatCannotBeEnteredDoesNotHideTheOthers(t *testing.T) {
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 2, instead: func(r call) *answer {
		if r.action == "AssumeRole" {
			return refuseSTS(403, "AccessDenied", planted)
		}
		return nil
	}}.answer)
	l := must(open(t, f.URL, Options{Roles: []Role{{}, {ARN: "arn:aws:iam::444455556666:role/vmdrift"}}, Regions: []string{ireland}}).List(t.Context()))(t)
	if len(l.Machines) != 2 || len(l.Problems) != 1 || l.Problems[0].Part != "account 444455556666" {
		t.Errorf("%d machines, %+v", len(l.Machines), l.Problems)
	}
}

func TestTwoRolesOfOneAccountListItOnce(t *testing.T) {
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 2}.answer)
	if got := list(t, open(t, f.URL, Options{Roles: []Role{{}, {}}, Regions: []string{ireland}})); len(got) != 2 {
		t.Errorf("%d machines", len(got))
	}
}

func TestNobodyAnswers(t *testing.T) {
	f := newFront(t, "", nil)
	f.Close()
	_, err := open(t, f.URL, Options{}).List(t.Context())
	var e *collector.Error
	if !errors.As(err, &e) || e.Outcome != collector.Unreachable || e.Hint == "" {
		t.Errorf("%v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	f := newFront(t, "", nil)
	s := must(New(t.Context(), Options{Name: "prod", Endpoint: f.URL, retryer: impatient(1)}))(t)
	_, err := s.List(t.Context())
	var e *collector.Error
	if !errors.As(err, &e) || e.Outcome != collector.AuthFailed || !strings.Contains(e.Hint, "AWS_PROFILE") {
		t.Errorf("%v %+v", err, e)
	}
}

func TestAListingThatIsGivenUpReturnsThat(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 1, instead: func(r call) *answer {
		if r.action == "DescribeInstances" {
			cancel()
		}
		return nil
	}}.answer)
	if _, err := open(t, f.URL, Options{}).List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A deadline is a context whose time is up when a test says so.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.passed }

func (d deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestAtADeadlineWhatCameBeforeItCounts(t *testing.T) {
	d := deadline{t.Context(), make(chan struct{})}
	var pass sync.Once
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 2, instead: func(r call) *answer {
		if r.action == "DescribeInstances" && r.region == ireland {
			pass.Do(func() { close(d.passed) })
			return refuse(503, "ServiceUnavailable", "")
		}
		return nil
	}}.answer)
	// One at a time, Frankfurt comes before Ireland.
	l := must(open(t, f.URL, Options{Concurrency: 1}).List(d))(t)
	if len(l.Machines) != 2 || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Err.Error(), "no answer in time") {
		t.Errorf("%d machines, %+v", len(l.Machines), l.Problems)
	}
}

func TestAPermissionThatIsMissingEverywhereIsOneProblem(t *testing.T) {
	f := newFront(t, "", fakeCloud{account: "111122223333", instances: 1, instead: always("DescribeVolumes", "", refuse(403, "UnauthorizedOperation", planted))}.answer)
	l := must(open(t, f.URL, Options{}).List(t.Context()))(t)
	if len(l.Problems) != 1 || l.Problems[0].Part != "volumes of account 111122223333, regions eu-central-1, eu-west-1" {
		t.Errorf("%+v", l.Problems)
	}
}

func TestOptionsThatCannotBeRightAreRefused(t *testing.T) {
	for want, o := range map[string]Options{
		"needs one":            {},
		"is no region":         {Name: "a", Regions: []string{"evil.example/#"}},
		"is no role":           {Name: "a", Roles: []Role{{ARN: "arn:aws:iam::1:user/x"}}},
		"there is no AWS prof": {Name: "a", Profile: "nobody"},
	} {
		if _, err := New(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// noSecrets fails the test where a listing or an error holds what was planted.
func noSecrets(t testing.TB, l collector.Listing, err error) {
	t.Helper()
	var text strings.Builder
	for _, m := range l.Machines {
		b, _ := json.Marshal(inventory.Snapshot{Machine: m.Machine, Observations: m.Observations})
		text.Write(b)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&text, "%v %+v %#v\n", e, e, e)
	}
	for _, p := range l.Problems {
		fmt.Fprintf(&text, "%+v %v\n", p, p.Err)
	}
	if i := strings.Index(text.String(), "planted"); i >= 0 {
		t.Errorf("a secret came through: …%.200s", text.String()[max(0, i-100):])
	}
}
