package ssh

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A Spec is a target as written on a command line.
type Spec struct {
	User string // empty if not named
	Host string // a name, an address without brackets, or an alias of ssh_config
	Port int    // 0 if not named
}

// ParseSpec reads [user@]host[:port], [user@][v6address]:port, or the same after
// ssh://. An IPv6 address without brackets has no port.
func ParseSpec(s string) (Spec, error) {
	spec, err := parseSpec(strings.TrimPrefix(s, "ssh://"))
	if err != nil {
		return Spec{}, fmt.Errorf("target %q: %w; write [user@]host[:port]", s, err)
	}
	return spec, nil
}

func parseSpec(s string) (Spec, error) {
	var spec Spec
	// The last @, because a user's name may hold one (user@domain@host).
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		spec.User, s = s[:at], s[at+1:]
		if err := checkUser(spec.User); err != nil {
			return Spec{}, err
		}
	}
	host, port := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return Spec{}, errors.New("the bracket is not closed")
		}
		host, port = s[1:end], s[end+1:]
		if port != "" && port[0] != ':' {
			return Spec{}, errors.New("after the bracket comes a colon and the port")
		}
	case strings.Count(s, ":") == 1:
		colon := strings.IndexByte(s, ':')
		host, port = s[:colon], s[colon:]
	}
	if err := checkHost(host); err != nil {
		return Spec{}, err
	}
	spec.Host = host
	if port != "" {
		n, err := parsePort(port[1:])
		if err != nil {
			return Spec{}, err
		}
		spec.Port = n
	}
	return spec, nil
}

// String returns the spec in the form that ParseSpec reads.
func (s Spec) String() string {
	out := s.Host
	switch {
	case s.Port != 0:
		out = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	case strings.Count(s.Host, ":") == 1:
		out = "[" + s.Host + "]"
	}
	if s.User != "" {
		out = s.User + "@" + out
	}
	return out
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 || s[0] == '+' {
		return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	return n, nil
}

// checkHost refuses what OpenSSH refuses: a host's name goes into ProxyCommand,
// which a shell reads, and a leading dash would be an option there.
func checkHost(s string) error {
	switch {
	case s == "":
		return errors.New("the host is missing")
	case len(s) > 1025:
		return errors.New("the host's name is too long")
	case s[0] == '-':
		return errors.New("a host's name does not begin with a dash")
	}
	return checkBytes("host's name", s, "'`\"$\\;&<>|(){},[]@/")
}

func checkUser(s string) error {
	switch {
	case s == "":
		return errors.New("the user before the @ is missing")
	case len(s) > 256:
		return errors.New("the user's name is too long")
	case s[0] == '-':
		return errors.New("a user's name does not begin with a dash")
	case strings.HasSuffix(s, `\`):
		return errors.New("a user's name does not end with a backslash")
	}
	return checkBytes("user's name", s, "'`\";&<>|(){}")
}

func checkBytes(what, s, bad string) error {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte(bad, c) >= 0 {
			return fmt.Errorf("a %s does not hold %q", what, c)
		}
	}
	return nil
}
