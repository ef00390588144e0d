package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/internal/simcenter"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/store"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:     "demo",
		GroupID: "setup",
		Short:   "See it work: a small simulated fleet drifts, and vmdrift finds it",
		Long: `Demo makes up a small fleet of several distributions inside this process, listed
by a simulated vCenter, each machine behind a real SSH server on loopback, and lets
vmdrift find what drifts there. Where moto_server is installed there is an AWS side
too. The machine that it runs on is scanned as well, and not changed.

Database, configuration and keys live in a temporary folder, or in --data, which
is kept. Afterwards the fleet runs on for you to try commands against, until
Ctrl-C. With --once it ends there: status 0 if exactly the expected drift was
found, 2 if not.`,
		Args: args(cobra.NoArgs),
	}
	c.Flags().BoolVar(&once, "once", false, "end after the story, and remove what it made")
	c.RunE = func(c *cobra.Command, _ []string) error {
		d := &demo{app: a, once: once}
		err := d.run(c.Context())
		if !once && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is how it ends
		}
		return err
	}
	return c
}

// A demo is a fleet, a database of its own, and what is told of them.
type demo struct {
	app     *app
	once    bool
	dir     string
	fleet   *simvm.Fleet
	center  *simcenter.Center
	cloud   *demoCloud // nil where there is none to be had
	noCloud string     // why, a sentence
	astray  []string   // the reader's settings that would lead away from it
	url     string     // of the private database
}

func (d *demo) run(ctx context.Context) error {
	if err := d.makeFolder(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{d.startCloud, d.startFleet, d.startCenter} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	if err := d.startDatabase(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(d.config(), []byte(d.configuration()), 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	if err := d.story(ctx); err != nil {
		return err
	}
	if d.once {
		return nil
	}
	return d.stay(ctx)
}

// later puts off f to the end of the command, before what was put off earlier.
func (d *demo) later(f func() error) { d.app.closers = append(d.app.closers, f) }

// startDatabase starts a private database: one that stays in the folder that was
// named, or one that is gone with the demo, and need not wait for the disk.
// With --database it is an empty one of a server, for where no server can be started.
func (d *demo) startDatabase(ctx context.Context) error {
	if url := d.app.flags.database; url != "" {
		d.url = url
		return d.mustBeEmpty(ctx)
	}
	start := func() (*embeddedpg.Server, error) { return embeddedpg.StartTemp(ctx, d.app.log) }
	if d.kept() {
		start = func() (*embeddedpg.Server, error) {
			return embeddedpg.Start(ctx, filepath.Join(d.dir, "postgres"), d.app.log)
		}
	}
	server, err := start()
	if err != nil {
		return err
	}
	d.later(server.Stop)
	d.url = server.URL()
	return nil
}

// mustBeEmpty refuses a database in which something stands: the demo's machines are made up.
func (d *demo) mustBeEmpty(ctx context.Context) error {
	st, err := store.Open(ctx, d.url, store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	version, err := st.SchemaVersion(ctx)
	if err == nil && version > 0 {
		err = errors.New("the demo wants an empty database, and this one is in use; name another with --database")
	}
	return err
}

// kept reports whether the folder outlives the demo.
func (d *demo) kept() bool { return d.app.flags.data != "" }

// makeFolder makes the demo's folder.
func (d *demo) makeFolder() error {
	if d.kept() {
		dir, err := filepath.Abs(d.app.flags.data)
		if err != nil {
			return err
		}
		d.dir = dir
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return fmt.Errorf("%s is not empty, and the demo wants a folder of its own: name another with --data", dir)
		}
		// Others may enter, not list it: where root starts it, the database's server is
		// another user. Each file is its owner's only.
		return os.MkdirAll(dir, 0o711)
	}
	dir, err := os.MkdirTemp("", "vmdrift-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	d.dir = dir
	d.later(func() error { return os.RemoveAll(dir) })
	return nil
}

// vmdrift runs a command as the reader would type it, on the demo's own
// configuration and database, and returns its exit status.
func (d *demo) vmdrift(ctx context.Context, args ...string) (int, error) {
	a := &app{stdin: strings.NewReader(""), stdout: d.app.stdout, stderr: d.app.stderr}
	return d.runOn(ctx, a, args...)
}

// ask is vmdrift with -o json, and returns what it prints.
func (d *demo) ask(ctx context.Context, args ...string) (string, error) {
	var out, errs strings.Builder
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	if _, err := d.runOn(ctx, a, append(args, "-o", "json")...); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (d *demo) runOn(ctx context.Context, a *app, args ...string) (int, error) {
	root := a.rootCommand()
	root.SetArgs(append([]string{"--config", d.config(), "--database", d.url, "--color", d.app.flags.colour}, args...))
	err := root.ExecuteContext(ctx)
	err = errors.Join(err, a.close())
	var status exitStatus
	if errors.As(err, &status) {
		return int(status), nil
	}
	if err != nil {
		return exitTrouble, fmt.Errorf("vmdrift %s: %w", strings.Join(args, " "), err)
	}
	return exitSame, nil
}

// config is the path of the configuration that the demo has written.
func (d *demo) config() string { return filepath.Join(d.dir, "vmdrift.yaml") }

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.app.stdout, format+"\n", args...) }
