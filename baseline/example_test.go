package baseline_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

func ExampleGolden_Diff() {
	specs, err := baseline.ReadYAML("web.yaml", strings.NewReader(`
vmdrift: baseline/v1
name: web
facets:
  ports:
    mode: closed
    items:
      tcp/0.0.0.0:22: {process: sshd, user: root}
`))
	if err != nil {
		panic(err)
	}
	golden, err := specs[0].Compile()
	if err != nil {
		panic(err)
	}
	b := inventory.NewBuilder(inventory.Ports)
	b.Key("tcp/0.0.0.0:22") // as seen without root: whose it is is unknown
	b.Key("tcp/0.0.0.0:2375")
	b.Field("process", "dockerd")
	ports, err := b.State()
	if err != nil {
		panic(err)
	}
	for _, c := range golden.Diff(inventory.Observe(ports)) {
		fmt.Println(c.Severity, c)
	}
	// Output: high ports tcp/0.0.0.0:2375 added (process: dockerd)
}

// The files in the docs are read by operators, so they must be right.
func TestTheBaselinesInTheDocsAreRight(t *testing.T) {
	text, err := os.ReadFile("../docs/baselines.md")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		files++
		if _, err := baseline.ReadYAML("docs/baselines.md", strings.NewReader(block)); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
	if files == 0 {
		t.Error("there are none")
	}
}
