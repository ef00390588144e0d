package aws

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// neverDenied needs no permission, so that no policy has it.
const neverDenied = "sts:GetCallerIdentity"

// allowed are the actions of the policies in docs/aws.md.
func allowed(t *testing.T) []string {
	text := string(must(os.ReadFile("../../docs/aws.md"))(t))
	actions := []string{neverDenied}
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var policy struct {
			Statement []struct{ Action json.RawMessage }
		}
		if err := json.Unmarshal([]byte(m[1]), &policy); err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			var one string
			var many []string
			if json.Unmarshal(s.Action, &one) == nil {
				many = []string{one}
			} else if err := json.Unmarshal(s.Action, &many); err != nil {
				t.Fatal(err)
			}
			actions = append(actions, many...)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

func TestThePolicyOnlyReads(t *testing.T) {
	reads := regexp.MustCompile(`^(ec2|ecs):(Describe|List)[A-Za-z]+$`)
	for _, a := range allowed(t) {
		if a != neverDenied && a != "sts:AssumeRole" && !reads.MatchString(a) {
			t.Errorf("the policy allows %s", a)
		}
	}
}

func TestWhatIsCalledIsThePolicy(t *testing.T) {
	cloud := fakeCloud{account: "111122223333", instances: 3}
	ecs := fakeECS{revision: "8", digest: "sha256:bb", instead: func(r call) *answer {
		if strings.HasPrefix(r.action, "DescribeInstance") || r.action == "DescribeVolumes" {
			return cloud.answer(r)
		}
		return nil
	}}
	f := newFront(t, "", ecs.answer)
	o := Options{
		ECS: true, UserData: true, TerminationProtection: true,
		Roles: []Role{{}, {ARN: "arn:aws:iam::444455556666:role/vmdrift", ExternalID: "x"}},
	}
	list(t, open(t, f.URL, o))
	if d := cmp.Diff(allowed(t), f.actions()); d != "" {
		t.Errorf("docs/aws.md allows (-), a listing calls (+):\n%s", d)
	}
}

// What a test did not happen to call is in the code as the type of its input.
func TestTheCodeKnowsNoOtherAction(t *testing.T) {
	input := regexp.MustCompile(`\b(ec2|ecs|sts)\.(?:New)?([A-Z]\w+?)(?:Input|Paginator|Waiter|WithOptions)\b`)
	for _, name := range must(filepath.Glob("*.go"))(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range input.FindAllStringSubmatch(string(must(os.ReadFile(name))(t)), -1) {
			if action := m[1] + ":" + m[2]; !slices.Contains(allowed(t), action) {
				t.Errorf("%s uses %s, which docs/aws.md does not allow", name, action)
			}
		}
	}
}
