package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/metrics"
	"github.com/vmdrift/vmdrift/internal/tracing"
	"github.com/vmdrift/vmdrift/internal/worker"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
	"github.com/vmdrift/vmdrift/web"
)

// A service holds the flags of a process that goes on until it is told to stop.
type service struct {
	app       *app
	listen    string
	logFormat string
	zones     []string
	slots     int
	grace     time.Duration
	beat      time.Duration
	deadAfter time.Duration
}

func (a *app) addService(c *cobra.Command, listen string) *service {
	s := &service{app: a}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", listen, "`address` for the dashboard, /metrics, /healthz and /readyz (host:port; empty for none)")
	f.StringVar(&s.logFormat, "log-format", "text", "text or json, on standard error")
	f.StringSliceVar(&s.zones, "zone", []string{drift.DefaultZone}, "network `zones` whose machines are scanned here: the label zone says in which a machine is")
	f.IntVar(&s.slots, "slots", defaultConcurrency, "machines scanned at once, per zone")
	f.DurationVar(&s.grace, "grace", defaultTimeout, "how long what is under way may take to end after SIGTERM")
	f.DurationVar(&s.beat, "beat", 10*time.Second, "how often to say that this worker lives")
	f.DurationVar(&s.deadAfter, "dead-after", 45*time.Second, "when a worker that says nothing counts as dead")
	_ = f.MarkHidden("beat") // for tests; what they are by default suits everybody
	_ = f.MarkHidden("dead-after")
	_ = c.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return s
}

func (a *app) serveCommand() *cobra.Command {
	noScan := false
	c := &cobra.Command{
		Use: "serve", GroupID: "night", Args: args(cobra.NoArgs),
		Short: "Run the schedules: plan, scan, compare, and tell, night after night",
		Long: `Serve is everything in one process: it plans the runs of the schedules, lists the
sources, scans the machines, and sends notices. Without a database URL it runs a
private cluster. More of it, on other hosts with the same database, share the work,
and so does vmdrift work, which only scans.

It reads vmdrift.yaml again when the file changes. SIGTERM lets what is under way
end, for as long as --grace says, and gives the rest back.`,
		Example: `  vmdrift serve
  vmdrift serve --listen 0.0.0.0:9120 --log-format json
  vmdrift serve --no-scan         # plan and tell; others scan`,
	}
	s := a.addService(c, "127.0.0.1:9120")
	c.Flags().BoolVar(&noScan, "no-scan", false, "scan nothing here")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if noScan {
			s.zones = nil
		}
		return s.run(c.Context(), true)
	}
	return c
}

func (a *app) workCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "work", GroupID: "night", Args: args(cobra.NoArgs),
		Short: "Scan machines for a vmdrift serve on another host",
		Long: `Work scans machines that vmdrift serve hands out, for one or more network zones. It
needs the same database, and its own way into the machines (keys, known_hosts,
jump hosts) in its own vmdrift.yaml; sources, schedules and channels there are not
looked at.`,
		Example: `  DATABASE_URL=postgres://… vmdrift work --zone dmz
  vmdrift work --zone default --slots 200`,
	}
	s := a.addService(c, "")
	c.RunE = func(c *cobra.Command, _ []string) error {
		url, err := a.databaseURL()
		if err != nil {
			return err
		}
		if url == "" {
			return errors.New("a worker needs the database of its vmdrift serve: set DATABASE_URL, --database, or database in vmdrift.yaml")
		}
		return s.run(c.Context(), false)
	}
	return c
}

// check says what is wrong with the flags.
func (s *service) check() error {
	switch {
	case s.slots < 1 || s.slots > 10000:
		return fmt.Errorf("--slots is from 1 to 10000, not %d", s.slots)
	case s.beat <= 0 || s.deadAfter <= s.beat:
		return fmt.Errorf("--dead-after (%s) is longer than --beat (%s)", s.deadAfter, s.beat)
	case s.grace < 0:
		return fmt.Errorf("--grace is no time that lies behind: %s", s.grace)
	case s.logFormat != "text" && s.logFormat != "json":
		return fmt.Errorf("--log-format is text or json, not %q", s.logFormat)
	}
	for _, z := range s.zones {
		if z == "" || labelValue(z) != z {
			return fmt.Errorf("--zone: %q is no label's value; write letters, digits, dashes, dots and underscores", z)
		}
	}
	return nil
}

// run works until ctx ends. central is for the process that plans and tells.
func (s *service) run(ctx context.Context, central bool) error {
	if err := s.check(); err != nil {
		return err
	}
	a := s.app
	a.log = s.logger()
	stopTracing, err := tracing.Start(ctx, programVersion(), a.log)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = stopTracing(last) // what could not be sent is lost, and said
	}()
	svc, st, err := a.open(ctx)
	if err != nil {
		return err
	}
	if err := worker.Migrate(ctx, st.Pool()); err != nil {
		return err
	}
	now := &current{app: a}
	if central {
		if err := now.sync(ctx, svc); err != nil {
			return err
		}
	}
	timeout := either(time.Duration(a.config.Scan.Timeout), defaultTimeout)
	reach, err := now.reach(ctx)
	if err != nil { // before anything is begun
		return err
	}
	_ = reach.Close()
	m := metrics.New(metrics.Options{Nights: st, Version: programVersion(), Log: a.log, Depth: func(ctx context.Context) (map[string]int, map[string]int, error) {
		return worker.Depth(ctx, st.Pool())
	}})
	w, err := worker.New(worker.Options{
		Service: svc, Crew: st, Nights: st, Pool: st.Pool(), Temporary: store.Temporary, Log: a.log, Version: programVersion(),
		Zones: s.zones, Slots: s.slots, Timeout: timeout, Reach: now.reach, Observe: m.Observe,
		BeatEvery: s.beat, DeadAfter: s.deadAfter,
		Central: central, List: now.list(svc), Channels: now.channels, Send: now.send,
	})
	if err != nil {
		return err
	}
	var dashboard http.Handler
	if central {
		dashboard = web.New(web.Options{
			Service: svc, Reader: st, Version: programVersion(), Log: a.log,
			Banner: "Open to read for everybody on this host: there are no logins yet, so vmdrift shows it on loopback only.",
		})
	}
	down, err := s.serveHTTP(ctx, st, m.Handler(), dashboard)
	if err != nil {
		return err
	}
	defer down()
	if err := w.Start(ctx); err != nil {
		return err
	}
	a.log.Info("vmdrift is up", "worker", w.Name(), "zones", strings.Join(s.zones, ","), "slots", s.slots, "listen", s.listen, "version", programVersion())
	if central {
		go now.watch(ctx, svc)
		go now.clean(ctx, st)
	}
	if a.private != "" {
		go a.keepUp(ctx, st)
	}
	<-ctx.Done()
	a.log.Info("stopping: no more work is taken, and what is under way may end", "grace", s.grace.String())
	if err := w.Stop(s.grace); err != nil {
		return err
	}
	a.log.Info("vmdrift is down")
	return nil
}

// keepUp starts the private cluster's server again when it has died, until ctx ends.
func (a *app) keepUp(ctx context.Context, st *store.Store) {
	for t := time.NewTicker(5 * time.Second); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		own, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := st.Pool().Ping(own)
		cancel()
		if err == nil || ctx.Err() != nil || !store.Temporary(err) {
			continue
		}
		a.log.Warn("the private database does not answer; starting it", "error", err)
		server, err := embeddedpg.Start(ctx, a.private, a.log)
		if err != nil {
			a.log.Error("the private database does not start", "error", err)
			continue
		}
		a.mu.Lock()
		a.closers = slices.Insert(a.closers, 0, server.Stop) // after everything that uses it
		a.mu.Unlock()
	}
}

func (s *service) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if s.app.flags.verbose {
		o.Level = slog.LevelDebug
	}
	if s.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(s.app.stderr, o))
	}
	return slog.New(slog.NewTextHandler(s.app.stderr, o))
}

// serveHTTP listens, if it is to, and returns what ends that.
func (s *service) serveHTTP(ctx context.Context, st *store.Store, metrics, dashboard http.Handler) (func(), error) {
	if s.listen == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w; is another vmdrift serve running? Name another address", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		own, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		if _, err := st.SchemaVersion(own); err != nil {
			s.app.log.Warn("not ready", "error", err)
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		if ctx.Err() != nil {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("/", onLoopback(l.Addr(), dashboard))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.app.log.Handler(), slog.LevelDebug),
	}
	go func() { _ = server.Serve(l) }()
	return func() {
		own, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if server.Shutdown(own) != nil {
			_ = server.Close()
		}
	}, nil
}

// onLoopback lets in those who ask on loopback and call it so: a page elsewhere whose name leads here asks with
// that name. A nil handler has nothing to show.
func onLoopback(listens net.Addr, dashboard http.Handler) http.Handler {
	tcp, ok := listens.(*net.TCPAddr)
	open := ok && tcp.IP.IsLoopback() && dashboard != nil
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		switch {
		case dashboard == nil:
			http.Error(w, "There is no dashboard here: vmdrift serve has it. See /metrics, /healthz and /readyz.", http.StatusNotFound)
		case !open:
			http.Error(w, "The dashboard has no logins yet, so it is shown on loopback only: vmdrift serve --listen 127.0.0.1:9120, reached by ssh -L. See /metrics, /healthz and /readyz.", http.StatusForbidden)
		case host != "localhost" && (ip == nil || !ip.IsLoopback()):
			http.Error(w, "The dashboard answers to localhost and 127.0.0.1 only.", http.StatusMisdirectedRequest)
		default:
			dashboard.ServeHTTP(w, r)
		}
	})
}

// current is the configuration as it stands in the file now. One that cannot be read leaves the last one in force.
type current struct {
	app *app

	mu     sync.Mutex
	latest config.File
	read   time.Time // the file's time when latest was read
	have   bool
}

// file returns the configuration, read again if it changed.
func (c *current) file() config.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.have {
		c.latest, c.have = c.app.config, true
		c.read = modified(c.latest.Path)
	}
	if at := modified(c.latest.Path); c.latest.Path != "" && !at.Equal(c.read) {
		c.read = at
		if f, err := config.Read(c.latest.Path); err != nil {
			c.app.log.Error("the configuration has a mistake; the last good one stays in force", "error", err)
		} else {
			c.latest = f
			c.app.log.Info("the configuration was read again", "file", f.Path)
		}
	}
	return c.latest
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// with returns an app of its own with the configuration as it is now.
func (c *current) with() *app {
	a := c.app
	return &app{stdin: a.stdin, stdout: a.stdout, stderr: a.stderr, flags: a.flags, config: c.file(), style: a.style, log: a.log}
}

// watch takes over changes of the configuration until ctx ends.
func (c *current) watch(ctx context.Context, svc *drift.Service) {
	c.file()
	last := c.read
	for t := time.NewTicker(5 * time.Second); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if c.file(); c.read.Equal(last) {
			continue
		}
		last = c.read
		if err := c.sync(ctx, svc); err != nil && ctx.Err() == nil {
			c.app.log.Error("the schedules could not be taken over", "error", err)
		}
	}
}

// clean forgets what is too old, and makes the months to come, every hour until ctx ends.
func (c *current) clean(ctx context.Context, st *store.Store) {
	for t := time.NewTicker(time.Hour); ; {
		cleaned, err := st.GC(ctx, time.Now().AddDate(0, 0, -c.with().keepDays()))
		if err == nil {
			err = st.EnsurePartitions(ctx, time.Now(), time.Now().AddDate(0, 1, 0))
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			c.app.log.Error("old history could not be dropped; trying again in an hour", "error", err)
		case len(cleaned.Partitions) > 0:
			c.app.log.Info("old history dropped", "months", cleaned.Partitions, "rows", cleaned.Rows)
		}
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// sync makes the schedules of the configuration those of the database.
func (c *current) sync(ctx context.Context, svc *drift.Service) error {
	var wanted []drift.Schedule
	f := c.file()
	for _, s := range f.Schedules {
		spec := drift.ScheduleSpec{Cron: s.Cron, Jitter: time.Duration(s.Jitter), Scope: drift.Scope{
			Where: s.Where, Sources: s.Sources, Concurrency: s.Concurrency, Deadline: time.Duration(s.Deadline), MinCoverage: s.MinCoverage,
			TimeZone: s.TimeZone, Blackouts: s.Blackouts,
		}}
		if err := spec.Check(); err != nil {
			return fmt.Errorf("%s: schedule %s: %w", f.Path, s.Name, err)
		}
		wanted = append(wanted, drift.Schedule{Name: s.Name, Spec: spec})
	}
	return svc.SyncSchedules(ctx, wanted)
}

// nightReach is a reach without flags.
func nightReach(a *app) *reach {
	return &reach{app: a, flags: (&cobra.Command{}).Flags(), concurrency: defaultConcurrency, timeout: defaultTimeout, sudo: "auto"}
}

// reach returns how machines are reached, by the configuration as it is now.
func (c *current) reach(context.Context) (worker.Reach, error) {
	r := nightReach(c.with())
	options, err := r.guestOptions()
	if err != nil {
		return nil, err
	}
	w := newWays(r.sshOptions(), options, false)
	if _, err := w.dialer(collector.Listed{}); err != nil { // a key that cannot be read, a known_hosts that is none
		return nil, err
	}
	return w, nil
}

// list returns a function that lists the machines of a scope. Every source is asked that the scope wants, and those
// that are known to list one of its machines too.
func (c *current) list(svc *drift.Service) func(context.Context, drift.Scope) (drift.Listing, error) {
	return func(ctx context.Context, scope drift.Scope) (out drift.Listing, err error) {
		a := c.with()
		defer func() { err = errors.Join(err, a.close()) }()
		if scope.Wants(configSource) {
			for _, m := range a.config.Machines {
				out.Machines = append(out.Machines, listedAt(m))
			}
		}
		all, err := a.sources(ctx)
		if err != nil {
			// Nothing can be listed with it; said so, and not tried for ever.
			out.Notes = append(out.Notes, inventory.Escape(err.Error()))
			return out, nil
		}
		asked := map[string]bool{}
		ask := func(wanted func(name string) bool) {
			some := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return asked[s.Name()] || !wanted(s.Name()) })
			for _, s := range some {
				asked[s.Name()] = true
			}
			listed, answered, problems := listAll(ctx, some)
			out.Machines, out.Answered = append(out.Machines, listed...), append(out.Answered, answered...)
			for _, p := range problems {
				out.Notes = append(out.Notes, fmt.Sprintf("source %s not listed: %s", p.source, p.reason()))
			}
		}
		ask(scope.Wants)
		if len(asked) < len(all) {
			var ids []inventory.MachineID
			for _, m := range out.Machines {
				ids = append(ids, m.Machine.ID)
			}
			also, err := svc.SourcesOf(ctx, ids)
			if err != nil {
				return out, err
			}
			ask(func(name string) bool { return slices.Contains(also, name) })
		}
		out.Machines, _ = onceByName(out.Machines)
		return out, ctx.Err()
	}
}

// channels names those that are to be told of runs.
func (c *current) channels() []string {
	f := c.file()
	var out []string
	for _, ch := range f.Notify {
		out = append(out, ch.Name)
	}
	return out
}

// send sends a notice by its channel.
func (c *current) send(ctx context.Context, n drift.Notice, r drift.Report) error {
	f := c.file()
	for _, ch := range f.Notify {
		if ch.Name == n.Channel {
			channel, err := channelOf(f, ch)
			if err != nil {
				return err
			}
			return channel.Send(ctx, n, r)
		}
	}
	return fmt.Errorf("there is no channel %s in %s any more", n.Channel, either(f.Path, "the configuration"))
}

func (a *app) healthCommand() *cobra.Command {
	url := ""
	c := &cobra.Command{
		Use: "health", GroupID: "night", Short: "Ask a vmdrift serve or work whether it is ready", Args: args(cobra.NoArgs),
		Long: `Health asks /readyz of a process that listens, for where there is no curl.

Exit status: 0 it is ready, 2 it is not.`,
	}
	c.Flags().StringVar(&url, "url", "http://127.0.0.1:9120", "where it listens")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("--url: %w", err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("not ready: %w", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("not ready: %s", resp.Status)
		}
		fmt.Fprintln(a.stdout, "ok")
		return nil
	}
	return c
}
