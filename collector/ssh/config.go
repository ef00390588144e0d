package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A config is the ssh_config files as one list of blocks.
type config struct {
	blocks   []block
	hasFinal bool // some block asks for the second pass
	home     string
	user     string // who runs vmdrift
}

// loadConfig reads the files of ssh_config. Without names it reads the default
// ones, which need not exist.
func loadConfig(names []string, home, user string) (*config, error) {
	r := configReader{home: home}
	userDir := filepath.Join(home, ".ssh")
	switch {
	case len(names) == 0:
		for _, f := range []struct{ path, dir string }{
			{filepath.Join(userDir, "config"), userDir},
			{"/etc/ssh/ssh_config", "/etc/ssh"},
		} {
			if err := r.readFile(f.path, f.dir, nil, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("read ssh configuration: %w", err)
			}
		}
	case len(names) == 1 && names[0] == "none":
	default:
		for _, name := range names {
			dir := userDir
			if strings.HasPrefix(name, "/etc/ssh/") {
				dir = "/etc/ssh"
			}
			if err := r.readFile(expandTilde(name, home), dir, nil, 0); err != nil {
				return nil, fmt.Errorf("read ssh configuration: %w", err)
			}
		}
	}
	c := &config{blocks: r.blocks, home: home, user: user}
	for _, b := range c.blocks {
		for _, d := range b.when {
			c.hasFinal = c.hasFinal || d.key == "match" && slices.ContainsFunc(d.args, func(a string) bool {
				return strings.EqualFold(strings.TrimPrefix(a, "!"), "final")
			})
		}
	}
	return c, nil
}

// settings are the directives in force for one host.
type settings struct {
	first map[string]directive   // the first value wins
	all   map[string][]directive // for what may be given several times
}

// A setting that may be given several times, all of which count.
func several(key string) bool {
	return key == "identityfile" || key == "certificatefile"
}

// lookup returns what holds for alias. flagUser is the user named by flag or target.
func (c *config) lookup(alias, flagUser string) settings {
	s := settings{first: map[string]directive{}, all: map[string][]directive{}}
	sub := subject{alias: alias, host: alias, user: flagUser, localUser: c.user}
	if sub.user == "" {
		sub.user = c.user
	}
	c.apply(&s, &sub, alias, flagUser)
	if c.hasFinal {
		sub.final = true
		c.apply(&s, &sub, alias, flagUser)
	}
	return s
}

func (c *config) apply(s *settings, sub *subject, alias, flagUser string) {
	for _, b := range c.blocks {
		if len(b.lines) == 0 || !b.matches(sub) {
			continue
		}
		for _, d := range b.lines {
			if several(d.key) {
				if !slices.ContainsFunc(s.all[d.key], func(o directive) bool { return o.value() == d.value() }) {
					s.all[d.key] = append(s.all[d.key], d)
				}
				continue
			}
			if d.key == "proxyjump" || d.key == "proxycommand" {
				// Whichever comes first keeps the other out.
				if _, ok := s.first["proxyjump"]; ok {
					continue
				}
				if _, ok := s.first["proxycommand"]; ok {
					continue
				}
			}
			if _, ok := s.first[d.key]; ok {
				continue
			}
			s.first[d.key] = d
			switch d.key { // what later conditions are held against
			case "hostname":
				if h, err := (tokens{'h': alias}).expand(d.value()); err == nil {
					sub.host = h
				}
			case "user":
				if flagUser == "" {
					sub.user = d.value()
				}
			}
		}
	}
}

func (s settings) value(key string) string { return s.first[key].value() }

// words returns every word of a setting that takes several on one line.
func (s settings) words(key string) []string { return s.first[key].args }

// flag reads yes or no.
func (s settings) flag(key string, def bool) (bool, error) {
	d, ok := s.first[key]
	if !ok {
		return def, nil
	}
	switch strings.ToLower(d.value()) {
	case "yes", "true":
		return true, nil
	case "no", "false":
		return false, nil
	}
	return false, fmt.Errorf("%s: %s is %q; it takes yes or no", d.at(), d.key, d.value())
}

// seconds reads OpenSSH's time format: 90, 1m30s, 2h; none is zero.
func (s settings) seconds(key string) (time.Duration, error) {
	d, ok := s.first[key]
	if !ok || strings.EqualFold(d.value(), "none") {
		return 0, nil
	}
	bad := fmt.Errorf("%s: %s is %q; it takes a time such as 10 or 1m30s", d.at(), d.key, d.value())
	var total time.Duration
	n, digits := 0, 0
	add := func(unit time.Duration) {
		total += time.Duration(n) * unit
		n, digits = 0, 0
	}
	for _, c := range strings.ToLower(d.value()) {
		units := map[rune]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
		switch unit, ok := units[c]; {
		case c >= '0' && c <= '9' && digits < 7:
			n, digits = n*10+int(c-'0'), digits+1
		case ok && digits > 0:
			add(unit)
		default:
			return 0, bad
		}
	}
	add(time.Second)
	return total, nil
}
