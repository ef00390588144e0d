package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, text string) (File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vmdrift.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	return f, err
}

func TestAWholeFileIsReadAsItStands(t *testing.T) {
	f, err := read(t, `
vmdrift: config/v1
database: env:DB
ssh: {user: scanner, port: 2222, identity_files: [keys/id], accept_new: true}
scan: {concurrency: 7, timeout: 1m30s, sudo: never}
machines:
  - name: web-1
    labels: {role: web, build: 3.10, on: "yes"}
  - {name: here, address: local}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		Path: f.Path, Vmdrift: "config/v1", Database: "env:DB",
		SSH:  SSH{User: "scanner", Port: 2222, IdentityFiles: []string{"keys/id"}, AcceptNew: true},
		Scan: Scan{Concurrency: 7, Timeout: Duration(90 * time.Second), Sudo: "never"},
		Machines: []Machine{
			{Name: "web-1", Labels: map[string]string{"role": "web", "build": "3.10", "on": "yes"}},
			{Name: "here", Address: "local"},
		},
	}
	if d := cmp.Diff(want, f); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := f.Resolve("keys/id"); got != filepath.Join(filepath.Dir(f.Path), "keys/id") {
		t.Errorf("a relative path is relative to the file: %s", got)
	}
}

func TestMistakesAreToldWithTheirPlaceAllAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":                               {"", []string{"the file is empty; begin with: vmdrift: config/v1"}},
		"no version":                          {"machines: []\n", []string{":1:1: the file must say vmdrift: config/v1"}},
		"other version":                       {"\nvmdrift: config/v9\n", []string{`:2:10: the file must say vmdrift: config/v1, not "config/v9"`}},
		"mistyped key":                        {"vmdrift: config/v1\nmachnes: []\n", []string{`:2:1: there is no "machnes" here; did you mean "machines"?`}},
		"twice":                               {"vmdrift: config/v1\nscan: {}\nscan: {}\n", []string{":3:1:", "already defined"}},
		"no yaml":                             {"vmdrift: [\n", []string{":2:1:"}},
		"bad duration":                        {"vmdrift: config/v1\nscan: {timeout: soon}\n", []string{`"soon" is no duration; write 30s, 2m or 1h30m`}},
		"bad port":                            {"vmdrift: config/v1\nssh: {port: 70000}\n", []string{":2:13: 70000 is no port"}},
		"same name":                           {"vmdrift: config/v1\nmachines:\n  - name: a\n  - name: a\n", []string{":4:5: machine a is there twice; the first one is number 1"}},
		"no name":                             {"vmdrift: config/v1\nmachines:\n  - address: a\n", []string{":3:5: a machine has no name"}},
		"name with spaces":                    {"vmdrift: config/v1\nmachines:\n  - name: \"a b\"\n", []string{`"a b" is no name`}},
		"bad label":                           {"vmdrift: config/v1\nmachines:\n  - name: a\n    labels: {role: \"a b\"}\n", []string{"machine a: label role"}},
		"bad sudo":                            {"vmdrift: config/v1\nscan: {sudo: yes}\n", []string{`:2:14: sudo is auto or never, not "yes"`}},
		"address from nowhere":                {source("address: {from: dns}"), []string{`:3:5: source vc: address: from is platform, name or label, not "dns"`}},
		"address of two minds":                {source("address: {from: name, nic: 1}"), []string{"they do not go with from: name"}},
		"address without label":               {source("address: {from: label}"), []string{"needs the name of the label"}},
		"a rule for guests that says nothing": {source(`guests: [{where: "a=b"}]`), []string{"rule 1 says nothing"}},
		"a rule with a bad selector":          {source(`guests: [{where: "=", user: a}]`), []string{"guests: rule 1: where: "}},
		"a password in the file":              {strings.Replace(source("templates: true"), "env:X", "hunter2", 1), []string{"a password does not stand in this file"}},
		"two at once":                         {"vmdrift: config/v1\nfoo: 1\nscan: {concurency: 5}\n", []string{":2:1:", `:3:8: there is no "concurency" here; did you mean "concurrency"?`}},
	} {
		_, err := read(t, c.text)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in:\n%v", name, want, err)
			}
		}
	}
}

// source is a configuration with one source, which says one thing more.
func source(more string) string {
	return "vmdrift: config/v1\nsources:\n  - name: vc\n    type: vsphere\n    url: x\n    user: u\n    password: env:X\n    " + more + "\n"
}

func TestSecretsComeFromWhereTheyAreKept(t *testing.T) {
	f, err := read(t, "vmdrift: config/v1\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("VMDRIFT_TEST_DB", "postgres://a")
	if err := os.WriteFile(f.Resolve("db"), []byte("postgres://b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"env:VMDRIFT_TEST_DB": "postgres://a", "file:db": "postgres://b", "command:cat db": "postgres://b", "postgres://c": "postgres://c"} {
		if got, err := f.Secret(ref); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", ref, got, err, want)
		}
	}
	if _, err := f.Secret("env:VMDRIFT_TEST_NONE"); err == nil || !strings.Contains(err.Error(), "VMDRIFT_TEST_NONE") {
		t.Errorf("an unset variable: %v", err)
	}
	for _, command := range []string{"command:echo planted; exit 3", "command:true", "command:echo planted >&2; false"} {
		if _, err := f.Secret(command); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", command, err)
		}
	}
}
