package hosts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/collector"
)

// brief is a listed machine as "name address groups".
func brief(t *testing.T, s *Source) []string {
	t.Helper()
	l, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range l.Machines {
		line := m.Machine.Name + " " + m.Machine.Address
		for _, g := range []string{"db", "prod", "six", "web"} {
			if m.Machine.Labels["group/"+g] == "true" {
				line += " " + g
			}
		}
		if m.Kind != collector.Host || m.Machine.ID.Source != s.Name() || m.Machine.ID.NativeID != m.Machine.Name {
			t.Errorf("%+v", m)
		}
		for _, v := range m.Machine.Labels {
			if v != "true" {
				t.Errorf("a variable became a label: %v", m.Machine.Labels)
			}
		}
		out = append(out, line)
	}
	for _, p := range l.Problems {
		out = append(out, "! "+p.Part+": "+p.Err.Error())
	}
	return out
}

// The same inventory in the three forms: the INI written by hand, the others by ansible-inventory of it.
func TestTheThreeFormsOfAnInventoryListTheSame(t *testing.T) {
	want := []string{
		"2001:db8::7 [2001:db8::7]:2200 six",
		"bastion 192.0.2.1:2222",
		"db-a root@db-a:22 db prod",
		"db-b root@db-b:22 db prod",
		"v6 [2001:db8::1]:22 six",
		"web-01.example.com deploy@web-01.example.com:22 prod web",
		"web-02.example.com deploy@web-02.example.com:22 prod web",
		"web-03.example.com deploy@web-03.example.com:22 prod web",
		"web-x www@web-x:2022 prod web",
	}
	for _, file := range []string{"hosts.ini", "hosts.yaml", "list.json"} {
		if d := cmp.Diff(want, brief(t, Ansible("lab", filepath.Join("testdata", file)))); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
	}
	if d := cmp.Diff(want, brief(t, Ansible("lab", "testdata"))); d != "" {
		t.Errorf("the folder of all three (-want +got):\n%s", d)
	}
}

func inventoryFile(t *testing.T, name, text string) *Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Ansible("lab", path)
}

func TestWhatCannotBeKnownOfAHostIsAProblemOfThatHostAlone(t *testing.T) {
	got := brief(t, inventoryFile(t, "hosts", "good\nbad ansible_host='{{ lookup(\"dns\") }}'\nworse ansible_host='-oProxyCommand=x'\nhere ansible_connection=local\n"))
	if len(got) != 4 || got[0] != "good good" || got[1] != "here local" ||
		!strings.Contains(got[2], "! bad: ") || !strings.Contains(got[2], "template") || !strings.Contains(got[3], "! worse: ") {
		t.Errorf("%q", got)
	}
}

func TestWrongInventoriesAreToldWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"section":    {"h", "a\n[web\n", ":2: a section is written"},
		"kind":       {"h", "[web:sons]\n", ":1: [web:sons] is no section"},
		"variable":   {"h", "[web:vars]\nx\n", ":2: a variable is written name=value"},
		"word":       {"h", "web-1 nonsense\n", ":1: \"nonsense\" after a host"},
		"range":      {"h", "web-[5:1]\n", ":1: \"web-[5:1]\": [5:1] is no range"},
		"open range": {"h", "web-[1:5\n", "not closed"},
		"huge range": {"h", "web-[1:999999999]\n", "more than 100000 hosts"},
		"quote":      {"h", "web-1 a='b\n", "not closed"},
		"yaml":       {"h.yml", "all:\n  hosts:\n   - a\n", ":3:4: a mapping is expected"},
		"yaml key":   {"h.yml", "all:\n  host:\n    a:\n", "no \"host\""},
		"json":       {"h.json", "{\"all\": 5}", "group all"},
		"script":     {"h", "#!/bin/sh\n", "does not run inventories"},
	} {
		_, err := inventoryFile(t, c.file, c.text).List(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Ansible("lab", "testdata/none").List(t.Context()); err == nil {
		t.Error("a file that is not there")
	}
}

func TestAGroupThatHoldsItselfEnds(t *testing.T) {
	got := brief(t, inventoryFile(t, "h", "[web:children]\ndb\n[db:children]\nweb\n[db]\nx\n"))
	if len(got) != 1 || got[0] != "x x db web" {
		t.Errorf("%q", got)
	}
}

func TestAliasesOfAnSSHConfigAreThoseWithoutWildcards(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config":   "Include more.*\nHost web-1 \"web-2\" *.example.com !bad\n  User x\nhost=eq\nMatch host y\nHostName z\n",
		"more.one": "Host inner\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := brief(t, SSHConfig("ssh", filepath.Join(dir, "config")))
	if d := cmp.Diff([]string{"eq eq", "inner inner", "web-1 web-1", "web-2 web-2"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzInventory(f *testing.F) {
	for _, file := range []string{"hosts.ini", "hosts.yaml", "list.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		tr := newTree()
		if tr.parse(name, data) != nil {
			return
		}
		groups := tr.groupsOf()
		for _, h := range tr.hostNames() {
			if len(groups[h]) == 0 {
				t.Errorf("%q is in no group, not even all", h)
			}
			if a, err := addressOf(h, tr.varsOf(h, groups[h])); err == nil && strings.ContainsAny(a, "\n\x1b ") {
				t.Errorf("address %q", a)
			}
		}
	})
}
