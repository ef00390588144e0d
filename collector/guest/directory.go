package guest

import (
	"bytes"
	"fmt"
)

// addDirectory adds what the directory service knows beyond the local files: getent's
// passwd and its exit status, then getent's group and its own, in the form of parseAccounts.
//
//	root:X:0:0:/root:/bin/bash
//	carol:L:20001:20001:/home/carol:/bin/bash
//	=0
//	developers:L:20100:carol
//	=0
//
// It returns what went wrong, in words, or "". Local accounts come first, as for login; where
// something went wrong, they are all there is.
func (a *accountFiles) addDirectory(body []byte) string {
	var more accountFiles
	var status []string
	lines(body, func(line []byte) {
		if rest, ok := bytes.CutPrefix(line, []byte("=")); ok {
			status = append(status, string(rest))
		} else if len(line) > 0 && len(status) < 2 && !more.add(len(status), string(line)) {
			more.unparsed++
		}
	})
	if problem := directoryProblem(status); problem != "" {
		// Half of a directory makes strangers of members, and groups of what only accompanies a user.
		a.localOnly = true
		return problem
	}
	local := make(map[string]bool, len(a.users))
	for _, u := range a.users {
		local[u.name] = true
	}
	for _, u := range more.users {
		if !local[u.name] {
			if u.letter != 'N' { // a directory does not say how it lets people in
				u.letter = fromDirectory
			}
			a.users = append(a.users, u)
		}
	}
	clear(local)
	for _, g := range a.groups {
		local[g.name] = true
	}
	for _, g := range more.groups {
		if !local[g.name] {
			a.groups = append(a.groups, g)
		}
	}
	return ""
}

// directoryProblem says what went wrong, from getent's two exit statuses.
func directoryProblem(status []string) string {
	for i, what := range []string{"users", "groups"} {
		switch {
		case i >= len(status):
			return "the directory's " + what + " were cut short"
		case status[i] == "124" || status[i] == "143":
			return "the directory service did not list its " + what + " in time"
		case status[i] == "127":
			return "the machine has no getent to ask the directory service with"
		case status[i] != "0":
			return fmt.Sprintf("getent could not list the directory's %s (exit status %.4s)", what, status[i])
		}
	}
	return ""
}
