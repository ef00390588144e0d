package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/vmdrift/vmdrift/drift"
)

// A Reader answers what the use cases of drift.Service do not. A drift.Store is one.
type Reader interface {
	ListMachines(ctx context.Context) ([]drift.MachineRecord, error)
	Machine(ctx context.Context, name string) (drift.MachineRecord, error)
	Aliases(ctx context.Context) ([]drift.Alias, error)
	History(ctx context.Context, m drift.MachineRow) ([]drift.Stretch, error)
	Baselines(ctx context.Context) ([]drift.Revision, error)
	Revisions(ctx context.Context, name string) ([]drift.Revision, error)
	ListRuns(ctx context.Context, limit int) ([]drift.Run, error)
}

// Options are what a dashboard is made of. Service and Reader are needed.
type Options struct {
	Service *drift.Service
	Reader  Reader           // of the same store as Service
	Now     func() time.Time // the clock; time.Now if nil
	Version string           // of vmdrift, for the foot of each page; may be empty
	// Banner stands at the top of every page, such as who may read this. Plain text; may be empty.
	Banner string
	Log    *slog.Logger // of what went wrong; discarded if nil
}

// New returns the dashboard. It answers GET and HEAD, at the root of a host; everything else is
// refused with 405. It is safe for concurrent use and keeps no state between requests.
//
// A request may have a URL of 8 KiB and take 30 seconds. Errors are a page with one
// sentence and the way out: 400 for what cannot be read, 404 for what is not there, 503 for what took too
// long, 500 for everything else; the reason of the last two is in the log only.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{svc: o.Service, read: o.Reader, now: o.Now, version: o.Version, banner: o.Banner, log: o.Log, pages: parsePages()}
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"/{$}":                           s.overview,
		"/drift":                         s.driftList,
		"/drift.csv":                     s.driftCSV,
		"/drift.json":                    s.driftJSON,
		"/drift/{id}":                    s.drift,
		"/machines":                      s.machines,
		"/machines/{name}":               s.machine,
		"/machines/{name}/history":       s.history,
		"/machines/{name}/snapshot.json": s.snapshot,
		"/baselines":                     s.baselines,
		"/baselines/{name}":              s.baseline,
		"/runs":                          s.runs,
		"/runs/{id}":                     s.run,
		"/search":                        s.search,
		"/assets/{name}":                 s.asset,
		"/":                              s.nowhere,
	} {
		mux.Handle(pattern, s.handle(h))
	}
	return s.guard(mux)
}

type server struct {
	svc     *drift.Service
	read    Reader
	now     func() time.Time
	version string
	banner  string
	log     *slog.Logger
	pages   map[string]*template.Template
}

// A handler answers one request, or returns an error and has written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error
