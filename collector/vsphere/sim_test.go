package vsphere

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
	"github.com/vmware/govmomi/vim25"
)

const (
	user     = "vmdrift@vsphere.local"
	password = "planted-S3cret-4711"
)

// A sim is a simulated vCenter behind TLS. Every request passes the test first. The simulator keeps some of its
// models in package variables, so that tests with one cannot run in parallel.
type sim struct {
	t      testing.TB
	model  *simulator.Model
	server *httptest.Server
	admin  *vim25.Client // in process, beside the server that is watched

	mu    sync.Mutex
	calls map[string]int
	bytes int64
	// before sees each request before the simulator does; if it returns true it has answered.
	before func(call string, n int, w http.ResponseWriter, r *http.Request) bool
}

var soapMethod = regexp.MustCompile(`<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)

func newSim(t testing.TB, shape ...func(*simulator.Model)) *sim {
	t.Helper()
	m := simulator.VPX()
	for _, f := range shape {
		f(m)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Remove)
	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{User: url.UserPassword(user, password), Host: "127.0.0.1:0"}
	inner := m.Service.NewServer()
	t.Cleanup(inner.Close)

	s := &sim{t: t, model: m, calls: map[string]int{}}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	var err error
	if s.admin, err = vim25.NewClient(t.Context(), m.Service); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	call := r.Method + " " + r.URL.RequestURI()
	if m := soapMethod.FindSubmatch(body); m != nil {
		call = string(m[1])
	}
	s.mu.Lock()
	s.calls[call]++
	n, before := s.calls[call], s.before
	s.mu.Unlock()
	if before != nil && before(call, n, w, r) {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.model.Service.ServeMux.ServeHTTP(&counting{w, s}, r)
}

type counting struct {
	http.ResponseWriter
	s *sim
}

func (c *counting) Write(p []byte) (int, error) {
	c.s.mu.Lock()
	c.s.bytes += int64(len(p))
	c.s.mu.Unlock()
	return c.ResponseWriter.Write(p)
}

func (s *sim) onCall(f func(call string, n int, w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
	clear(s.calls)
}

func (s *sim) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *sim) options() Options {
	return Options{
		Name: "lab", URL: s.server.URL, User: user, Thumbprint: thumbprint(s.server.Certificate()),
		Password: func() (string, error) { return password, nil },
	}
}

func (s *sim) source(change ...func(*Options)) *Source {
	s.t.Helper()
	o := s.options()
	for _, f := range change {
		f(&o)
	}
	src, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = src.Close() })
	return src
}

// caFile is a file with the server's own certificate as the authority.
func (s *sim) caFile() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func listed(t testing.TB, src *Source) collector.Listing {
	t.Helper()
	l, err := src.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Problems {
		t.Errorf("%s: %v (%s)", p.Part, p.Err, p.Hint)
	}
	return l
}

func find(t testing.TB, l collector.Listing, name string) collector.Listed {
	t.Helper()
	i := slices.IndexFunc(l.Machines, func(m collector.Listed) bool { return m.Machine.Name == name })
	if i < 0 {
		t.Fatalf("%s is not listed", name)
	}
	return l.Machines[i]
}

func kinds(l collector.Listing) map[collector.Kind]int {
	out := map[collector.Kind]int{}
	for _, m := range l.Machines {
		out[m.Kind]++
	}
	return out
}

func facet(t testing.TB, m collector.Listed, f inventory.Facet) inventory.Observation {
	t.Helper()
	s := inventory.Snapshot{Observations: m.Observations}
	o, ok := s.Observation(f)
	if !ok {
		t.Fatalf("%s has no %s", m.Machine.Name, f)
	}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	return o
}
