// Package archtest holds the picture of the architecture: which package may import
// which. docs/architecture.md draws it.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vmdrift/vmdrift/"

// may says what of this module a package may import. A package that is not here may
// not exist: who adds one decides where it stands.
var may = map[string][]string{
	"inventory":           {},
	"baseline":            {"inventory"},
	"collector":           {"inventory"},
	"collector/guest":     {"collector", "inventory"},
	"collector/ssh":       {"collector", "inventory"},
	"collector/local":     {"collector", "inventory"},
	"collector/hosts":     {"collector", "inventory"},
	"collector/aws":       {"collector", "inventory"},
	"collector/vsphere":   {"collector", "inventory"},
	"drift":               {"inventory", "baseline", "collector", "internal/cron"},
	"web":                 {"inventory", "baseline", "collector", "drift"},
	"migrations":          {},
	"store":               {"drift", "collector", "baseline", "inventory", "migrations"},
	"internal/config":     {"internal/cron"},
	"internal/cron":       {},
	"internal/metrics":    {"baseline", "collector", "drift"},
	"internal/notify":     {"inventory", "baseline", "collector", "drift"},
	"internal/tracing":    {},
	"internal/worker":     {"inventory", "collector", "drift"},
	"internal/embeddedpg": {},
	"internal/simvm":      {"inventory", "collector", "collector/guest"},
	"internal/simcenter":  {},
	"internal/simfleet":   {"inventory", "baseline", "collector", "drift"},
	"internal/sshtest":    {},
	"internal/realguest":  {"internal/sshtest"},
	"internal/testdb":     {"internal/embeddedpg", "store", "migrations", "drift"},
	"cmd/vmdrift": {
		"inventory", "baseline", "collector", "collector/guest", "collector/ssh", "collector/local", "collector/hosts",
		"collector/aws", "collector/vsphere",
		"drift", "store", "web", "internal/config", "internal/metrics", "internal/notify", "internal/tracing", "internal/worker", "internal/embeddedpg", "internal/simcenter", "internal/simvm",
	},
}

// std is what a package may use besides the standard library, where that is a promise.
var standardLibraryOnly = []string{"inventory", "collector", "collector/guest", "collector/local", "drift"}

// tests may import anything: these hold nothing else.
var testsOnly = []string{"internal/archtest", "e2e", "bench", "deploy"}

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Standard"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var ps []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

func TestImportsRunOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.ContainsFunc(testsOnly, func(root string) bool { return name == root || strings.HasPrefix(name, root+"/") }) {
			continue
		}
		allowed, known := may[name]
		if !known {
			t.Errorf("%s has no place in the architecture: say in archtest what it may import", name)
			continue
		}
		seen[name] = true
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module); ok {
				if !slices.Contains(allowed, own) {
					t.Errorf("%s imports %s", name, own)
				}
			} else if slices.Contains(standardLibraryOnly, name) && strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("%s imports %s, and promises to use the standard library only", name, imp)
			}
		}
	}
	for name := range may {
		if !seen[name] {
			t.Errorf("%s is in the picture and not in the tree", name)
		}
	}
}

func TestTheDiffIsPure(t *testing.T) {
	for _, p := range list(t, "./baseline") {
		for _, imp := range p.Imports {
			if slices.Contains([]string{"os", "net", "net/http", "time", "context", "os/exec", "math/rand", "math/rand/v2"}, imp) {
				t.Errorf("baseline imports %s: the diff has no I/O, no clock and no context", imp)
			}
		}
	}
}
