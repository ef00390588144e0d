// Command vmdrift finds where machines have drifted from their golden baseline.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses, as diff has them.
const (
	exitSame    = 0 // no drift
	exitDrift   = 1 // drift
	exitTrouble = 2 // something could not be done or seen
)

func main() {
	needRoots(systemRoots)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills

	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	var status exitStatus
	switch {
	case err == nil:
		return exitSame
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, syscall.EPIPE):
		return exitTrouble // the reader of our output went away
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "vmdrift: interrupted")
		return exitTrouble
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "vmdrift: "+line)
	}
	return exitTrouble
}

// An exitStatus ends the command with that status, without a message of its own.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

const longHelp = `vmdrift finds where machines have drifted from their golden baseline.

It goes into machines by SSH, without an agent, takes a snapshot of packages,
listening ports, users, groups, services and the operating system, and holds it
against a baseline kept in Postgres. It never changes a machine.

  vmdrift baseline capture web --from root@web-1    what is right
  vmdrift scan root@web-2 --baseline web            what is different
  vmdrift drift list                                what to do about it

Machines with labels stand in vmdrift.yaml: then vmdrift scan alone scans them
all, each against the baseline whose selector selects it.

Exit status: 0 no drift, 1 drift, 2 trouble.`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "vmdrift",
		Short:         "Find where machines have drifted from their golden baseline",
		Long:          longHelp,
		Version:       programVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := a.start(); err != nil {
				return err
			}
			if withoutConfig(c) {
				return nil
			}
			return a.configure()
		},
	}
	root.SetVersionTemplate("vmdrift {{.Version}}\n")
	group(root)
	root.AddGroup(
		&cobra.Group{ID: "scan", Title: "Look at machines:"},
		&cobra.Group{ID: "know", Title: "Ask what is known:"},
		&cobra.Group{ID: "night", Title: "Have it done every night:"},
		&cobra.Group{ID: "setup", Title: "Set up and understand:"},
	)
	root.SetHelpCommandGroupID("setup")
	root.SetCompletionCommandGroupID("setup")
	f := root.PersistentFlags()
	f.StringVarP(&a.flags.config, "config", "c", "", "configuration `file` (default vmdrift.yaml here, in the user's or the system's configuration folder)")
	f.StringVar(&a.flags.database, "database", "", "Postgres `URL` (default $DATABASE_URL, or a private cluster in the data folder)")
	f.StringVar(&a.flags.data, "data", "", "data `folder` (default $VMDRIFT_DATA, or the user's data folder)")
	f.StringVarP(&a.flags.output, "output", "o", "table", "output `format`: table, json, yaml or csv")
	f.StringVar(&a.flags.colour, "color", "auto", "colours: auto (on a terminal), always or never")
	f.BoolVarP(&a.flags.verbose, "verbose", "v", false, "say on standard error what is being done")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	root.AddCommand(
		a.scanCommand(), a.snapshotCommand(), a.diffCommand(), a.doctorCommand(),
		a.driftCommand(), a.machinesCommand(), a.findCommand(), a.baselineCommand(), a.sourcesCommand(),
		a.serveCommand(), a.workCommand(), a.scheduleCommand(), a.runCommand(), a.workersCommand(),
		a.demoCommand(), a.probeCommand(), a.schemaCommand(), a.migrateCommand(), a.adminCommand(), a.healthCommand(), a.versionCommand(),
	)
	return root
}

// withoutConfig reports whether a command has no use for vmdrift.yaml, so that mistakes
// there don't stop it: who mends them may want the schema.
func withoutConfig(c *cobra.Command) bool {
	for ; c.HasParent(); c = c.Parent() {
		switch c.Name() {
		case "completion", "defaults", "demo", "diff", "health", "help", "probe", "schema", "version":
			return true
		}
	}
	return false
}

// group makes c a command that only has commands: without one it shows its help,
// and one that it does not have is an error.
func group(c *cobra.Command) *cobra.Command {
	c.SuggestionsMinimumDistance = 2
	c.Args = func(c *cobra.Command, given []string) error {
		if len(given) == 0 {
			return nil
		}
		text := fmt.Sprintf("there is no command %q", c.CommandPath()+" "+given[0])
		if near := c.SuggestionsFor(given[0]); len(near) > 0 {
			return fmt.Errorf("%s; did you mean %s?", text, strings.Join(near, " or "))
		}
		return fmt.Errorf("%s; see %s --help", text, c.CommandPath())
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// args wraps a cobra argument check so that its error says what was expected.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if check(c, given) != nil {
			what := "too many arguments"
			for n := len(given) + 1; n <= len(given)+2; n++ {
				if check(c, make([]string, n)) == nil {
					what = "an argument is missing"
				}
			}
			return fmt.Errorf("%s; usage: %s; see %s --help", what, c.UseLine(), c.CommandPath())
		}
		return nil
	}
}
