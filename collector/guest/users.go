package guest

import (
	"slices"
	"strconv"

	"github.com/vmdrift/vmdrift/inventory"
)

// usersState returns the state of the facet users, and the fields that some user
// lacks. today is the machine's date in days since 1970.
func usersState(a accountFiles, today int) (*inventory.State, []string, error) {
	memberOf := make(map[string][]string)
	for _, g := range a.groups {
		for _, m := range g.members {
			memberOf[m] = append(memberOf[m], g.name)
		}
	}
	b := inventory.NewBuilder(inventory.Users)
	missing := map[string]bool{}
	for _, u := range a.users {
		b.Key(u.name)
		field := func(known bool, name, value string) {
			if known {
				b.Field(name, value)
			} else {
				missing[name] = true
			}
		}
		field(u.gid != "", "gid", u.gid)
		field(!a.localOnly && !a.noGroups, "groups", joinNames(memberOf[u.name]))
		b.Field("home", u.home)
		if u.letter != fromDirectory {
			p := password(u, a.shadow, today)
			field(p != "", "password", p)
		}
		b.Field("shell", u.shell)
		field(u.uid != "", "uid", u.uid)
	}
	s, err := b.State()
	return s, sorted(missing), err
}

// password returns the state of a user's password: none, locked, set, expired, or
// "" if it is not known. A locked password stays locked when it also expires.
func password(u user, shadow map[string]shadowEntry, today int) string {
	letter := u.letter
	var e shadowEntry
	if letter == 'X' {
		if shadow == nil {
			return ""
		}
		var ok bool
		if e, ok = shadow[u.name]; !ok {
			return "locked" // no entry: nothing to log in with
		}
		letter = e.letter
	}
	if letter != 'N' && letter != 'S' {
		return "locked"
	}
	last, lastKnown := days(e.lastChange)
	maximum, maxKnown := days(e.max)
	expires, expiresKnown := days(e.expires)
	switch {
	case lastKnown && last == 0,
		lastKnown && maxKnown && maximum < 99999 && last+maximum < today,
		expiresKnown && expires < today:
		return "expired"
	case letter == 'N':
		return "none"
	}
	return "set"
}

func days(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n < 1<<30
}

// groupsState returns the state of the facet groups. Who is a member stands with
// the users, so that one new membership is one change; here are only members that
// are no local users. A group that merely accompanies its user is left out.
func groupsState(a accountFiles) (*inventory.State, []string, error) {
	gidOf := make(map[string]string, len(a.users))
	for _, u := range a.users {
		gidOf[u.name] = u.gid
	}
	b := inventory.NewBuilder(inventory.Groups)
	missing := map[string]bool{}
	for _, g := range a.groups {
		others := slices.DeleteFunc(slices.Clone(g.members), func(m string) bool {
			_, local := gidOf[m]
			return local
		})
		// Who is no local user may be one of the directory's, when that answers.
		strangers := a.localOnly && len(others) > 0
		if gid, ok := gidOf[g.name]; ok && gid == g.gid && (len(others) == 0 || strangers) {
			continue
		}
		b.Key(g.name)
		if g.gid != "" {
			b.Field("gid", g.gid)
		} else {
			missing["gid"] = true
		}
		if strangers {
			missing["other_members"] = true
		} else {
			b.Field("other_members", joinNames(others))
		}
	}
	s, err := b.State()
	return s, sorted(missing), err
}

// userNames maps user ids to names; of several names for one id, the first in
// /etc/passwd, as getpwuid has it: a second name for uid 0 does not rename root's ports.
func (a accountFiles) userNames() map[string]string {
	names := make(map[string]string, len(a.users))
	for _, u := range a.users {
		if _, ok := names[u.uid]; !ok {
			names[u.uid] = u.name
		}
	}
	return names
}
