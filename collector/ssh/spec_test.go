package ssh

import (
	"strings"
	"testing"
)

func TestTargetsThatAreNone(t *testing.T) {
	for _, s := range []string{
		"", "@", "user@", "@host", "host:", "host:0", "host:65536", "host:+1", "host:22x", "[::1", "[::1]22", "-oProxyCommand=x",
		"a b", "a\nb", "a;b", "$(x)", "u`x`@host", "host,other", "-u@host", "[a:b", "\x00",
	} {
		if spec, err := ParseSpec(s); err == nil {
			t.Errorf("%q was read as %+v", s, spec)
		} else if !strings.Contains(err.Error(), "[user@]host[:port]") {
			t.Errorf("%q: %v does not say how to write it", s, err)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"host", "u@host:22", "[::1]:22", "::1", "a@b@c", "ssh://h", "[h]", "fe80::1%eth0", "ssh://ssh://x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseSpec(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(spec.Host, " \t\n'\"`$;&|<>()/") || strings.HasPrefix(spec.Host, "-") {
			t.Errorf("%q gives the host %q", s, spec.Host)
		}
		again, err := ParseSpec(spec.String())
		if err != nil || again != spec {
			t.Errorf("%q is %+v, written %q, read again %+v, %v", s, spec, spec.String(), again, err)
		}
	})
}

func FuzzParseDirective(f *testing.F) {
	for _, s := range []string{"Host a b", "User=x", `IdentityFile "a b" # c`, `x 'a\' b`, "ProxyCommand nc %h %p", "=", "a=\"", `a \\ \"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDirective(s)
		if err == nil && (d.key == "match" && checkMatch(d) == nil || d.key == "host") {
			block{when: []directive{d}}.matches(&subject{alias: "x", host: "x", user: "u", localUser: "l"})
		}
	})
}
