package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/worker"
	"github.com/vmdrift/vmdrift/store"
)

// An app is one run of the command: its streams, flags and what it has opened.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          struct {
		config, database, data, output, colour string
		verbose                                bool
	}
	config config.File
	style  style
	log    *slog.Logger

	private string         // folder of the private cluster, if there is one
	mu      sync.Mutex     // closers
	closers []func() error // run last to first
}

// start reads the flags that every command has.
func (a *app) start() error {
	if !slices.Contains([]string{"table", "json", "yaml", "csv"}, a.flags.output) {
		return fmt.Errorf("--output is table, json, yaml or csv, not %q", a.flags.output)
	}
	style, err := newStyle(a.flags.colour, a.stdout)
	if err != nil {
		return err
	}
	a.style = style
	level := slog.LevelWarn
	if a.flags.verbose {
		level = slog.LevelDebug
	}
	a.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	return nil
}

// configure reads the configuration, if there is one.
func (a *app) configure() error {
	path := a.flags.config
	if path == "" {
		path = os.Getenv("VMDRIFT_CONFIG")
	}
	if path == "" {
		path = config.Find()
	}
	if path == "" {
		return nil
	}
	var err error
	a.config, err = config.Read(path)
	return err
}

func (a *app) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		errs = append(errs, c())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// open opens the database and brings its schema up to date.
func (a *app) open(ctx context.Context) (*drift.Service, *store.Store, error) {
	st, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := st.Migrate(ctx); err != nil {
		return nil, nil, err
	}
	svc := drift.New(st, nil)
	if after := time.Duration(a.config.Scan.UnseenAfter); after > 0 {
		svc.UnseenAfter = after
	}
	return svc, st, nil
}

// connect connects to the database: the one that is named, or the private cluster.
func (a *app) connect(ctx context.Context) (*store.Store, error) {
	url, err := a.databaseURL()
	if err != nil {
		return nil, err
	}
	if url == "" {
		dir, err := a.dataFolder()
		if err != nil {
			return nil, err
		}
		a.private = filepath.Join(dir, "postgres")
		server, err := embeddedpg.Start(ctx, a.private, a.log)
		if err != nil {
			return nil, err
		}
		a.closers = append(a.closers, server.Stop)
		url = server.URL()
	}
	queue, err := worker.NewQueue()
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, url, store.Options{Enqueue: queue.Enqueue})
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, func() error { st.Close(); return nil })
	return st, nil
}

// databaseURL returns the URL that the flag, the configuration or the environment gives, or "".
func (a *app) databaseURL() (string, error) {
	if a.flags.database != "" {
		return a.flags.database, nil
	}
	if a.config.Database != "" {
		url, err := a.config.Secret(a.config.Database)
		if err != nil {
			return "", fmt.Errorf("%s: database: %w", a.config.Path, err)
		}
		return url, nil
	}
	return os.Getenv("DATABASE_URL"), nil
}

// dataFolder returns where the private cluster lives.
func (a *app) dataFolder() (string, error) {
	switch {
	case a.flags.data != "":
		return filepath.Abs(a.flags.data)
	case a.config.Data != "":
		return filepath.Abs(a.config.Resolve(a.config.Data))
	case os.Getenv("VMDRIFT_DATA") != "":
		return filepath.Abs(os.Getenv("VMDRIFT_DATA"))
	case os.Geteuid() == 0:
		return "/var/lib/vmdrift", nil
	case os.Getenv("XDG_DATA_HOME") != "":
		return filepath.Join(os.Getenv("XDG_DATA_HOME"), "vmdrift"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no home folder to keep data in; name one with --data")
	}
	return filepath.Join(home, ".local", "share", "vmdrift"), nil
}

// author names who is at the keyboard, for revisions.
func author() string {
	if v := os.Getenv("SUDO_USER"); v != "" {
		return v
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
