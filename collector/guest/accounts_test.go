package guest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccounts(t *testing.T) {
	const in = "=32768 60999\n" +
		"root:X:0:0:/root:/bin/bash\n" +
		"alice:X:1000:1000:/home/alice:/bin/bash\n" +
		"bob:X:1001:100:/home/bob:/bin/sh\n" +
		"toor:N:0:0:/root:/bin/sh\n" +
		"-x:S:1002:1002:/:\n" +
		"bob:X:1003:1003:/home/bob2:/bin/sh\n" +
		"eve:X:1004:1004:/:/bin/sh\n" +
		"!\n=\n" +
		"root:X:0:\nsudo:X:27:alice,bob,carol\nwheel:X:10:alice,alice\nalice:X:1000:\nusers:X:100:\n=\n" +
		"root:L:20780:0:99999:7:::\nalice:S:20000:0:30:7:::\nbob:S:20780:0:99999:7::20779:\n"
	a := parseAccounts([]byte(in))
	if a.low != 32768 || a.high != 60999 || a.mixed || a.unparsed != 1 {
		t.Errorf("%d–%d, mixed %v, %d unparsed", a.low, a.high, a.mixed, a.unparsed)
	}
	s, missing, err := usersState(a, 20780)
	checkState(t, s, err)
	const want = `-x	gid=1002	groups=	home=/	password=set	shell=	uid=1002
alice	gid=1000	groups=sudo,wheel	home=/home/alice	password=expired	shell=/bin/bash	uid=1000
bob	gid=100	groups=sudo	home=/home/bob	password=expired	shell=/bin/sh	uid=1001
bob#2	gid=1003	groups=sudo	home=/home/bob2	password=expired	shell=/bin/sh	uid=1003
eve	gid=1004	groups=	home=/	password=locked	shell=/bin/sh	uid=1004
root	gid=0	groups=	home=/root	password=locked	shell=/bin/bash	uid=0
toor	gid=0	groups=	home=/root	password=none	shell=/bin/sh	uid=0
`
	if s.Text() != want || missing != nil {
		t.Errorf("missing %v, got\n%s", missing, s.Text())
	}
	g, missing, err := groupsState(a)
	checkState(t, g, err)
	const wantGroups = "sudo\tgid=27\tother_members=carol\nusers\tgid=100\tother_members=\nwheel\tgid=10\tother_members=\n"
	if g.Text() != wantGroups || missing != nil {
		t.Errorf("missing %v, got\n%s", missing, g.Text())
	}
}

func TestPasswordStates(t *testing.T) {
	const today = 20000
	for name, c := range map[string]struct {
		u    user
		e    shadowEntry
		want string
	}{
		"set":                        {user{letter: 'X'}, shadowEntry{'S', "19990", "99999", ""}, "set"},
		"none":                       {user{letter: 'X'}, shadowEntry{'N', "19990", "99999", ""}, "none"},
		"locked":                     {user{letter: 'X'}, shadowEntry{'L', "19990", "99999", ""}, "locked"},
		"must be changed":            {user{letter: 'X'}, shadowEntry{'S', "0", "99999", ""}, "expired"},
		"too old":                    {user{letter: 'X'}, shadowEntry{'S', "19900", "99", ""}, "expired"},
		"old on its last day":        {user{letter: 'X'}, shadowEntry{'S', "19900", "100", ""}, "set"},
		"account expired":            {user{letter: 'X'}, shadowEntry{'S', "19990", "", "19999"}, "expired"},
		"account expires today":      {user{letter: 'X'}, shadowEntry{'S', "19990", "", "20000"}, "set"},
		"locked and expired":         {user{letter: 'X'}, shadowEntry{'L', "0", "1", "1"}, "locked"},
		"no dates":                   {user{letter: 'X'}, shadowEntry{'S', "", "", ""}, "set"},
		"in passwd itself":           {user{letter: 'S'}, shadowEntry{}, "set"},
		"none in passwd itself":      {user{letter: 'N'}, shadowEntry{}, "none"},
		"a date that is no number":   {user{letter: 'X'}, shadowEntry{'S', "-1", "x", "99999999999999999999"}, "set"},
		"x in shadow is no password": {user{letter: 'X'}, shadowEntry{'X', "", "", ""}, "locked"},
	} {
		if got := password(c.u, map[string]shadowEntry{"": c.e}, today); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := password(user{letter: 'X'}, nil, today); got != "" {
		t.Errorf("without shadow: %s", got)
	}
}

func TestDirectory(t *testing.T) {
	local := "alice:X:1000:1000:/home/alice:/bin/bash\n=\nsudo:X:27:\n=\nalice:L:20780:0:99999:7:::\n"
	const directory = "alice:L:1:1:/x:/x\ncarol:L:20001:20001:/home/carol:/bin/bash\n=0\nsudo:L:1:eve\ndevs:L:20100:carol,alice\n=0\n"
	a := parseAccounts([]byte(local))
	if problem := a.addDirectory([]byte(directory)); problem != "" {
		t.Error(problem)
	}
	s, missing, err := usersState(a, 20780)
	checkState(t, s, err)
	const want = `alice	gid=1000	groups=devs	home=/home/alice	password=locked	shell=/bin/bash	uid=1000
carol	gid=20001	groups=devs	home=/home/carol	shell=/bin/bash	uid=20001
`
	if s.Text() != want || missing != nil {
		t.Errorf("missing %v, got\n%s", missing, s.Text())
	}
	for body, says := range map[string]string{
		"":                 "users were cut",
		"=0\n":             "groups were cut",
		"=124\n=0\n":       "in time",
		"=127\n=127\n":     "no getent",
		"=0\n=2\n":         "exit status 2",
		"x:L:1:1:/:/\n=0":  "groups were cut",
		"=\x1b[31mevil\n=": "exit status",
	} {
		a := parseAccounts([]byte(local))
		if problem := a.addDirectory([]byte(body)); !strings.Contains(problem, says) {
			t.Errorf("%q: %q", body, problem)
		}
	}
}

// TestNoHashEverLeavesTheMachine runs the probe's own sed on accounts files of every
// kind, and looks for what must not come out.
func TestNoHashEverLeavesTheMachine(t *testing.T) {
	_, rest, ok := strings.Cut(script, "\nletters='\n")
	program, _, ok2 := strings.Cut(rest, "\n'\n")
	if !ok || !ok2 {
		t.Fatal("the probe has no sed script of that name any more")
	}
	const secret = "SECRETsecret"
	hashes := []string{
		"$6$salt$" + secret, "$y$j9T$" + secret, "$2b$12$" + secret, "_J9..rasm" + secret, "ab" + secret + "."[1:], secret, "{SSHA}" + secret,
		"!$6$salt$" + secret, "*" + secret, "!!" + secret,
	}
	shapes := []string{
		"u:%s:20000:0:99999:7:::", "u:%s:1000:1000:gecos:/home/u:/bin/sh", "u:%s:1000:alice", "u:%s", "%s", "u::%s:x", "%s:x:1:1::/:/", "u:x:%s:1::/:/",
		"u:x:1:1:%s:/:/", "u:%s:20000", "u:%s::::", "+u:%s:1:1:::", "-u:%s:1:1:::", ":%s:1:1:::", "u:x:1:1::/:/ :%s:", "#%s", "u:nonsense:%s:1", "u:nonsense:x:%s:", "u:nonsense:1:x:%s:y:z", "u:$1$x:a:%s", "u:x:%s:%s:%s", "u:%s:1:2:3:4:5:6:7:8:9",
	}
	for _, sed := range [][]string{{"sed"}, {"busybox", "sed"}} {
		need(t, sed[0])
		dir := t.TempDir()
		for _, shape := range shapes {
			for _, hash := range hashes {
				file := filepath.Join(dir, "f")
				line := strings.ReplaceAll(shape, "%s", hash) + "\n"
				if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(sed[0], append(sed[1:], "-E", program, file)...).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				// A name, a folder or a shell that is a password is nobody's fault but its owner's.
				if bytes.Contains(out, []byte(secret)) && shape != "%s:x:1:1::/:/" && shape != "u:x:1:1::/:/ :%s:" {
					t.Errorf("%v lets out %q as %q", sed, line, out)
				}
				if bytes.Contains(out, []byte("$6$")) || bytes.Contains(out, []byte("$y$")) {
					t.Errorf("%v lets out %q as %q", sed, line, out)
				}
			}
		}
	}
}

func TestSedSaysOnTheMachineWhatAPasswordIs(t *testing.T) {
	_, rest, _ := strings.Cut(script, "\nletters='\n")
	program, _, _ := strings.Cut(rest, "\n'\n")
	cases := []struct{ in, want string }{
		{"Linux", "="},
		{"32768\t60999", "=32768 60999"},
		{"root:x:0:0:root:/root:/bin/bash", "root:X:0:0:/root:/bin/bash"},
		{"a::1:1:,,,:/home/a:/bin/sh:with:colons", "a:N:1:1:/home/a:/bin/sh:with:colons"},
		{"short:x:5:5", "short:X:5:5"},
		{"-x:x::::/:/bin/sh", "-x:X:::/:/bin/sh"},
		{"+::::::", ""},
		{"# comment", ""},
		{"sudo:x:27:alice,bob", "sudo:X:27:alice,bob"},
		{"sudo:x:27:", "sudo:X:27:"},
		{"a:$6$x$y:20000:0:99999:7:::", "a:S:20000:0:99999:7:::"},
		{"a:!:20000:0:99999:7:::", "a:L:20000:0:99999:7:::"},
		{"a:*:::::::", "a:L:::::::"},
		{"a::20000:0:99999:7:::", "a:N:20000:0:99999:7:::"},
		{"a:!$6$x$y:20000:0:99999:7::20001:", "a:L:20000:0:99999:7::20001:"},
		{"a:abcdefghijklm:1:0:99999:7:::", "a:S:1:0:99999:7:::"},
		{"a:nonsense:1:0:99999:7:::", "a:L:1:0:99999:7:::"},
		{"no colon", "!"},
		{":x:0:0::/:/", "!"},
	}
	for _, sed := range [][]string{{"sed"}, {"busybox", "sed"}} {
		need(t, sed[0])
		for _, c := range cases {
			cmd := exec.Command(sed[0], append(sed[1:], "-E", program)...)
			cmd.Stdin = strings.NewReader(c.in + "\n")
			out, err := cmd.Output()
			if err != nil || strings.TrimSuffix(string(out), "\n") != c.want {
				t.Errorf("%v: %q becomes %q, want %q (%v)", sed, c.in, out, c.want, err)
			}
		}
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add([]byte("=1 2\nroot:X:0:0:/root:/bin/bash\n=\nsudo:X:27:a\n=\nroot:S:1:2:3:4:5:6:7\n"), []byte("a:L:1:1:/:/\n=0\nb:L:1:a\n=0\n"))
	f.Fuzz(func(t *testing.T, local, directory []byte) {
		a := parseAccounts(local)
		a.addDirectory(directory)
		s, _, err := usersState(a, 20000)
		checkState(t, s, err)
		s, _, err = groupsState(a)
		checkState(t, s, err)
		a.userNames()
	})
}
