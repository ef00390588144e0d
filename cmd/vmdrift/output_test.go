package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

func TestYAMLHoldsTextThatNoReaderTakesForSomethingElse(t *testing.T) {
	odd := []string{
		"no", "Yes", "on", "n", "null", "~", "", "1.10", "0755", "1e3", "22:30", "2026-11-23", "0x1f", ".inf", "-", "- a", "a: b",
		"<<", "=", "#a", "a #b", "[", "*a", "&a", "!a", "%a", "@a", "`a", `a\x1b[0m`, `"`, "'", " a ", "nginx", "deb/a:amd64", "3.0.19-1~deb12u2",
	}
	var out strings.Builder
	if err := writeYAML(&out, odd); err != nil {
		t.Fatal(err)
	}
	var back []string
	if err := yaml.Load([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if back[i] != odd[i] {
			t.Errorf("%q came back as %q", odd[i], back[i])
		}
		if quoted := strings.HasSuffix(line, `"`) || strings.HasSuffix(line, "'"); !quoted && i < 16 {
			t.Errorf("%s: a reader of YAML 1.1 takes it for something else", line)
		} else if quoted && (odd[i] == "nginx" || odd[i] == "deb/a:amd64") {
			t.Errorf("%s: the quotes are noise", line)
		}
	}
}

func TestOneLongKeyDoesNotWidenTheTableForAll(t *testing.T) {
	long := strings.Repeat("é", 40_000)
	if got := shownKey(long); utf8.RuneCountInString(got) != 200 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
	for _, key := range []string{"", "deb/openssl:amd64", strings.Repeat("é", 200)} {
		if got := shownKey(key); got != key {
			t.Errorf("%q became %q", key, got)
		}
	}
}
