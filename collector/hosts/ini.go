package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// parseINI reads Ansible's INI form:
//
//	bastion ansible_host=192.0.2.1 ansible_port=2222
//
//	[web]
//	web-[01:20].example.com ansible_user=deploy
//
//	[prod:children]
//	web
//
//	[prod:vars]
//	ansible_user=root
func (t *tree) parseINI(name string, data []byte) error {
	section, kind := "ungrouped", "hosts"
	line := 0
	for raw := range bytes.Lines(data) {
		line++
		bad := func(err error) error { return fmt.Errorf("%s:%d: %w", name, line, err) }
		text := strings.TrimSpace(string(raw))
		switch {
		case text == "", text[0] == '#', text[0] == ';':
			continue
		case text[0] == '[' && !strings.Contains(text, "]:"): // not the host [2001:db8::1]:22
			inside, rest, ok := strings.Cut(text[1:], "]")
			rest = strings.TrimSpace(rest)
			if !ok || rest != "" && rest[0] != '#' && rest[0] != ';' {
				return bad(errors.New("a section is written [group], [group:children] or [group:vars]"))
			}
			section, kind, ok = strings.Cut(inside, ":")
			if !ok {
				kind = "hosts"
			}
			if section == "" || kind != "hosts" && kind != "children" && kind != "vars" {
				return bad(fmt.Errorf("[%s] is no section: there are [group], [group:children] and [group:vars]", inside))
			}
			t.group(section)
			continue
		}
		var err error
		switch kind {
		case "children":
			child, _, _ := strings.Cut(text, " ")
			t.group(section).children[child] = true
			t.group(child)
		case "vars":
			key, value, ok := strings.Cut(text, "=")
			if !ok {
				err = errors.New("a variable is written name=value")
				break
			}
			t.group(section).vars[strings.TrimSpace(key)] = unquote(strings.TrimSpace(value))
		default:
			err = t.hostLine(section, text)
		}
		if err != nil {
			return bad(err)
		}
	}
	return nil
}

// hostLine reads "web-[1:3] ansible_host=… key='a b'   # comment".
func (t *tree) hostLine(section, text string) error {
	words, err := shellWords(text)
	if err != nil || len(words) == 0 {
		return err
	}
	vars := map[string]string{}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%q after a host is no name=value", w)
		}
		vars[key] = value
	}
	names, err := expand(words[0])
	if err != nil {
		return err
	}
	for _, n := range names {
		own := vars
		if host, port, ok := hostPort(n); ok { // web-1:2222
			n, own = host, map[string]string{"ansible_port": port}
			for k, v := range vars {
				own[k] = v
			}
		}
		t.host(section, n, own)
	}
	return nil
}

// hostPort splits name:port. An IPv6 address without brackets has no port.
func hostPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i == len(s)-1 || strings.Trim(s[i+1:], "0123456789") != "" {
		return s, "", false
	}
	host = s[:i]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1], s[i+1:], true
	}
	return host, s[i+1:], !strings.Contains(host, ":")
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// shellWords splits as a shell does: quotes, backslashes, and # begins a comment.
func shellWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, begun = c, true
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			begun = true
		case quote == 0 && (c == ' ' || c == '\t'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case quote == 0 && c == '#' && !begun:
			return words, nil
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
