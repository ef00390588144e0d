// Package deploy holds what it takes to run vmdrift in earnest. The tests see that the files are whole, and
// fit the program.
package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/vmdrift/vmdrift/internal/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names are the metrics that the program has.
func names(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`desc\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "../internal/metrics/metrics.go"), -1) {
		out["vmdrift_"+m[1]] = true
	}
	for _, m := range regexp.MustCompile(`Name: "(vmdrift_[a-z_]+)"`).FindAllStringSubmatch(read(t, "../internal/metrics/metrics.go"), -1) {
		out[m[1]], out[m[1]+"_bucket"] = true, true
	}
	if len(out) < 20 {
		t.Fatalf("only %d metrics: the test no longer finds them", len(out))
	}
	return out
}

var metric = regexp.MustCompile(`\bvmdrift_[a-z_]+`)

func TestAlertsAndDashboardUseMetricsThatThereAre(t *testing.T) {
	have := names(t)
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yaml")), &rules); err != nil || len(rules.Groups) == 0 {
		t.Fatalf("%v, %d groups", err, len(rules.Groups))
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/vmdrift.json")), &dashboard); err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("%v, %d panels", err, len(dashboard.Panels))
	}
	used := map[string]bool{}
	look := func(where, expr string) {
		found := metric.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s uses no metric: %s", where, expr)
		}
		for _, m := range found {
			used[m] = true
			if !have[m] {
				t.Errorf("%s: there is no metric %s", where, m)
			}
		}
	}
	for _, r := range rules.Groups[0].Rules {
		look(r.Alert, r.Expr)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			look(p.Title, target.Expr)
		}
	}
	for m := range have {
		// A histogram is used by its buckets.
		if !used[m] && !used[m+"_bucket"] && !used[strings.TrimSuffix(m, "_bucket")] && !strings.HasSuffix(m, "_bucket") {
			switch m {
			case "vmdrift_schedule_last_run_end_timestamp_seconds", "vmdrift_schedule_last_run_machines", "vmdrift_open_findings", "vmdrift_worker_slots":
				// for dashboards of one's own
			default:
				t.Errorf("nothing shows %s", m)
			}
		}
	}
}

func TestFilesAreWhole(t *testing.T) {
	for _, f := range []string{"../docker-compose.yml", "kubernetes/vmdrift.yaml", "nfpm.yaml", "prometheus/alerts.yaml"} {
		for i, doc := range strings.Split(read(t, f), "\n---\n") {
			var v map[string]any
			if err := yaml.Unmarshal([]byte(doc), &v); err != nil || len(v) == 0 {
				t.Errorf("%s, document %d: %v", f, i, err)
			}
		}
	}
	if _, err := config.Read("vmdrift.yaml"); err != nil {
		t.Error(err)
	}
	var nfpm struct {
		Contents []struct{ Src string }
		Scripts  map[string]string
	}
	if err := yaml.Unmarshal([]byte(read(t, "nfpm.yaml")), &nfpm); err != nil {
		t.Fatal(err)
	}
	for _, c := range nfpm.Contents {
		if _, err := os.Stat(filepath.Join("..", c.Src)); err != nil && !strings.HasPrefix(c.Src, "bin/") {
			t.Error(err)
		}
	}
	for _, s := range nfpm.Scripts {
		if out, err := exec.Command("sh", "-n", filepath.Join("..", s)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", s, err, out)
		}
	}
}

func TestUnitsAreAsSystemdWantsThem(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("NOT COVERED HERE: the units, since systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, unit := range []string{"vmdrift.service", "vmdrift-work@.service"} {
		text := strings.ReplaceAll(read(t, filepath.Join("systemd", unit)), "/usr/bin/vmdrift", "/bin/true")
		path := filepath.Join(dir, unit)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(unit, "@") {
			path = filepath.Join(dir, "vmdrift-work@dmz.service")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), "vmdrift") {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}
