package baseline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestRulesDecide(t *testing.T) {
	users := func(lines ...string) *inventory.State { return state(t, inventory.Users, lines...) }
	packages := func(lines ...string) *inventory.State { return state(t, inventory.Packages, lines...) }
	for _, c := range []struct {
		name       string
		mode       Mode
		rules      []Rule
		have, want *inventory.State
		changes    []string
	}{
		{
			name: "without rules everything is of medium severity",
			have: users("alice uid=1", "bob uid=2"), want: users("alice uid=7", "carol uid=3"),
			changes: []string{"medium: users alice changed (uid: 7 → 1)", "medium: users bob added (uid: 2)", "medium: users carol removed (uid: 3)"},
		},
		{
			name: "an open facet has no added items",
			mode: Open, have: users("alice uid=1", "bob uid=2"), want: users("alice uid=7"),
			changes: []string{"medium: users alice changed (uid: 7 → 1)"},
		},
		{
			name: "a field that either side lacks differs from nothing",
			have: users("alice shell=/bin/sh uid=1"), want: users("alice gid=5 uid=1"),
		},
		{
			name:  "the last rule that matches wins",
			rules: []Rule{{Severity: ptr(High)}, {Match: "a*", Severity: ptr(Low)}, {Match: "b*", Severity: ptr(Critical)}},
			have:  users("alice uid=1", "bob uid=1", "carol uid=1"), want: users(),
			changes: []string{"low: users alice added (uid: 1)", "critical: users bob added (uid: 1)", "high: users carol added (uid: 1)"},
		},
		{
			name:  "an item is ignored, and taken back",
			rules: []Rule{{Match: "*", Ignore: ptr(true)}, {Match: "bob", Ignore: ptr(false)}},
			have:  users("alice uid=1", "bob uid=1"), want: users(),
			changes: []string{"medium: users bob added (uid: 1)"},
		},
		{
			name:  "a field that is ignored is no part of any change",
			rules: []Rule{{Field: "shell", Ignore: ptr(true)}},
			have:  users("alice shell=/a uid=1", "bob shell=/a uid=1", "carol shell=/a uid=1"),
			want:  users("alice shell=/b uid=1", "bob shell=/b uid=2", "dan shell=/b uid=4"),
			changes: []string{
				"medium: users bob changed (uid: 2 → 1)", "medium: users carol added (uid: 1)", "medium: users dan removed (uid: 4)",
			},
		},
		{
			name:  "a changed item is as severe as the worst of its fields",
			rules: []Rule{{Field: "shell", Severity: ptr(Low)}, {Field: "uid", Severity: ptr(Critical)}, {Field: "home", Severity: ptr(Info)}},
			have:  users("alice home=/a shell=/a uid=1", "bob home=/a shell=/a"), want: users("alice home=/b shell=/b uid=2", "bob home=/b shell=/b"),
			changes: []string{
				"critical: users alice changed (home: /b → /a, shell: /b → /a, uid: 2 → 1)", "low: users bob changed (home: /b → /a, shell: /b → /a)",
			},
		},
		{
			name:  "the severity of a field says nothing of an item that comes or goes",
			rules: []Rule{{Field: "uid", Severity: ptr(Critical)}},
			have:  users("alice uid=1"), want: users("bob uid=1"),
			changes: []string{"medium: users alice added (uid: 1)", "medium: users bob removed (uid: 1)"},
		},
		{
			name:  "ops restrict a rule",
			rules: []Rule{{Ops: []Op{Added}, Severity: ptr(High)}, {Ops: []Op{Removed, Changed}, Ignore: ptr(true)}},
			have:  users("alice uid=1", "bob uid=1"), want: users("bob uid=2", "carol uid=1"),
			changes: []string{"high: users alice added (uid: 1)"},
		},
		{
			name:  "where asks the item had, or else the one wanted, and any member of a list will do",
			rules: []Rule{{Where: map[string]string{"groups": "sudo"}, Severity: ptr(High)}},
			have:  users("alice groups=adm,sudo", "bob groups=sudoers", "carol groups=adm"), want: users("carol groups=sudo", "dan groups=sudo"),
			changes: []string{
				"high: users alice added (groups: adm,sudo)", "medium: users bob added (groups: sudoers)",
				"medium: users carol changed (groups: sudo → adm)", "high: users dan removed (groups: sudo)",
			},
		},
		{
			name: "was asks the item wanted, and an exclamation mark negates",
			rules: []Rule{{
				Field: "groups", Where: map[string]string{"groups": "sudo"}, Was: map[string]string{"groups": "!sudo"}, Severity: ptr(High),
			}},
			have: users("alice groups=sudo", "bob groups=adm,sudo", "carol groups=sudo"), want: users("alice groups=adm", "bob groups=sudo"),
			changes: []string{
				"high: users alice changed (groups: adm → sudo)", "medium: users bob changed (groups: sudo → adm,sudo)", "medium: users carol added (groups: sudo)",
			},
		},
		{
			name:  "gained asks what a list has more than the one wanted",
			rules: []Rule{{Field: "groups", Severity: ptr(Low)}, {Field: "groups", Gained: "s*", Severity: ptr(High)}},
			have:  users("alice groups=adm,sudo", "bob groups=adm", "carol groups=adm,sudo", "dan groups=sudo", "eve uid=1"),
			want:  users("alice groups=adm", "bob groups=adm,sudo", "carol groups=sudo", "eve groups=adm uid=2"),
			changes: []string{
				"high: users alice changed (groups: adm → adm,sudo)", "low: users bob changed (groups: adm,sudo → adm)",
				"low: users carol changed (groups: sudo → adm,sudo)", "medium: users dan added (groups: sudo)",
				"medium: users eve changed (uid: 2 → 1)",
			},
		},
		{
			name:  "where a rule asks for a field that could not be read, ignoring is certain and severity is not",
			rules: []Rule{{Match: "a*", Where: map[string]string{"password": "locked"}, Ignore: ptr(true)}, {Match: "b*", Where: map[string]string{"password": "none"}, Severity: ptr(Critical)}},
			have:  users("alice uid=1", "bob uid=1"), want: users(),
			changes: []string{"medium: users bob added (uid: 1)"},
		},
		{
			name:  "what the baseline does not say of a wanted item is no reason to ignore that it is gone",
			rules: []Rule{{Where: map[string]string{"password": "locked"}, Ignore: ptr(true)}},
			have:  users(), want: users("alice uid=1"),
			changes: []string{"medium: users alice removed (uid: 1)"},
		},
		{
			name:  "at_least takes the place of the value that the baseline has",
			rules: []Rule{{Match: "deb/a*", Field: "version", AtLeast: "2.0"}},
			have:  packages("deb/a version=2.1", "deb/aa version=1.9", "deb/b version=1.9"), want: packages("deb/a version=2.0", "deb/aa version=1.9", "deb/b version=1.9"),
			changes: []string{"medium: packages deb/aa changed (version: >= 2.0 → 1.9)"},
		},
		{
			name:  "a range, by the packaging system's own order, of the newest installed",
			rules: []Rule{{Field: "version", AtLeast: "1.0~rc1", Below: "2"}},
			have:  packages("deb/a version=1.0~beta", "deb/b version=1.0~rc1", "deb/c version=1.10", "deb/d version=1.0,2.0"),
			want:  packages("deb/a version=x", "deb/b version=x", "deb/c version=x", "deb/d version=x"),
			changes: []string{
				"medium: packages deb/a changed (version: >= 1.0~rc1, < 2 → 1.0~beta)", "medium: packages deb/d changed (version: >= 1.0~rc1, < 2 → 1.0,2.0)",
			},
		},
		{
			name: "one_of, regexp and any", mode: Open,
			rules: []Rule{
				{Match: "a", Field: "shell", OneOf: []string{"/bin/sh", "/bin/zsh"}},
				{Match: "b", Field: "shell", Regexp: `/bin/\w+|x`},
				{Match: "c", Field: "shell", Any: true},
			},
			have:    users("a shell=/bin/ksh", "b shell=/bin/zsh/x", "c shell=/bin/ksh"),
			want:    users("a shell=/bin/zsh", "b shell=/bin/zsh", "c shell=/bin/zsh"),
			changes: []string{"medium: users a changed (shell: one of /bin/sh, /bin/zsh → /bin/ksh)", `medium: users b changed (shell: matching /bin/\\w+|x → /bin/zsh/x)`},
		},
		{
			name: "in an open facet a matcher judges items that the baseline does not have", mode: Open,
			rules: []Rule{{Match: "deb/openssl*", Field: "version", AtLeast: "3.0.11"}},
			have:  packages("deb/openssl version=3.0.9", "deb/other version=1"), want: packages(),
			changes: []string{"medium: packages deb/openssl changed (version: >= 3.0.11 → 3.0.9)"},
		},
		{
			name:  "the last matcher of a field governs",
			rules: []Rule{{Field: "version", AtLeast: "2"}, {Match: "deb/old", Field: "version", Any: true}},
			have:  packages("deb/old version=1"), want: packages("deb/old version=1"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.mode == "" {
				c.mode = Closed
			}
			got := Diff(inventory.Observe(c.have), c.want, mustRules(t, c.want.Facet(), c.mode, c.rules...))
			if d := cmp.Diff(c.changes, lines(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRulesThatCannotBeMeantAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		rule Rule
		want string
	}{
		{"it does nothing", Rule{Match: "a"}, "does nothing"},
		{"a matcher without a field", Rule{AtLeast: "1"}, "at_least: needs a field"},
		{"two matchers", Rule{Field: "uid", Any: true, OneOf: []string{"1"}}, "one_of: does not go with any"},
		{"a matcher with ops", Rule{Field: "uid", Any: true, Ops: []Op{Added}}, "ops: any judges"},
		{"a field of another facet", Rule{Field: "version", Ignore: ptr(true)}, `"version" is no field of users`},
		{"a where of another facet", Rule{Where: map[string]string{"version": "1"}, Ignore: ptr(true)}, "where: "},
		{"was that ignores", Rule{Was: map[string]string{"uid": "1"}, Ignore: ptr(true)}, "was: goes with a severity only"},
		{"gained that ignores", Rule{Field: "groups", Gained: "sudo", Ignore: ptr(true)}, "gained: goes with a severity only"},
		{"gained of no field", Rule{Gained: "sudo", Severity: ptr(High)}, "gained: needs a field"},
		{"a regular expression that is none", Rule{Field: "uid", Regexp: "("}, "regexp: missing closing )"},
		{"one that closes what it did not open", Rule{Field: "uid", Regexp: "a)|(b"}, "regexp: unexpected )"},
		{"one that is huge when unfolded", Rule{Field: "uid", Regexp: "((a{100}){100}){100}"}, "regexp: "},
		{"a long one", Rule{Field: "uid", Regexp: strings.Repeat("a", maxRegexp+1)}, "regexp: is longer"},
		{"a list as a version", Rule{Field: "uid", Below: "1,2"}, "below: "},
		{"a value that no item can have", Rule{Field: "uid", OneOf: []string{"a\nb"}}, `write 'a\nb'`},
		{"a severity that there is not", Rule{Severity: ptr(Severity(9))}, "severity(9) does not exist"},
		{"an operation that there is not", Rule{Ops: []Op{"deleted"}, Ignore: ptr(true)}, `"deleted" is no op`},
		{"a glob that matches nothing", Rule{Match: `a\b`, Ignore: ptr(true)}, "match: "},
	} {
		_, err := CompileRules(inventory.Users, Closed, []Rule{{Ignore: ptr(true)}, c.rule})
		if err == nil || !strings.Contains(err.Error(), "rules[1]: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
