package simvm

import (
	"fmt"
	"slices"
	"strings"
)

// A PasswordState says whether a user can log in with a password.
type PasswordState string

// What can be said of a password.
const (
	PasswordNone    PasswordState = "none"    // none is asked for
	PasswordLocked  PasswordState = "locked"  // none fits
	PasswordSet     PasswordState = "set"     // the right one is asked for
	PasswordExpired PasswordState = "expired" // the right one is asked for, and must be changed
)

// A User is a line of /etc/passwd with what /etc/shadow says of it.
type User struct {
	Name     string
	UID, GID int
	Comment  string
	Home     string        // empty when adding: /home/NAME
	Shell    string        // empty when adding: the distribution's login shell
	Password PasswordState // empty when adding: locked
}

// A Group is a line of /etc/group.
type Group struct {
	Name    string
	GID     int
	Members []string
}

// Users that every machine has, to scan it as.
const (
	Root  = "root"
	Sudo  = "deploy"  // may do everything by sudo without a password
	Plain = "auditor" // may do nothing
)

// Users returns the users in the order of /etc/passwd.
func (m *Machine) Users() []User { return slices.Clone(m.image().state.users) }

// Groups returns the groups in the order of /etc/group.
func (m *Machine) Groups() []Group { return slices.Clone(m.image().state.groups) }

// AddUser adds a user. If no group has its GID, one of the user's name is added.
func (m *Machine) AddUser(u User) error {
	return m.change(func(s *state) error { return s.addUser(u, m.dist.shell) })
}

func (s *state) addUser(u User, shell string) error {
	if _, err := s.findUser(u.Name); err == nil || u.Name == "" || strings.ContainsAny(u.Name, ":\n") {
		return fmt.Errorf("user %q is there already, or is no name", u.Name)
	}
	if u.Home == "" {
		u.Home = "/home/" + u.Name
	}
	if u.Shell == "" {
		u.Shell = shell
	}
	if u.Password == "" {
		u.Password = PasswordLocked
	}
	if !slices.ContainsFunc(s.groups, func(g Group) bool { return g.GID == u.GID }) {
		s.groups = append(s.groups, Group{Name: u.Name, GID: u.GID})
	}
	s.users = append(s.users, u)
	return nil
}

// RemoveUser removes a user, its memberships, and the group of its name and GID.
func (m *Machine) RemoveUser(name string) error {
	return m.change(func(s *state) error {
		i, err := s.findUser(name)
		if err != nil {
			return err
		}
		u := s.users[i]
		s.users = slices.Delete(s.users, i, i+1)
		s.groups = slices.DeleteFunc(s.groups, func(g Group) bool { return g.Name == name && g.GID == u.GID })
		for i := range s.groups {
			s.groups[i].Members = without(s.groups[i].Members, name)
		}
		return nil
	})
}

// SetShell changes a user's login shell.
func (m *Machine) SetShell(name, shell string) error {
	return m.changeUser(name, func(u *User) { u.Shell = shell })
}

// SetUID changes a user's number.
func (m *Machine) SetUID(name string, uid int) error {
	return m.changeUser(name, func(u *User) { u.UID = uid })
}

// SetPassword changes the state of a user's password.
func (m *Machine) SetPassword(name string, p PasswordState) error {
	return m.changeUser(name, func(u *User) { u.Password = p })
}

func (m *Machine) changeUser(name string, f func(*User)) error {
	return m.change(func(s *state) error {
		i, err := s.findUser(name)
		if err == nil {
			f(&s.users[i])
		}
		return err
	})
}

// AddGroup adds a group.
func (m *Machine) AddGroup(g Group) error {
	return m.change(func(s *state) error {
		if s.group(g.Name) >= 0 {
			return fmt.Errorf("group %s is there already", g.Name)
		}
		s.groups = append(s.groups, g)
		return nil
	})
}

// RemoveGroup removes a group.
func (m *Machine) RemoveGroup(name string) error {
	return m.change(func(s *state) error {
		i := s.group(name)
		if i < 0 {
			return fmt.Errorf("there is no group %s", name)
		}
		s.groups = slices.Delete(s.groups, i, i+1)
		return nil
	})
}

// AddToGroup makes a user a member of a group.
func (m *Machine) AddToGroup(user, group string) error {
	return m.changeMembers(user, group, func(have []string) []string { return append(have, user) })
}

// RemoveFromGroup ends a user's membership of a group.
func (m *Machine) RemoveFromGroup(user, group string) error {
	return m.changeMembers(user, group, func(have []string) []string { return without(have, user) })
}

func (m *Machine) changeMembers(user, group string, f func([]string) []string) error {
	return m.change(func(s *state) error {
		i := s.group(group)
		if i < 0 {
			return fmt.Errorf("there is no group %s", group)
		}
		next := f(without(s.groups[i].Members, user))
		if len(next) == len(s.groups[i].Members) {
			return fmt.Errorf("that is so already of %s in group %s", user, group)
		}
		s.groups[i].Members = next
		return nil
	})
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

func (s *state) findUser(name string) (int, error) {
	i := slices.IndexFunc(s.users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("there is no user %s", name)
	}
	return i, nil
}

func (s *state) group(name string) int {
	return slices.IndexFunc(s.groups, func(g Group) bool { return g.Name == name })
}
