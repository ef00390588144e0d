package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
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

// A list of drift that is empty because nobody looked must not read like one of a fleet in order.
func TestBlindSpotsAreSaidOfEveryMachineThatIsListed(t *testing.T) {
	record := func(source string, o collector.Outcome, seen bool, facets ...drift.FacetRecord) drift.MachineRecord {
		m := drift.MachineRecord{Outcome: o, Compared: 1, Facets: facets}
		m.Machine.ID.Source = source
		if seen {
			m.LastObserved = time.Now()
		}
		return m
	}
	for _, c := range []struct {
		m    drift.MachineRecord
		want string
	}{
		{record("config", collector.OK, true), ""},
		{record("config", collector.HostKeyChanged, false), "1 machine was not seen when last tried: vmdrift machines list\n"},
		{record("config", collector.Unreachable, true), "1 machine was not seen when last tried: vmdrift machines list\n"},
		{record(targetSource, collector.Unreachable, false), ""},
		{record("config", collector.Partly, true, drift.FacetRecord{Status: inventory.Partial}), "1 machine was read only in part: vmdrift machines show NAME\n"},
		{record("config", collector.OK, true, drift.FacetRecord{Status: inventory.Unsupported}), ""},
	} {
		var out strings.Builder
		(&app{}).writeBlindSpots(&out, []drift.MachineRecord{c.m})
		if out.String() != c.want {
			t.Errorf("%s of %s says %q, not %q", c.m.Outcome, c.m.Machine.ID.Source, out.String(), c.want)
		}
	}
}
