package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// What a machine may answer, in every field that it has: markup, script, formulas, control characters, text
// that runs the other way, and length.
const (
	markup  = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	formula = `=HYPERLINK("http://evil","x")`
)

const (
	hidden = "a\u202egpj.exe\u200b\x1b[2Jb"
	bidi   = "\u202e\u200b\x1b\x00\u2066\u2069\ufeff"
)

// hostile is a fleet whose every text is an attack.
func hostile(t testing.TB) *fleet {
	f := newFleet(t)
	esc := inventory.Escape
	line := func(key string, fields ...string) string {
		var parts []string
		for i := 0; i < len(fields); i += 2 {
			parts = append(parts, fields[i]+"="+fields[i+1])
		}
		slices.Sort(parts)
		return strings.Join(append([]string{key}, parts...), "\t")
	}
	m := guest("placeholder", "web", "prod")
	m.name = markup + hidden
	m.labels = map[string]string{"role": markup, "env": hidden, "kind": "vm", formula: "x", "a/b": formula}
	f.night(m)
	spec, _ := baseline.Capture(f.result(m).Snapshot, "web", "")
	g := spec.Facets[inventory.Users]
	g.Rules = []baseline.Rule{{Match: "*<script>*", Field: "shell", Regexp: `<b>.*`}, {Match: esc(formula) + "*", Severity: ptr(baseline.High)}}
	spec.Facets[inventory.Users] = g
	_, err := f.svc.Apply(t.Context(), markup+hidden, markup+hidden, spec)
	f.must(err)
	f.night(m)
	huge := strings.Repeat("<b>long</b>", 5000)
	m = m.with(inventory.Users,
		line(esc(markup+hidden), "shell", esc(markup+hidden), "uid", "0", "groups", esc(formula)),
		line(esc(formula), "shell", esc(formula)), line("@SUM(A1)", "home", "+1"), line("-2+3", "home", "\\t=1"),
		line("z"+huge, "shell", huge, "home", huge),
	).with(inventory.Packages, line("deb/"+esc(markup+hidden)+":amd64", "version", esc(hidden+markup)))
	for i := range 30 { // many huge ones: the page stays a page
		m = m.with(inventory.Groups, line("g"+strings.Repeat("x", i)+huge, "gid", huge))
	}
	m = m.read(inventory.Observation{Facet: inventory.Ports, Status: inventory.Denied, Reason: esc(markup + hidden)})
	f.now = f.now.AddDate(0, 0, 1)
	run, err := f.svc.StartRun(t.Context(), markup+hidden, 2)
	f.must(err)
	broken := m
	broken.name, broken.outcome, broken.why = formula, collector.Broken, markup+hidden+huge
	_, err = f.svc.Record(t.Context(), run, []collector.Result{f.result(m), f.result(broken)}, "web")
	f.must(err)
	f.must(f.svc.FinishRun(t.Context(), run.ID, drift.RunFinished))
	f.ack(esc(formula), drift.Acknowledgement{By: markup + hidden, Note: markup + hidden})
	f.now = f.now.Add(1)
	return f
}

func ptr[T any](v T) *T { return &v }

func TestHostileTextIsTextEverywhere(t *testing.T) {
	t.Parallel()
	f := hostile(t)
	name := url.PathEscape(markup + hidden)
	paths := []string{
		"/", "/?by=role", "/?by=env", "/?by=" + url.QueryEscape(formula), "/drift?state=all", "/drift?q=" + url.QueryEscape(markup), "/drift?label=" + url.QueryEscape("role=x"),
		"/drift.csv", "/drift.json", "/machines?gone=1", "/machines?q=" + url.QueryEscape(hidden), "/machines/" + name, "/machines/" + name + "/history", "/machines/" + name + "/snapshot.json",
		"/machines/" + url.PathEscape(formula), "/machines/" + name + "?facet=users", "/machines/" + name + "?facet=groups", "/machines/" + name + "?facet=users&q=" + url.QueryEscape(markup),
		"/baselines", "/baselines/web?facet=users", "/runs", f.lastRun(), "/search?q=" + url.QueryEscape(markup+hidden), "/search?q=script", "/search?q=" + url.QueryEscape("users uid=0"),
		"/search?q=" + url.QueryEscape(`ports "`+markup+hidden+`"=1`), "/search?q=" + url.QueryEscape("ports port=1"),
		"/drift/" + url.PathEscape(markup+hidden), "/machines/" + url.PathEscape("x"+markup+hidden), "/baselines/" + url.PathEscape(markup+hidden), "/machines/" + name + "?at=" + url.QueryEscape(markup+hidden),
		"/drift?severity=" + url.QueryEscape(markup+hidden), "/drift?baseline=" + url.QueryEscape(markup+hidden), "/machines?outcome=" + url.QueryEscape(markup+hidden), "/baselines/web?revision=" + url.QueryEscape(markup+hidden),
		"/drift?label=" + url.QueryEscape(markup+hidden), "/search?q=x&at=" + url.QueryEscape(markup+hidden), "/" + url.PathEscape(markup+hidden),
	}
	found, err := f.svc.Findings(t.Context(), drift.FindingQuery{})
	f.must(err)
	ids := map[drift.ChangeID]bool{}
	for _, x := range found {
		if !ids[x.ChangeID] && (len(ids) < 12 || x.Change.Facet != inventory.Groups) {
			ids[x.ChangeID] = true
			paths = append(paths, "/drift/"+x.Change.Digest().String()[:10])
		}
	}
	for _, path := range paths {
		w := f.get(path)
		body := w.Body.String()
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("GET %.100s: %d\n%s", path, w.Code, f.log.String())
		}
		isHTML := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
		for _, bad := range []string{"<script>alert", "<img src=x", "<b>long", `"><`} {
			if isHTML && strings.Contains(strings.ReplaceAll(body, `id="main" tabindex="-1"><`, ""), bad) && bad != `"><` || isHTML && strings.Contains(body, `"><script>alert`) {
				t.Errorf("GET %.100s has %s", path, bad)
			}
		}
		if i := strings.IndexAny(body, bidi); i >= 0 {
			t.Errorf("GET %.100s lets %q through: …%q", path, body[i:i+3], body[max(0, i-60):i+10])
		}
		if isHTML && len(body) > 200_000 {
			t.Errorf("GET %.100s has %d bytes", path, len(body))
		}
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("GET %.100s: a template lets through what it may not", path)
		}
	}
	// It is there, as text.
	for _, path := range []string{"/drift?facet=users", "/drift?facet=packages", "/machines", "/machines/" + name, "/baselines/web"} {
		if !strings.Contains(f.page(path), "&lt;script&gt;alert(1)&lt;/script&gt;") {
			t.Errorf("GET %.60s does not show what is there", path)
		}
		if !strings.Contains(f.page(path), `\u{202e}`) {
			t.Errorf("GET %.60s does not show what is hidden there", path)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	f := hostile(t)
	rows, err := csv.NewReader(f.get("/drift.csv?state=all").Body).ReadAll()
	f.must(err)
	formulas := 0
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r ") {
				t.Errorf("a cell is %.60q", cell)
			}
			if strings.HasPrefix(cell, "'") {
				formulas++
			}
		}
	}
	if formulas < 3 {
		t.Errorf("only %d cells were guarded; the test plants more", formulas)
	}
	var out []struct {
		Key      string
		Machines []struct{ Machine string }
	}
	f.must(json.Unmarshal(f.get("/drift.json").Body.Bytes(), &out))
	has := false
	for _, d := range out {
		has = has || d.Key == inventory.Escape(formula)
	}
	if len(out) < 30 || !has {
		t.Errorf("JSON has %d drifts, and the formula as it is: %v", len(out), has)
	}
}

// A long value is cut, and the rest is at hand.
func TestALongValueOpens(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := guest("web-1", "web", "prod")
	f.night(m)
	f.capture("web", "role=web", m)
	f.night(m.with(inventory.Users, "eve\tshell=/bin/"+strings.Repeat("x", 5000)+"end"))
	body := f.page("/drift/" + f.id("eve"))
	if !strings.Contains(body, `<details class="long">`) || !strings.Contains(body, "more characters, which the JSON has") {
		t.Error("the rest is not at hand")
	}
	if !strings.Contains(f.get("/drift.json").Body.String(), "xxxend") {
		t.Error("the JSON does not have it all")
	}
}
