package ssh

import (
	"fmt"
	"strings"
)

// A subject is what the conditions of ssh_config are held against.
type subject struct {
	alias     string // as typed
	host      string // after HostName
	user      string
	localUser string
	final     bool // the second pass, which `Match final` asks for
}

// checkMatch refuses the criteria that cannot be held here. To skip them would
// quietly use other keys or another way than ssh does.
func checkMatch(d directive) error {
	for i := 0; i < len(d.args); i++ {
		name, inline := matchName(d.args[i])
		switch name {
		case "all", "canonical", "final":
		case "host", "originalhost", "user", "localuser":
			if !inline {
				if i++; i == len(d.args) {
					return fmt.Errorf("%s: match %s has no pattern", d.at(), name)
				}
			}
		default:
			return fmt.Errorf("%s: match %s is not supported; use host, originalhost, user or localuser, or name another file with -F", d.at(), name)
		}
	}
	return nil
}

// matchName returns the criterion in lower case without its "!", and whether its
// patterns follow in the same word after "=".
func matchName(arg string) (name string, inline bool) {
	name, _, inline = strings.Cut(strings.TrimPrefix(arg, "!"), "=")
	return strings.ToLower(name), inline
}

func (b block) matches(s *subject) bool {
	for _, d := range b.when {
		ok := false
		if d.key == "host" {
			name := s.alias
			if s.final {
				name = s.host // the second pass reads the files for the resolved name
			}
			ok = matchWords(d.args, name)
		} else {
			ok = matchCriteria(d.args, s)
		}
		if !ok {
			return false
		}
	}
	return true
}

// matchWords holds name against patterns, of which one may be negated with "!":
// a negated one that matches outweighs all others.
func matchWords(patterns []string, name string) bool {
	found := false
	for _, p := range patterns {
		if rest, not := strings.CutPrefix(p, "!"); not {
			if wildcard(rest, name) {
				return false
			}
		} else if !found && wildcard(p, name) {
			found = true
		}
	}
	return found
}

func matchCriteria(args []string, s *subject) bool {
	ok := true
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, inline := matchName(arg)
		var hit bool
		switch name {
		case "all":
			hit = true
		case "final":
			hit = s.final
		case "canonical":
			hit = false // names are never canonicalised here
		default:
			var list string
			if inline {
				_, list, _ = strings.Cut(arg, "=")
			} else {
				i++
				list = args[i]
			}
			value := s.field(name)
			if strings.HasSuffix(name, "host") { // names of hosts have no case, those of users do
				list, value = strings.ToLower(list), strings.ToLower(value)
			}
			hit = matchWords(strings.Split(list, ","), value)
		}
		if strings.HasPrefix(arg, "!") {
			hit = !hit
		}
		ok = ok && hit
	}
	return ok
}

func (s *subject) field(name string) string {
	switch name {
	case "host":
		return s.host
	case "originalhost":
		return s.alias
	case "user":
		return s.user
	}
	return s.localUser
}

// wildcard matches a pattern of * and ?, in time linear in both for the patterns
// that people write, and never exponential: known_hosts may come from elsewhere.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
