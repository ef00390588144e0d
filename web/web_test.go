package web_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func unescape(s string) string { return html.UnescapeString(s) }

// pages are all there are, of a fleet like story.
func pages(f *fleet) []string {
	return []string{
		"/", "/?by=env", "/drift", "/drift?state=all&sort=-opened", "/drift.csv", "/drift.json", "/drift/" + f.id("tcp/0.0.0.0:4444"), "/drift/" + f.id("deb/openssl:amd64"),
		"/machines", "/machines?gone=1&sort=drift", "/machines/web-3", "/machines/web-3?facet=packages&page=2", "/machines/web-2?at=2026-10-30",
		"/machines/web-3/history", "/machines/web-3/snapshot.json", "/machines/app-1", "/baselines", "/baselines/web", "/baselines/web?revision=1&facet=users", "/runs",
		"/search", "/search?q=web", "/search?q=ports+port%3D4444", "/search?q=packages",
	}
}

func TestEveryPageIsThereAndSafeToShow(t *testing.T) {
	t.Parallel()
	f := story(t)
	inline := regexp.MustCompile(`(?i)\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|<script>|<script [^s]`)
	for _, path := range pages(f) {
		w := f.get(path)
		if w.Code != http.StatusOK {
			t.Errorf("GET %s: %d\n%s", path, w.Code, f.log.String())
			continue
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) || strings.Contains(policy, "unsafe") {
				t.Errorf("GET %s: the policy is %q", path, policy)
			}
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("GET %s: headers %v", path, w.Header())
		}
		if n := w.Body.Len(); n > 200_000 {
			t.Errorf("GET %s has %d bytes", path, n)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		body := w.Body.String()
		if m := inline.FindString(body); m != "" {
			t.Errorf("GET %s has something inline: %q", path, m)
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("GET %s has %d h1", path, n)
		}
		for _, landmark := range []string{"<main id=\"main\"", "<header", "<nav", "<footer", "class=\"skip\"", "<html lang=\"en\">", "Anybody on this machine may read this."} {
			if !strings.Contains(body, landmark) {
				t.Errorf("GET %s has no %s", path, landmark)
			}
		}
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("GET %s: a template lets through what it may not", path)
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("GET %s has the id %s twice", path, m[1])
			}
			ids[m[1]] = true
		}
	}
}

// Every link on every page leads somewhere.
func TestNoLinkIsBroken(t *testing.T) {
	t.Parallel()
	f := story(t)
	h, seen := f.handler(), map[string]bool{}
	href := regexp.MustCompile(`(?:href|action|src)="([^"]*)"`)
	for queue := []string{"/"}; len(queue) > 0 && len(seen) < 1500; {
		path := queue[0]
		queue = queue[1:]
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
			continue
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range href.FindAllStringSubmatch(w.Body.String(), -1) {
			to, fragment, _ := strings.Cut(unescape(m[1]), "#")
			if fragment != "" && to == "" && !strings.Contains(w.Body.String(), `id="`+fragment+`"`) {
				t.Errorf("%s leads to its own #%s, which is not there", path, fragment)
			}
			if !strings.HasPrefix(to, "/") || seen[to] {
				continue
			}
			seen[to] = true
			queue = append(queue, to)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d pages were found", len(seen))
	}
}

func TestTheOverviewAnswersTheMorningsQuestions(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/",
		"finished 6 h ago", "5 of 8 machines seen", "7 min", "ok 4", "partial 1", "unreachable 1", "host key changed 1", "not tried 1",
		"The last run saw 5 of 8 machines, and did not come to 1.",
		"2 machines were not seen when last tried", "1 machine was read only in part", "1 machine is held against no baseline",
		"7 machines", "in sync 0", "drifted 4", "not seen 2", "no baseline 1", "2 critical and 1 high drift, 4 new in 24 hours; 5 of 8 machines seen",
		"critical toor", "What needs a person first", "New in the last 24 hours", "tcp/0.0.0.0:4444",
		"Open findings, 90 days", "Nothing is known of before 21 October",
		"machines with drift, by role", "1 of 3",
	)
	f.shows("/?by=env", "machines with drift, by env", "prod", "dev")
	f.shows("/?by=nonsense", "machines with drift, by role")
	text := textOf(f.page("/"))
	if i, j := strings.Index(text, "toor"), strings.Index(text, "tcp/0.0.0.0:4444"); i > j {
		t.Error("what is worst does not come first")
	}
	first, _, _ := strings.Cut(text[strings.Index(text, "What needs a person first"):], "Open drift by facet")
	if strings.Contains(first, "nmap") {
		t.Errorf("what somebody sees to needs nobody first: %s", first)
	}
}

// A finding counts on the days at whose end it was open: telnet was there for one night.
func TestTheTrendCountsEachFindingWhileItWasOpen(t *testing.T) {
	t.Parallel()
	f := story(t)
	body := f.page("/")
	for _, part := range []string{"today, at most 7; of these high or critical: 3 today", `<th scope="row">2026-11-08</th><td class="num">7</td><td class="num">3</td>`, `<th scope="row">2026-11-01</th><td class="num">1</td><td class="num">0</td>`} {
		if !strings.Contains(body, part) {
			t.Errorf("the trend does not say %s", part)
		}
	}
	if strings.Contains(body, `<th scope="row">2026-10-18</th>`) {
		t.Error("the trend counts nothing on a day of which nothing is known")
	}
}

func TestEachStateOfTheFleetHasItsOwnWords(t *testing.T) {
	t.Parallel()
	empty := newFleet(t)
	empty.shows("/", "Nothing was scanned yet", "vmdrift scan root@web-1", "!Last run")
	empty.shows("/drift", "No machine was scanned yet")
	empty.shows("/machines", "No machine yet")
	empty.shows("/baselines", "No baseline yet")
	empty.shows("/runs", "No run yet")

	f := newFleet(t)
	f.night(guest("web-1", "web", "prod"))
	f.capture("web", "role=web", guest("web-1", "web", "prod"))
	f.shows("/", "in sync 1", "!no longer tonight's", "No open drift is known", "Nothing new was found")
	f.shows("/drift", "No drift is known.", "!See above")
	f.shows("/machines/web-1", "In sync with web.")
	f.now = f.now.Add(40 * time.Hour)
	f.shows("/", "no longer tonight's", "was not looked at for more than 36 hours")
	f.run(drift.RunCancelled, 10, guest("web-1", "web", "prod"))
	f.shows("/", "was cancelled", "The last run saw 1 of 10 machines, and did not come to 9.")
	f.run(drift.RunInterrupted, 1, guest("web-1", "web", "prod"))
	f.shows("/", "was interrupted: its process died")
	f.run(drift.RunRunning, 5, guest("web-1", "web", "prod"))
	f.shows("/", "A run is going on", "1 of 5 machines seen", "!did not come to")
	f.shows("/runs", "running", "interrupted", "cancelled", "finished")
}

func TestDriftIsFilteredSortedAndPaged(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/drift", "6 drifts on 5 machines", "toor", "!telnet.socket", "acknowledged by ann")
	for _, c := range []struct{ query, has, not string }{
		{"severity=critical", "toor", "openssl"},
		{"severity=high-and-worse", "toor", "openssl"},
		{"severity=low", "openssl", "toor"},
		{"facet=packages", "nmap", "toor"},
		{"baseline=db", "toor", "openssl"},
		{"label=role%3Ddb", "toor", "openssl"},
		{"label=env%3Dprod,role!%3Ddb", "nmap", "toor"},
		{"state=open", "toor", "nmap"},
		{"state=acknowledged", "nmap", "toor"},
		{"state=resolved", "telnet.socket", "toor"},
		{"state=all", "telnet.socket", "zzz"},
		{"age=24h", "toor", "nmap"},
		{"age=over7d", "nmap", "toor"},
		{"q=TOOR", "toor", "openssl"},
		{"q=web-2", "nmap", "toor"},
		{"q=audit", "nmap", "toor"},
	} {
		f.shows("/drift?"+c.query, c.has, "!"+c.not, "Clear")
		body := f.get("/drift.csv?" + c.query).Body.String()
		if !strings.Contains(body, c.has) || strings.Contains(body, c.not) {
			t.Errorf("/drift.csv?%s:\n%s", c.query, body)
		}
	}
	f.shows("/drift?q=nothing+has+this", "No drift is known that matches")
	for query, order := range map[string][]string{
		"": {"toor", "openssl"}, "sort=-severity": {"openssl", "toor"}, "sort=machines": {"openssl", "toor"},
		"sort=opened": {"toor", "nmap"}, "sort=-opened": {"nmap", "toor"}, "sort=key": {"nmap", "toor"}, "sort=-key": {"toor", "nmap"},
	} {
		text := textOf(f.page("/drift?" + query))
		text = text[strings.Index(text, "drifts on"):]
		if strings.Index(text, order[0]) > strings.Index(text, order[1]) {
			t.Errorf("%s: %s comes after %s:\n%s", query, order[0], order[1], text)
		}
	}
	for _, wrong := range []string{"severity=terrible", "facet=nose", "state=maybe", "age=old", "sort=colour", "label=role+is+web"} {
		if w := f.get("/drift?" + wrong); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `href="/drift"`) {
			t.Errorf("%s: %d", wrong, w.Code)
		}
	}
}

func TestAListHasPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := guest("web-1", "web", "prod")
	f.night(m)
	f.capture("web", "role=web", m)
	var lines []string
	for i := range 130 {
		lines = append(lines, "u"+string(rune('a'+i/26))+string(rune('a'+i%26))+"\tuid="+string(rune('1'+i%9))+"000")
	}
	f.night(m.with(inventory.Users, lines...))
	f.shows("/drift", "130 drifts on 1 machine", "1 to 100 of 130", "uaa", "!uez")
	f.shows("/drift?page=2", "101 to 130 of 130", "uez", "!uaa")
	f.shows("/drift?page=99", "101 to 130 of 130")
	f.shows("/drift?page=nonsense", "1 to 100 of 130")
	if !strings.Contains(f.page("/drift?severity=medium-and-worse&facet=users"), `href="/drift?facet=users&amp;page=2&amp;severity=medium-and-worse"`) {
		t.Error("a page forgets the filter")
	}
	if rows, err := csv.NewReader(f.get("/drift.csv").Body).ReadAll(); err != nil || len(rows) != 131 {
		t.Errorf("CSV has %d rows, %v", len(rows), err)
	}
}

func TestADriftShowsBothSidesAndWhatToDo(t *testing.T) {
	t.Parallel()
	f := story(t)
	id := f.id("deb/openssl:amd64")
	f.shows("/drift/"+id,
		"low packages", "deb/openssl:amd64", "changed", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", "On 2 machines", "web-1", "web-3", "web@1",
		"vmdrift drift ack "+id+` --note "what is done about it"`, "--machine NAME", "vmdrift drift show "+id)
	if body := f.page("/drift/" + id); !strings.Contains(body, "<mark>5</mark>-1~deb12u<mark>1</mark>") && !strings.Contains(body, "<mark>5-1~deb12u1</mark>") {
		t.Error("the difference is not marked")
	}
	f.shows("/drift/"+f.id("deb/nmap:amd64"), "acknowledged by ann", "What befell it", "opened", "for the audit, until Friday", "--undo", "no such item", "7.93+dfsg1-1")
	f.shows("/drift/"+f.id("telnet.socket"), "resolved", "It is resolved everywhere", "!vmdrift drift ack")
	// web-3 could not say whose sockets it has, so nobody knows whether this one is there as it is on web-2.
	f.shows("/drift/"+f.id("tcp/0.0.0.0:4444"), "Not known of 1 machine", "web-3: process, user could not be read of all ports")
	full, err := f.svc.Findings(t.Context(), drift.FindingQuery{})
	f.must(err)
	f.page("/drift/" + full[0].Change.Digest().String())
}

func TestAMachineShowsWhatIsKnownAndWhatIsNot(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/machines/web-3", "drifted", "It could be read only in part",
		"all items were read, but not process, user of each: only root sees whose sockets they are",
		"the machine refused to tell: sudo wants a password; it is shown as it was seen 30 h ago",
		"id-web-3", "deb/openssl:amd64", "What changed on it")
	f.shows("/machines/app-1", "not seen", "It was not seen when last tried, 6 h ago: unreachable. What is shown is as it was seen 30 h ago.",
		"connection refused", "None was known when it was last seen. Since then nobody knows.", "!In sync with")
	f.shows("/machines/new-1", "It is held against no baseline, so nothing of it is drift.")
	if body := f.page("/machines/web-3?facet=ports"); !strings.Contains(body, `title="could not be read">not known<`) {
		t.Error("a field that could not be read is not marked as not known")
	}
	f.shows("/machines/web-2?facet=ports", "tcp/0.0.0.0:4444", "nc", "high")
	f.shows("/machines/web-2?facet=packages&q=openssl", "1 match", "deb/openssl:amd64", "!lib001")
	f.shows("/machines/web-2?facet=packages", "1 to 100 of 132", "!lib120")
	f.shows("/machines/web-2?facet=packages&page=2", "101 to 132 of 132", "lib120")
	f.shows("/machines/web-3/history", "telnet.socket", "added", "removed")
}

func TestAMachineCanBeSeenAsItWas(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/machines/web-3?at=2026-10-28&facet=services", "This is the machine as it was at 2026-10-28 23:59 UTC", "telnet.socket", "1 change at that time", "resolved 2026-10-29", "3 2026-10-28")
	f.shows("/machines/web-3?at=2026-10-30&facet=services", "!telnet.socket")
	var then struct {
		TakenAt      time.Time `json:"taken_at"`
		Observations map[string]struct {
			Items map[string]map[string]string `json:"items"`
		} `json:"observations"`
	}
	f.must(json.Unmarshal(f.get("/machines/web-3/snapshot.json?at=2026-10-28").Body.Bytes(), &then))
	if then.Observations["services"].Items["telnet.socket"]["sub"] != "listening" {
		t.Errorf("the snapshot then: %+v", then.Observations["services"])
	}
	if w := f.get("/machines/web-3?at=2020-01-01"); w.Code != http.StatusNotFound || !strings.Contains(textOf(w.Body.String()), "web-3 had not been seen at 2020-01-01 23:59 UTC; it became known on 2026-10-21") {
		t.Errorf("before it was known: %d %s", w.Code, textOf(w.Body.String()))
	}
	if w := f.get("/machines/web-3?at=yesterday"); w.Code != http.StatusBadRequest || !strings.Contains(textOf(w.Body.String()), "is no time; write 2026-11-01") {
		t.Errorf("no time: %d", w.Code)
	}
}

func TestMachinesAreFiltered(t *testing.T) {
	t.Parallel()
	f := story(t)
	for _, c := range []struct{ query, has, not string }{
		{"standing=drifted", "web-2", "app-1"},
		{"standing=not+seen", "app-1", "web-2"},
		{"standing=no+baseline", "new-1", "web-2"},
		{"outcome=unreachable", "app-1", "build-1"},
		{"gaps=1", "web-3", "web-2"},
		{"label=env%3Ddev", "new-1", "db-1"},
		{"q=DB", "db-1", "web-1"},
	} {
		f.shows("/machines?"+c.query, c.has, "!"+c.not)
	}
	text := textOf(f.page("/machines?sort=drift"))
	if strings.Index(text, "db-1") > strings.Index(text, "web-1") {
		t.Errorf("the worst does not come first: %s", text)
	}
	_, _, err := f.svc.Register(t.Context(), nil, []drift.SourceAnswer{{Source: "dc1", IDs: []string{"id-web-1", "id-db-1"}}})
	f.must(err)
	f.shows("/machines", "2 machines", "!app-1")
	f.shows("/machines?gone=1", "7 machines", "gone from dc1")
	f.shows("/machines/app-1", "It is gone from dc1")
}

func TestSearchFindsMachinesDriftAndItems(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/search?q=web-1", "web-1", "!web-2 ")
	f.shows("/search?q=openssl", "No machine is called so", "deb/openssl:amd64")
	f.shows("/search?q=zzz", "No machine is called so", "No open drift says so")
	f.shows("/search?q=ports+port%3D4444", "1 item on 1 machine", "web-2", "process nc")
	f.shows("/search?q="+url.QueryEscape("ports process=nc"), "1 item on 1 machine", "Not known of 1 machine", "web-3: process could not be read of all ports")
	f.shows("/search?q="+url.QueryEscape("packages name=openssl version<3.0.17"), "5 items on 5 machines", "!web-1", "Of every machine it is known.")
	f.shows("/search?q="+url.QueryEscape("services name=telnet.socket"), "No machine is known to have it.")
	f.shows("/search?at=2026-10-28&q="+url.QueryEscape("services name=telnet.socket"), "1 item on 1 machine at that time", "web-3")
	f.shows("/search?q=packages", "Say what about the packages")
	f.shows("/search?q="+url.QueryEscape("ports colour=red"), `ports have no "colour"`)
}

func TestBaselinesShowWhoAndWhy(t *testing.T) {
	t.Parallel()
	f := story(t)
	f.shows("/baselines", "web@1", "role=web", "3 machines", "by ann", "captured from web-1")
	f.shows("/baselines/web", "captured from web-1", "Not compared, so never drift: cloud", "what is not in it is drift", "vmdrift baseline export web@1")
	f.capture("web", "role=web", guest("web-1", "web", "prod").with(inventory.Ports, nc))
	f.shows("/baselines/web?facet=ports", "revision 2", "tcp/0.0.0.0:4444")
	f.shows("/baselines/web?facet=ports&revision=1", "This is revision 1. Machines are held against revision 2.", "!tcp/0.0.0.0:4444")
}

func TestWhatIsNotThereIsToldInASentence(t *testing.T) {
	t.Parallel()
	f := story(t)
	for path, sentence := range map[string]string{
		"/nowhere":                   "There is no such page.",
		"/drift/ffffffffff":          "There is no drift ffffffffff.",
		"/drift/a":                   "There is no drift a.",
		"/machines/no-such":          "There is no machine no-such.",
		"/machines/no-such/history":  "There is no machine no-such.",
		"/baselines/nil":             "There is no baseline nil.",
		"/baselines/web?revision=9":  "Baseline web has no revision 9; its latest is 1.",
		"/assets/secret":             "There is no such file.",
		"/machines/%E2%80%AEevil":    `There is no machine \u{202e}evil.`,
		"/machines/..%2F..%2Fpasswd": "There is no machine ../../passwd.",
	} {
		w := f.get(path)
		if text := textOf(w.Body.String()); w.Code != http.StatusNotFound || !strings.Contains(strings.ToLower(text), strings.ToLower(sentence)) {
			t.Errorf("GET %s: %d %s", path, w.Code, text)
		}
	}
}

func TestNothingButReadingIsAnswered(t *testing.T) {
	t.Parallel()
	f := story(t)
	h := f.handler()
	for _, path := range pages(f) {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("x=1")))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || w.Header().Get("Content-Security-Policy") == "" {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
	}
	if w := f.get("/search?q=" + strings.Repeat("a", 9000)); w.Code != http.StatusRequestURITooLong {
		t.Errorf("an address of 9,000 bytes: %d", w.Code)
	}
}

func TestWhatGoesWrongInsideIsInTheLogOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.st.(interface{ Close() }).Close()
	w := f.get("/machines")
	if w.Code != http.StatusInternalServerError || !strings.Contains(textOf(w.Body.String()), "its log says why") {
		t.Errorf("%d %s", w.Code, textOf(w.Body.String()))
	}
	if strings.Contains(w.Body.String(), "pool") || !strings.Contains(f.log.String(), "list machines") {
		t.Errorf("page: %s\nlog: %s", w.Body.String(), f.log.String())
	}
}

func TestWhatTakesTooLongIsToldSo(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	w := httptest.NewRecorder()
	f.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/drift", nil).WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(textOf(w.Body.String()), "ask for less, or later again") {
		t.Errorf("%d %s", w.Code, textOf(w.Body.String()))
	}
}

func TestAssetsAreKeptByTheirContent(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	body := f.page("/")
	for _, kind := range []string{"css", "js"} {
		m := regexp.MustCompile(`"(/assets/[a-z]+\.` + kind + `\?v=[0-9a-f]{12})"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no %s in %s", kind, body)
		}
		w := f.get(m[1])
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
		r := httptest.NewRequest(http.MethodGet, m[1], nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		f.handler().ServeHTTP(again, r)
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", m[1], again.Code)
		}
	}
	if n := len(regexp.MustCompile(`(?:src|href)="/assets/`).FindAllString(body, -1)); n > 2 {
		t.Errorf("a page asks for %d files", n)
	}
}

// Two nights, two outcomes: the runs page counts each.
func TestRunsTellHowMuchWasSeen(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.night(guest("a", "web", "x"), guest("b", "web", "x").failed(collector.TimedOut, "no answer"))
	f.shows("/runs", "1 of 2", "ok 1", "timed out 1", "7 min", "The last run saw 1 of 2 machines.")
}

func TestAnotherNameOfAMachineLeadsToIt(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.night(guest("web-1", "web", "prod"), guest("web-1.example", "web", "prod"))
	id := func(name string) inventory.MachineID {
		return inventory.MachineID{Source: "dc1", NativeID: "id-" + name}
	}
	f.must(f.st.InTx(t.Context(), func(tx drift.Tx) error {
		return tx.Link(t.Context(), drift.Link{From: id("web-1.example"), Into: id("web-1")})
	}))
	f.shows("/machines", "1 machine", "!web-1.example")
	f.shows("/machines?gone=1", "is web-1")
	f.shows("/machines/web-1", "Also id-web-1.example in dc1")
	f.shows("/machines/web-1.example", "This is another name of web-1")
}
