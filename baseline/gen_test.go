package baseline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

// Generators of what the properties are about. Keys and values come from small
// pools, so that two states have much in common; some texts are the awkward ones.

var keyPools = map[inventory.Facet][]string{
	inventory.Ports: {
		"tcp/0.0.0.0:22", "tcp/[::]:22", "tcp/127.0.0.1:5432", "udp/0.0.0.0:40123", "udp/0.0.0.0:51820",
		"udp/127.0.0.53%lo:53", "tcp/[::1]:631", "tcp/*:80",
	},
	inventory.Users:    {"root", "alice", "bob", "daemon", "a b", "-x", "no", "#hash", `evil\x1b[0m`, "a'b", `a"b`, "~"},
	inventory.Packages: {"deb/openssl:amd64", "deb/ufw:all", "rpm/kernel-core.x86_64", "apk/musl", "pacman/linux"},
	inventory.Services: {"ssh.service", "auditd.service", "getty@tty1.service", "dbus-org.freedesktop.resolve1.service"},
	inventory.Groups:   {"sudo", "root", "users", "docker"},
	inventory.OS:       {"distribution", "kernel", "machine_id", "hostname", "virtualization", "point_release"},
}

var valuePools = map[string][]string{
	"ephemeral": {"yes", "no"},
	"password":  {"none", "locked", "set", "expired"},
	"groups":    {"sudo", "users", "sudo,users", "docker,users", ""},
	"uid":       {"0", "1000", "1001"},
	"active":    {"active", "inactive", "failed", "activating"},
	"sub":       {"running", "dead", "auto-restart", "start"},
	"version":   {"1.0-1", "1.0-2", "3.10", "2", "1.0-1,1.0-2", "", "0755"},
	"shell":     {"/bin/sh", "/usr/sbin/nologin", "/bin/bash"},
}

var awkward = []string{"", "no", "~", "1.10", "0755", "null", "a: b", "a #b", "# c", "{x}", "[y]", "x,y", "'", `"`, `\\`, `\n`, "é", "&a", "*a", "!t", "- a", "%x", "@", "`", "22:30:00", "2026-11-23", "<<", "=", " lead", "trail ", "a:", "x", "y"}

func genFacet() *rapid.Generator[inventory.Facet] {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(keyPools)))
}

func genValue(field string) *rapid.Generator[string] {
	pool := append(slices.Clone(valuePools[field]), valuePools[field]...)
	return rapid.OneOf(
		rapid.SampledFrom(append(pool, "a", "b")),
		rapid.SampledFrom(append(pool, awkward...)),
		rapid.Map(rapid.String(), inventory.Escape),
	)
}

func genItem(f inventory.Facet) *rapid.Generator[inventory.Item] {
	return rapid.Custom(func(t *rapid.T) inventory.Item {
		key := rapid.OneOf(rapid.SampledFrom(keyPools[f]), rapid.SampledFrom(keyPools[f]),
			rapid.Map(rapid.StringN(1, 20, -1), inventory.Escape)).Draw(t, "key")
		var fields []inventory.Field
		for _, name := range f.Fields() {
			if rapid.IntRange(0, 4).Draw(t, name+"?") > 0 {
				fields = append(fields, inventory.Field{Name: name, Value: genValue(name).Draw(t, name)})
			}
		}
		it, err := inventory.NewItem(key, fields...)
		if err != nil {
			t.Fatal(err)
		}
		return it
	})
}

func genState(f inventory.Facet) *rapid.Generator[*inventory.State] {
	return rapid.Custom(func(t *rapid.T) *inventory.State {
		s, err := inventory.NewState(f, rapid.SliceOfNDistinct(genItem(f), 0, 8, inventory.Item.Key).Draw(t, "items")...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func genGlob(pool []string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom(pool).Draw(t, "text")
		if strings.Contains(s, `\`) { // an escape is not to be cut in two
			return s
		}
		switch rapid.IntRange(0, 4).Draw(t, "glob") {
		case 0:
			return "*"
		case 1:
			return escapeGlob(s)
		case 2:
			return s[:rapid.IntRange(0, len(s)).Draw(t, "cut")] + "*"
		case 3:
			return "*" + s[rapid.IntRange(0, len(s)).Draw(t, "cut"):]
		}
		return strings.Map(func(r rune) rune {
			if rapid.IntRange(0, 3).Draw(t, "?") == 0 {
				return '?'
			}
			return r
		}, s)
	})
}

func genRule(f inventory.Facet) *rapid.Generator[Rule] {
	return rapid.Custom(func(t *rapid.T) Rule {
		var r Rule
		maybe := func(what string) bool { return rapid.IntRange(0, 2).Draw(t, what+"?") == 0 }
		conditions := func() map[string]string {
			field := rapid.SampledFrom(f.Fields()).Draw(t, "condition")
			not := rapid.SampledFrom([]string{"", "", "!"}).Draw(t, "not")
			return map[string]string{field: not + genGlob(append([]string{"a", ""}, valuePools[field]...)).Draw(t, "glob")}
		}
		if maybe("match") {
			r.Match = genGlob(keyPools[f]).Draw(t, "match")
		}
		if maybe("where") {
			r.Where = conditions()
		}
		if maybe("field") {
			r.Field = rapid.SampledFrom(f.Fields()).Draw(t, "field")
		}
		if maybe("ops") {
			r.Ops = rapid.SliceOfNDistinct(rapid.SampledFrom([]Op{Added, Removed, Changed}), 1, 3, rapid.ID).Draw(t, "ops")
		}
		if maybe("ignore") {
			ignore := rapid.Bool().Draw(t, "ignore")
			r.Ignore = &ignore
		}
		if maybe("severity") || r.Ignore == nil {
			s := rapid.SampledFrom(Severities()).Draw(t, "severity")
			r.Severity = &s
		}
		if r.Ignore == nil && maybe("was") {
			r.Was = conditions()
			if r.Field != "" && maybe("gained") {
				r.Gained = genGlob(append([]string{"a"}, valuePools[r.Field]...)).Filter(func(s string) bool { return s != "" }).Draw(t, "gained")
			}
		} else if r.Field != "" && maybe("matcher") {
			r.Ops = nil
			switch rapid.IntRange(0, 4).Draw(t, "matcher") {
			case 0:
				r.Any = true
			case 1:
				r.OneOf = rapid.SliceOfN(genValue(r.Field), 1, 3).Draw(t, "one_of")
			case 2:
				r.Regexp = rapid.SampledFrom([]string{"a|b", `\d+\.\d+.*`, "yes", ".*", "/bin/.*"}).Draw(t, "regexp")
			case 3:
				r.AtLeast = rapid.SampledFrom([]string{"1.0-2", "3.9", "0"}).Draw(t, "at_least")
			default:
				r.Below = rapid.SampledFrom([]string{"1.0-2", "3.9", "0"}).Draw(t, "below")
			}
		}
		if faults := r.check(f); len(faults) > 0 {
			t.Fatalf("%+v: %v", r, faults)
		}
		return r
	})
}

func genRules(f inventory.Facet) *rapid.Generator[[]Rule] { return rapid.SliceOfN(genRule(f), 0, 5) }

func genSpec() *rapid.Generator[Spec] {
	return rapid.Custom(func(t *rapid.T) Spec {
		s := Spec{
			Name:     rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,9}`).Draw(t, "name"),
			Selector: rapid.SampledFrom([]string{"", "role=web", "env in (prod,stage),!legacy", "a!=b"}).Draw(t, "selector"),
			Defaults: rapid.SampledFrom([]string{DefaultsV1, NoDefaults}).Draw(t, "defaults"),
			Facets:   map[inventory.Facet]FacetSpec{},
		}
		for _, f := range rapid.SliceOfNDistinct(genFacet(), 0, 3, rapid.ID).Draw(t, "facets") {
			s.Facets[f] = FacetSpec{
				Mode:  rapid.SampledFrom([]Mode{Closed, Open}).Draw(t, "mode"),
				Items: genState(f).Draw(t, "items"),
				Rules: genRules(f).Draw(t, "rules"),
			}
		}
		return s
	})
}

// state makes a state from canonical lines with spaces in place of tabs.
func state(tb testing.TB, f inventory.Facet, lines ...string) *inventory.State {
	tb.Helper()
	items := make([]inventory.Item, 0, len(lines))
	for _, line := range lines {
		it, err := inventory.ParseLine(strings.ReplaceAll(line, " ", "\t"))
		if err != nil {
			tb.Fatal(err)
		}
		items = append(items, it)
	}
	s, err := inventory.NewState(f, items...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// lines returns the changes as a test reads them: severity, then the change.
func lines(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s: %s", c.Severity, c))
	}
	return out
}

func mustRules(tb testing.TB, f inventory.Facet, mode Mode, rules ...Rule) *FacetRules {
	tb.Helper()
	r, err := CompileRules(f, mode, rules)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func ptr[T any](v T) *T { return &v }
