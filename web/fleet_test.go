package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/web"
)

// A fleet records nights of made-up machines in a real database, and serves the dashboard over it.
type fleet struct {
	t   testing.TB
	svc *drift.Service
	st  drift.Store
	now time.Time
	log strings.Builder
}

func newFleet(t testing.TB) *fleet {
	f := &fleet{t: t, st: testdb.Store(t), now: time.Date(2026, 10, 20, 2, 0, 0, 0, time.UTC)}
	f.svc = drift.New(f.st, func() time.Time { return f.now })
	return f
}

func (f *fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) handler() http.Handler {
	return web.New(web.Options{
		Service: f.svc, Reader: f.st, Now: func() time.Time { return f.now }, Version: "v0.0.0-test",
		Banner: "Anybody on this machine may read this.", Log: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
}

// lastRun is the page of the last run.
func (f *fleet) lastRun() string {
	f.t.Helper()
	runs, err := f.st.ListRuns(f.t.Context(), 1)
	f.must(err)
	return fmt.Sprintf("/runs/%d", runs[0].ID)
}

// get asks for a page.
func (f *fleet) get(path string) *httptest.ResponseRecorder {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// page returns the text of a page that is to be there.
func (f *fleet) page(path string) string {
	f.t.Helper()
	w := f.get(path)
	if w.Code != http.StatusOK {
		f.t.Fatalf("GET %s: %d\n%s\n%s", path, w.Code, textOf(w.Body.String()), f.log.String())
	}
	return w.Body.String()
}

// shows fails unless the page's text has all of the words, or, for those with a "!" before them, has not.
func (f *fleet) shows(path string, words ...string) {
	f.t.Helper()
	text := textOf(f.page(path))
	for _, w := range words {
		not, absent := strings.CutPrefix(w, "!")
		if absent == strings.Contains(text, not) {
			f.t.Errorf("GET %s: %q; the page says:\n%s", path, w, text)
		}
	}
}

// A machine is what a night finds.
type machine struct {
	name   string
	labels map[string]string
	facets map[inventory.Facet][]string // lines of items
	obs    map[inventory.Facet]inventory.Observation
	// If the outcome is not empty, it was not reached.
	outcome collector.Outcome
	why     string
}

func (m machine) with(f inventory.Facet, lines ...string) machine {
	facets := map[inventory.Facet][]string{}
	for k, v := range m.facets {
		facets[k] = v
	}
	facets[f] = append(append([]string{}, facets[f]...), lines...)
	m.facets = facets
	return m
}

// but leaves out items whose key begins like that.
func (m machine) but(f inventory.Facet, prefix string) machine {
	facets := map[inventory.Facet][]string{}
	for k, v := range m.facets {
		for _, l := range v {
			if k != f || !strings.HasPrefix(l, prefix) {
				facets[k] = append(facets[k], l)
			}
		}
	}
	m.facets = facets
	return m
}

// read says how a facet could be read, in place of whole.
func (m machine) read(o inventory.Observation) machine {
	obs := map[inventory.Facet]inventory.Observation{}
	for k, v := range m.obs {
		obs[k] = v
	}
	obs[o.Facet] = o
	m.obs = obs
	return m
}

func (m machine) failed(o collector.Outcome, why string) machine {
	m.outcome, m.why = o, why
	return m
}

func (f *fleet) state(facet inventory.Facet, lines ...string) *inventory.State {
	f.t.Helper()
	var items []inventory.Item
	for _, l := range lines {
		it, err := inventory.ParseLine(l)
		f.must(err)
		items = append(items, it)
	}
	s, err := inventory.NewState(facet, items...)
	f.must(err)
	return s
}

func (f *fleet) result(m machine) collector.Result {
	f.t.Helper()
	labels := map[string]string{"name": m.name}
	for k, v := range m.labels {
		labels[k] = v
	}
	r := collector.Result{
		Outcome: collector.OK,
		Machine: inventory.Machine{ID: inventory.MachineID{Source: "dc1", NativeID: "id-" + m.name}, Name: m.name, Address: "scan@" + m.name + ":22", Labels: labels},
	}
	r.Snapshot = inventory.Snapshot{Machine: r.Machine, TakenAt: f.now, Privilege: "root"}
	if m.outcome != "" {
		r.Outcome, r.Err = m.outcome, errors.New(m.why)
		return r
	}
	for _, facet := range inventory.Facets() {
		lines, ok := m.facets[facet]
		o, told := m.obs[facet]
		switch {
		case told && o.Status.Observed():
			o.State = f.state(facet, lines...)
		case !told && ok:
			o = inventory.Observe(f.state(facet, lines...))
		case !told:
			continue
		}
		if o.Status != inventory.Complete && o.Status != inventory.Unsupported {
			r.Outcome = collector.Partly
		}
		r.Snapshot.Observations = append(r.Snapshot.Observations, o)
	}
	return r
}

// night records one run, a day after the last.
func (f *fleet) night(ms ...machine) { f.t.Helper(); f.run(drift.RunFinished, len(ms), ms...) }

func (f *fleet) run(ends drift.RunState, planned int, ms ...machine) {
	f.t.Helper()
	f.now = f.now.AddDate(0, 0, 1)
	var results []collector.Result
	for _, m := range ms {
		results = append(results, f.result(m))
	}
	run, err := f.svc.StartRun(f.t.Context(), "scan", planned)
	f.must(err)
	_, err = f.svc.Record(f.t.Context(), run, results, "")
	f.must(err)
	f.now = f.now.Add(7 * time.Minute)
	if ends != drift.RunRunning {
		f.must(f.svc.FinishRun(f.t.Context(), run.ID, ends))
	}
	f.now = f.now.Add(-7 * time.Minute)
}

// capture makes what a machine is the baseline of that name.
func (f *fleet) capture(name, selector string, m machine) {
	f.t.Helper()
	spec, _ := baseline.Capture(f.result(m).Snapshot, name, selector)
	_, err := f.svc.Apply(f.t.Context(), "ann", "captured from "+m.name, spec)
	f.must(err)
	f.must(f.svc.Compare(f.t.Context()))
}

// id returns the short id of the one drift with that key.
func (f *fleet) id(key string) string {
	f.t.Helper()
	found, err := f.svc.Findings(f.t.Context(), drift.FindingQuery{})
	f.must(err)
	for _, x := range found {
		if x.Change.Key == key {
			return x.Change.Digest().String()[:10]
		}
	}
	f.t.Fatalf("no drift of %s", key)
	return ""
}

// guest is a machine with a little of everything.
func guest(name, role, env string) machine {
	m := machine{name: name, labels: map[string]string{"role": role, "env": env, "kind": "vm"}, facets: map[inventory.Facet][]string{
		inventory.OS:       {"distribution\tid=debian\tname=Debian GNU/Linux 12\tversion=12", "kernel\tvalue=6.1.0-28-amd64"},
		inventory.Ports:    {"tcp/0.0.0.0:22\tdual_stack=no\tephemeral=no\tprocess=sshd\tuser=root", "tcp/0.0.0.0:443\tdual_stack=no\tephemeral=no\tprocess=nginx\tuser=www-data"},
		inventory.Users:    {"root\tgid=0\tgroups=root\thome=/root\tpassword=locked\tshell=/bin/bash\tuid=0", "ops\tgid=1000\tgroups=ops,sudo\thome=/home/ops\tpassword=set\tshell=/bin/bash\tuid=1000"},
		inventory.Services: {"ssh.service\tactive=active\tenabled=enabled\tsub=running", "nginx.service\tactive=active\tenabled=enabled\tsub=running"},
		inventory.Groups:   {"ops\tgid=1000", "sudo\tgid=27"},
	}}
	var packages []string
	for i := range 130 {
		packages = append(packages, fmt.Sprintf("deb/lib%03d:amd64\thold=no\tsource=lib%03d\tstate=installed\tversion=1.%d-1", i, i, i%7))
	}
	packages = append(packages, "deb/openssl:amd64\thold=no\tsource=openssl\tstate=installed\tversion=3.0.15-1~deb12u1")
	m.facets[inventory.Packages] = packages
	return m
}

const (
	nc      = "tcp/0.0.0.0:4444\tdual_stack=no\tephemeral=no\tprocess=nc\tuser=root"
	toor    = "toor\tgid=0\tgroups=root\thome=/root\tpassword=set\tshell=/bin/bash\tuid=0"
	openssl = "deb/openssl:amd64\thold=no\tsource=openssl\tstate=installed\tversion=3.0.17-1~deb12u2"
)

// story is a fleet with drift of every kind, and with some of which not all is known.
func story(t testing.TB) *fleet {
	f := newFleet(t)
	web1, web2, web3 := guest("web-1", "web", "prod"), guest("web-2", "web", "prod"), guest("web-3", "web", "dev")
	db1, app1, build1, new1 := guest("db-1", "db", "prod"), guest("app-1", "app", "prod"), guest("build-1", "build", "dev"), guest("new-1", "new", "dev")
	all := func() []machine { return []machine{web1, web2, web3, db1, app1, build1, new1} }
	f.night(all()...)
	f.capture("web", "role=web", web1)
	f.capture("db", "role=db", db1)
	f.capture("app", "role=app", app1)
	f.capture("build", "role=build", build1)
	for range 5 {
		f.night(all()...)
	}
	web2 = web2.with(inventory.Packages, "deb/nmap:amd64\thold=no\tsource=nmap\tstate=installed\tversion=7.93+dfsg1-1")
	f.night(all()...)
	web3 = web3.with(inventory.Services, "telnet.socket\tactive=active\tenabled=enabled\tsub=listening")
	f.night(all()...)
	web3 = guest("web-3", "web", "dev") // telnet was undone
	for range 9 {
		f.night(all()...)
	}
	web1 = web1.but(inventory.Packages, "deb/openssl").with(inventory.Packages, openssl)
	web3 = web3.but(inventory.Packages, "deb/openssl").with(inventory.Packages, openssl)
	f.night(all()...)
	f.now = f.now.Add(6 * time.Hour)
	f.ack("deb/nmap:amd64", drift.Acknowledgement{By: "ann", Note: "for the audit, until Friday"})
	f.now = f.now.Add(-6 * time.Hour)
	// The last night: a listener, a second root, a service that fails; and what could not be seen.
	web2 = web2.with(inventory.Ports, nc)
	db1 = db1.with(inventory.Users, toor).but(inventory.Services, "nginx")
	web3 = web3.but(inventory.Ports, "").with(inventory.Ports, "tcp/0.0.0.0:22\tdual_stack=no\tephemeral=no", "tcp/0.0.0.0:443\tdual_stack=no\tephemeral=no").read(inventory.Observation{
		Facet: inventory.Ports, Status: inventory.Partial, ItemsComplete: true, Missing: []string{"process", "user"}, Reason: "only root sees whose sockets they are",
	}).read(inventory.Observation{Facet: inventory.Users, Status: inventory.Denied, Reason: "sudo wants a password"})
	app1 = app1.failed(collector.Unreachable, "connect to app-1:22: connection refused")
	build1 = build1.failed(collector.HostKeyChanged, "its host key is not the one in known_hosts")
	f.run(drift.RunFinished, 8, all()...)
	f.now = f.now.Add(6 * time.Hour) // it is morning
	return f
}

func (f *fleet) ack(key string, a drift.Acknowledgement) {
	f.t.Helper()
	found, err := f.svc.Findings(f.t.Context(), drift.FindingQuery{States: drift.Live()})
	f.must(err)
	n := 0
	for _, x := range found {
		if x.Change.Key == key {
			k, err := f.svc.Acknowledge(f.t.Context(), x.ChangeID, []drift.MachineRow{x.Machine}, a)
			f.must(err)
			n += k
		}
	}
	if n == 0 {
		f.t.Fatalf("nothing to acknowledge: %s", key)
	}
}

// textOf returns what a person reads of a page: its text, with entities as they show and blanks as one.
func textOf(page string) string {
	var b strings.Builder
	for rest := page; rest != ""; {
		text, tag, found := strings.Cut(rest, "<")
		b.WriteString(text)
		if !found {
			break
		}
		name, after, _ := strings.Cut(tag, ">")
		for _, inline := range []string{"a ", "/a", "b", "/b", "span", "/span", "mark", "/mark", "code", "/code", "time", "/time", "summary", "/summary"} {
			if name == inline || strings.HasPrefix(name, strings.TrimSpace(inline)+" ") {
				name = ""
				break
			}
		}
		if name != "" {
			b.WriteByte(' ')
		}
		rest = after
	}
	return strings.Join(strings.Fields(unescape(b.String())), " ")
}
