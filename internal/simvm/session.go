package simvm

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// A session is one login: the machine as it was when it began, and who looks.
type session struct {
	image  *image
	number int // counts up per machine, and varies what is volatile there

	user string
	uid  int
	gids []int // the first is the user's own
	home string
	pid  int
}

// login begins a session of a user. Errors are for the log of a server only.
func (m *Machine) login(user string) (*session, error) {
	s := &session{image: m.image(), number: int(m.scans.Add(1))}
	s.pid = 30000 + s.number%2000
	return s.as(user)
}

// as returns the session with the rights of another user.
func (s *session) as(user string) (*session, error) {
	st := s.image.state
	i, err := st.findUser(user)
	if err != nil {
		return nil, err
	}
	u := st.users[i]
	next := *s
	next.user, next.uid, next.home, next.gids = user, u.UID, u.Home, []int{u.GID}
	for _, g := range st.groups {
		if slices.Contains(g.Members, user) {
			next.gids = append(next.gids, g.GID)
		}
	}
	return &next, nil
}

// admin reports whether sudo lets the session's user do everything.
func (s *session) admin() bool {
	st := s.image.state
	i := st.group(s.image.dist.adminGroup)
	return s.uid == 0 || i >= 0 && slices.Contains(st.groups[i].Members, s.user)
}

// A process is one command that runs in a session.
type process struct {
	*session
	ctx    context.Context
	args   []string
	dir    string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// fail says on standard error what is wrong, as commands do, and returns the status.
func (p *process) fail(status int, format string, args ...any) int {
	fmt.Fprintf(p.stderr, "%s: %s\n", p.args[0], fmt.Sprintf(format, args...))
	return status
}

// unsimulated is fail for what the real command could do.
func (p *process) unsimulated(what string) int {
	return p.fail(2, "%s is not simulated here", what)
}

// A command does what the program of its name does, and returns its exit status.
type command func(*process) int

// errno turns an error of the file system into the words of the C library.
func errno(err error) string {
	text := err.Error()
	if text == "" {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}
