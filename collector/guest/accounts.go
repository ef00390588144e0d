package guest

import (
	"slices"
	"strconv"
	"strings"
)

// fromDirectory is the letter of a user whose password a directory service keeps.
const fromDirectory = 0

// A user is a line of passwd, joined with what shadow says of it.
type user struct {
	name, uid, gid, home, shell string
	letter                      byte // of the password field: N none, X see shadow, L locked, S set
}

// A group is a line of group.
type group struct {
	name, gid string
	members   []string
}

// A shadowEntry is what shadow says of a user, without the hash.
type shadowEntry struct {
	letter                   byte
	lastChange, max, expires string // in days since 1970
}

// A accountFiles is the probe's section accounts, taken apart.
type accountFiles struct {
	users     []user
	groups    []group
	shadow    map[string]shadowEntry // nil if it could not be read
	hasGroups bool
	mixed     bool // the files could not be told apart
	unparsed  int  // lines that are no accounts
	noGroups  bool // /etc/group told of none, which cannot be
	localOnly bool // a directory service was asked, and did not answer whole
	low, high int  // the range of ephemeral ports; 0 if unknown
}

// parseAccounts reads the section accounts: the range of ephemeral ports, then
// passwd, group and shadow, with a line between them, each without what is
// nobody's business.
//
//	=32768 60999
//	root:X:0:0:/root:/bin/bash
//	alice:X:1000:1000:/home/alice:/bin/bash
//	=
//	sudo:X:27:alice,bob
//	=
//	root:S:20780:0:99999:7:::
//	alice:L:20780:0:99999:7:::
func parseAccounts(body []byte) accountFiles {
	text := string(body) // once: all that follows are parts of it
	n := strings.Count(text, "\n") / 3
	a := accountFiles{users: make([]user, 0, n), groups: make([]group, 0, n)}
	file, first := 0, true
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
			continue
		case line == "=":
			file++
			a.hasGroups = true
			if file == 2 {
				a.shadow = make(map[string]shadowEntry, len(a.users))
			}
		case line[0] == '=':
			if low, high, ok := strings.Cut(line[1:], " "); ok && first {
				a.low, _ = strconv.Atoi(low)
				a.high, _ = strconv.Atoi(high)
			}
		case !a.add(file, line):
			a.unparsed++
		}
		first = false
	}
	a.mixed, a.noGroups = file > 2, len(a.groups) == 0
	return a
}

// add takes one line of a file: 0 is passwd, 1 group, 2 shadow.
func (a *accountFiles) add(file int, line string) bool {
	var f [9]string
	n := 0
	start := 0
	for i := 0; i < len(line) && n < len(f); i++ { // a loop of its own: the parts have a few bytes each
		if line[i] == ':' && (n != 5 || file != 0) { // of passwd, the shell is the rest of the line
			f[n], start = line[start:i], i+1
			n++
		}
	}
	if n < len(f) {
		f[n] = line[start:]
		n++
	}
	if f[0] == "" || len(f[1]) != 1 || n < 3 {
		return false
	}
	switch file {
	case 0:
		if n < 4 {
			return false
		}
		a.users = append(a.users, user{f[0], f[2], f[3], f[4], f[5], f[1][0]})
	case 1:
		g := group{name: f[0], gid: f[2]}
		if f[3] != "" {
			g.members = slices.DeleteFunc(strings.Split(f[3], ","), func(m string) bool { return m == "" })
		}
		a.groups = append(a.groups, g)
	case 2:
		if _, twice := a.shadow[f[0]]; !twice { // the first one counts, as for login
			a.shadow[f[0]] = shadowEntry{letter: f[1][0], lastChange: f[2], max: f[4], expires: f[7]}
		}
	default:
		return false
	}
	return true
}
