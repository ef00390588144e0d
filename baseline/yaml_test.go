package baseline

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
	"pgregory.net/rapid"
)

func TestReadingWhatWasWrittenIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		specs := rapid.SliceOfNDistinct(genSpec(), 1, 3, func(s Spec) string { return s.Name }).Draw(t, "specs")
		var first, second bytes.Buffer
		if err := WriteYAML(&first, specs...); err != nil {
			t.Fatal(err)
		}
		read, err := ReadYAML("x.yaml", bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, first.String())
		}
		if len(read) != len(specs) {
			t.Fatalf("%d baselines written, %d read", len(specs), len(read))
		}
		for i := range specs {
			if read[i].Digest() != specs[i].Digest() {
				t.Fatalf("%+v was read as %+v from\n%s", specs[i], read[i], first.String())
			}
		}
		if err := WriteYAML(&second, read...); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Fatal(cmp.Diff(first.String(), second.String()))
		}
	})
}

const example = `vmdrift: baseline/v1
name: web
selector: role=web
defaults: v1
facets:
  ports:
    mode: closed
    rules:
      - {match: tcp/127.0.0.1:*, ignore: true}
    items:
      tcp/0.0.0.0:22: {dual_stack: "no", ephemeral: "no", process: sshd, user: root}
      tcp/[::]:22: {dual_stack: "no", ephemeral: "no", process: sshd, user: root}
  users:
    mode: open
    items: {}
`

func TestAnExportReadsAsAPersonWouldWriteIt(t *testing.T) {
	s := Spec{Name: "web", Selector: "role=web", Defaults: DefaultsV1, Facets: map[inventory.Facet]FacetSpec{
		inventory.Ports: {
			Mode: Closed,
			Items: state(t, inventory.Ports,
				"tcp/0.0.0.0:22 dual_stack=no ephemeral=no process=sshd user=root",
				"tcp/[::]:22 dual_stack=no ephemeral=no process=sshd user=root"),
			Rules: []Rule{{Match: "tcp/127.0.0.1:*", Ignore: ptr(true)}},
		},
		inventory.Users: {Mode: Open, Items: state(t, inventory.Users)},
	}}
	var out bytes.Buffer
	if err := WriteYAML(&out, s); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(example, out.String()); d != "" {
		t.Error(d)
	}
}

func TestPlainScalarsAreTheTextThatStandsThere(t *testing.T) {
	for _, text := range []string{
		"no", "yes", "~", "null", "1.10", "3.10", "0755", "0x1F", "1e3", "22:30", "22:30:00", "2026-11-23", ".5", "+1", ".inf", ".nan", "<<", "=", "True",
		`C:\\x`, "Debian GNU/Linux 12 (bookworm)", "a#b", "2.36-9", "3.0.11-1~deb12u2",
	} {
		in := "vmdrift: baseline/v1\nname: x\nfacets:\n  os:\n    mode: open\n    items:\n      kernel: {value: " + text + "}\n"
		specs, err := ReadYAML("x.yaml", strings.NewReader(in))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		it, _ := specs[0].Facets[inventory.OS].Items.Get("kernel")
		if got, _ := it.Field("value"); got != text {
			t.Errorf("%q was read as %q", text, got)
		}
	}
}

func TestTextsThatOtherReadersWouldMistakeAreQuoted(t *testing.T) {
	for _, text := range []string{"no", "ON", "y", "~", "null", "1.10", "0755", "1_000", "0b1", "0o7", "1e3", "22:30:00", "2026-11-23", "2026-11-23 10:00:00", "", "a: b", "a #b", " a", "a ", "a:", "a,b", "-", "- a", "?", "!a", "&a", "*a", "%a", "@a", "`a", "'", `"`, "<<", "=", "#a", "[a]", "{a}", "|", ">", "é"} {
		if got := quote(text); got == text {
			t.Errorf("%q is written without quotes", text)
		}
	}
	for _, text := range []string{"sshd", "root", "/usr/bin/zsh", "3.0.11-1~deb12u2", "2.36-9", "Debian GNU/Linux 12 (bookworm)", "1.2.3", "a:b", "not", "normal", "a#b", "5.14.0-362.el9"} {
		if got := quote(text); got != text {
			t.Errorf("%q is written as %s", text, got)
		}
	}
}

func TestAllErrorsOfAFileAreToldAtOnceAndWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"names and slips", `vmdrift: baseline/v1
name: Web!
selectr: role=web
selector: role in
facets:
  prts: {mode: closed}
  ports:
    mode: close
    rules:
      - {match: "tcp/*", ignore: maybe}
      - {field: process, at_least: 1, any: true}
      - {severity: hihg}
      - {field: proces, ignore: true}
      - {match: "tcp/*"}
      - {field: user, regexp: "a)|(b"}
    items:
      tcp/0.0.0.0:22: {dualstack: "no", process: "a\nb", user: &x root}
      tcp/0.0.0.0:22: {}
      tcp/0.0.0.0:23: {user: , process: [a]}
`, []string{
			`x.yaml:2:7: "Web!" is not a name: want 1 to 63 of a-z, 0-9, dot, underscore and hyphen, a letter or digit first`,
			`x.yaml:3:1: "selectr" is no key of a baseline: did you mean selector?`,
			`x.yaml:4:11: "role in" is not a label selector`,
			`x.yaml:6:3: "prts" is no facet: did you mean ports?`,
			`x.yaml:8:11: "close" is no mode: did you mean closed?`,
			`x.yaml:10:34: want true or false, found "maybe"`,
			`x.yaml:11:36: at_least: does not go with any`,
			`x.yaml:12:20: severity "hihg" is not one of info, low, medium, high, critical`,
			`x.yaml:13:17: field: "proces" is no field of ports: did you mean process?`,
			`x.yaml:14:9: the rule does nothing`,
			`x.yaml:15:31: regexp: unexpected )`,
			`x.yaml:17:24: "dualstack" is no field of ports: did you mean dual_stack?`,
			`x.yaml:17:50: "a\nb" is not canonical text: write 'a\nb'`,
			`x.yaml:17:64: anchors (&name) are not allowed`,
			`x.yaml:18:7: "tcp/0.0.0.0:22" is here twice, first in line 17`,
			`x.yaml:19:30: want a text, found nothing: an empty one is written ""`,
			`x.yaml:19:41: want a text, found a list`,
		}},
		{"what is missing", "vmdrift: baseline/v1\nfacets:\n  ports: {}\n", []string{
			"x.yaml:1:1: name is missing", "x.yaml:3:10: mode is missing",
		}},
		{"another form", "vmdrift: baseline/v2\nname: a\nfacets: {}\n", []string{`x.yaml:1:10: "baseline/v2" is not the form expected here: want "vmdrift: baseline/v1"`}},
		{"no form", "name: a\nfacets: {}\n", []string{`x.yaml:1:1: the first line is missing: want "vmdrift: baseline/v1"`}},
		{"nothing", "# only a comment\n", []string{`x.yaml: there is no baseline in it`}},
		{"not YAML", "vmdrift: baseline/v1\nname: [a\n", []string{"x.yaml:"}},
		{"a list", "- a\n", []string{"x.yaml:1:1: want a mapping (key: value) for a baseline, found a list"}},
		{"a tag", "vmdrift: baseline/v1\nname: !!binary YQ==\nfacets: {}\n", []string{"x.yaml:2:7: tags (!name) are not allowed"}},
		{"twice", "vmdrift: baseline/v1\nname: a\nfacets: {}\n---\nvmdrift: baseline/v1\nname: a\nfacets: {}\n", []string{"x.yaml:5:1: baseline a is in this file twice"}},
		{"an alias bomb", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n", []string{`"a" is no key of a baseline`}},
		{"too deep", strings.Repeat("[", 100_000), []string{"x.yaml"}},
		{"too large", strings.Repeat("# comment\n", MaxYAML/10+1), []string{"x.yaml: larger than 8 MiB"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadYAML("x.yaml", strings.NewReader(c.in))
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.Split(err.Error(), "\n")
			for i, want := range c.want {
				if i >= len(got) || !strings.Contains(got[i], want) {
					t.Fatalf("error %d is not %q in\n%s", i+1, want, err)
				}
			}
			if len(c.want) > 1 && len(got) != len(c.want) {
				t.Errorf("%d errors, want %d:\n%s", len(got), len(c.want), err)
			}
		})
	}
}

func TestAFileFullOfErrorsTellsAHundred(t *testing.T) {
	_, err := ReadYAML("x.yaml", strings.NewReader("vmdrift: baseline/v1\nname: a\nfacets: {}\n"+bogusKeys(250)))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 101 || lines[100] != "x.yaml: and 150 errors more" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func bogusKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("bogus" + strings.Repeat("x", i) + ": 1\n")
	}
	return b.String()
}

func FuzzReadYAML(f *testing.F) {
	f.Add(example)
	f.Add(string(defaultsV1))
	f.Add("vmdrift: baseline/v1\nname: a\nfacets: {os: {mode: open, items: {? kernel\n: {value: \"\\u202e\"}}}}\n--- \n...\n")
	f.Add("a: &a [*a]\n<<: *a\n")
	f.Fuzz(func(t *testing.T, in string) {
		specs, err := ReadYAML("x", strings.NewReader(in))
		if _, rerr := ReadRulesYAML("x", strings.NewReader(in)); err == nil && rerr == nil {
			t.Fatal("it cannot be both")
		}
		if err != nil {
			return
		}
		// What was read compiles, and is written as what it is.
		var out bytes.Buffer
		if err := WriteYAML(&out, specs...); err != nil {
			t.Fatal(err)
		}
		again, err := ReadYAML("x", &out)
		if err != nil || len(again) != len(specs) {
			t.Fatalf("%d of %d, %v", len(again), len(specs), err)
		}
		for i := range specs {
			if specs[i].Digest() != again[i].Digest() {
				t.Fatalf("%+v became %+v", specs[i], again[i])
			}
		}
	})
}

// YAML takes a key of more than 1,024 characters only if it is marked as one.
func TestLongKeysAndValuesAreReadBack(t *testing.T) {
	for _, c := range []string{"a", ":", "'", `\\`, "é"} {
		long := strings.Repeat(c, 20_000)
		it, err := inventory.NewItem(long, inventory.Field{Name: "value", Value: long})
		if err != nil {
			t.Fatal(err)
		}
		st, err := inventory.NewState(inventory.OS, it)
		if err != nil {
			t.Fatal(err)
		}
		s := Spec{Name: "x", Defaults: NoDefaults, Facets: map[inventory.Facet]FacetSpec{inventory.OS: {Mode: Open, Items: st}}}
		var out bytes.Buffer
		if err := WriteYAML(&out, s); err != nil {
			t.Fatal(err)
		}
		read, err := ReadYAML("x", &out)
		if err != nil {
			t.Errorf("%s: %.300v", c, err)
		} else if read[0].Digest() != s.Digest() {
			t.Errorf("%s: was read as something else", c)
		}
	}
}
