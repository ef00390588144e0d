package ssh

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// resolve turns a target into a Host by ssh_config. jump, if not empty, replaces
// what ssh_config says of the way there. seen are the jump hosts being resolved.
func (d *Dialer) resolve(spec Spec, jump string, seen []string) (*Host, error) {
	s := d.conf.lookup(spec.Host, spec.User)
	if err := d.checkUnsupported(s); err != nil {
		return nil, err
	}
	h := &Host{d: d, name: spec.Host, user: spec.User, host: spec.Host, port: spec.Port}
	steps := []func(*Host, settings) error{
		d.resolveAddress, d.resolveTimeouts, d.resolveHostKeys, d.resolveKeys, d.resolveMethods, d.resolveAlgorithms,
	}
	h.alias = spec.Host
	for _, step := range steps {
		if err := step(h, s); err != nil {
			return nil, err
		}
	}
	return h, d.resolveWay(h, s, jump, seen)
}

func (d *Dialer) resolveAddress(h *Host, s settings) error {
	if dir, ok := s.first["hostname"]; ok {
		name, err := tokens{'h': h.alias}.expand(dir.value())
		if err == nil {
			err = checkHost(name)
		}
		if err != nil {
			return fmt.Errorf("%s: hostname: %w", dir.at(), err)
		}
		h.host = name
	}
	if dir, ok := s.first["user"]; ok && h.user == "" {
		if err := checkUser(dir.value()); err != nil {
			return fmt.Errorf("%s: user: %w", dir.at(), err)
		}
		h.user = dir.value()
	}
	if h.user == "" {
		h.user = d.user
	}
	if dir, ok := s.first["port"]; ok && h.port == 0 {
		port, err := parsePort(dir.value())
		if err != nil {
			return fmt.Errorf("%s: %w", dir.at(), err)
		}
		h.port = port
	}
	if h.port == 0 {
		h.port = 22
	}
	switch dir := s.first["addressfamily"]; strings.ToLower(dir.value()) {
	case "", "any":
		h.network = "tcp"
	case "inet":
		h.network = "tcp4"
	case "inet6":
		h.network = "tcp6"
	default:
		return fmt.Errorf("%s: addressfamily is %q; it takes any, inet or inet6", dir.at(), dir.value())
	}
	h.bind = s.value("bindaddress")
	return nil
}

func (d *Dialer) resolveTimeouts(h *Host, s settings) error {
	limits := d.opts.Timeouts
	if limits.Connect == 0 {
		t, err := s.seconds("connecttimeout")
		if err != nil {
			return err
		}
		limits.Connect = t
	}
	h.limits = limits.withDefaults()
	return nil
}

// resolveWay decides how the host is reached: straight, through jump hosts, or by
// a command.
func (d *Dialer) resolveWay(h *Host, s settings, jump string, seen []string) error {
	where := "jump host"
	if jump == "" {
		if dir, ok := s.first["proxycommand"]; ok && !strings.EqualFold(dir.rest, "none") {
			command, err := h.tokens().expand(dir.rest)
			if err != nil {
				return fmt.Errorf("%s: proxycommand: %w", dir.at(), err)
			}
			h.proxyCommand = command
			return nil
		}
		dir, ok := s.first["proxyjump"]
		if !ok {
			return nil
		}
		where, jump = dir.at()+": proxyjump", dir.value()
	}
	list, err := parseJump(jump)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if len(list) > 0 {
		h.jump, err = d.hop(list, seen)
	}
	return err
}

// tokens are those of IdentityFile, UserKnownHostsFile, ProxyCommand and their like.
func (h *Host) tokens() tokens {
	name, _ := os.Hostname()
	short, _, _ := strings.Cut(name, ".")
	return tokens{
		'd': h.d.home, 'u': h.d.user, 'i': strconv.Itoa(os.Getuid()), 'l': name, 'L': short,
		'h': h.host, 'n': h.alias, 'p': strconv.Itoa(h.port), 'r': h.user, 'k': h.keys.name,
	}
}

// path expands variables, tokens and ~ in a file's name.
func (h *Host) path(name string, from directive) (string, error) {
	out, err := expandEnv(expandTilde(name, h.d.home))
	if err == nil {
		out, err = h.tokens().expand(out)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", from.at(), from.key, err)
	}
	return out, nil
}
