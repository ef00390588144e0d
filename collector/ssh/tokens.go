package ssh

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tokens are the %x of a setting's value, and what they stand for.
type tokens map[byte]string

// expand replaces tokens in s. An unknown one is an error: what it would have
// meant decides which file or host is used.
func (t tokens) expand(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", errors.New("the value ends with a single %; write %% for a percent sign")
		}
		if s[i] == '%' {
			out.WriteByte('%')
			continue
		}
		v, ok := t[s[i]]
		if !ok {
			return "", fmt.Errorf("%%%c is not supported here", s[i])
		}
		out.WriteString(v)
	}
	return out.String(), nil
}

// expandTilde replaces a leading ~ by the home directory.
func expandTilde(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}

// expandEnv replaces ${NAME}, the only form that ssh_config knows. An unset
// variable is an error, as in OpenSSH.
func expandEnv(s string) (string, error) {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(s, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return "", errors.New("${ is not closed by }")
		}
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the variable %s is not set", name)
		}
		out.WriteString(v)
		s = rest
	}
}
