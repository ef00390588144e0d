package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/drift"
)

// recordOne records the result of one machine as a run of its own.
func (a *app) recordOne(ctx context.Context, svc *drift.Service, trigger string, res collector.Result) error {
	run, err := svc.StartRun(ctx, trigger, 1)
	if err != nil {
		return err
	}
	if _, err := svc.Record(ctx, run, []collector.Result{res}, ""); err != nil {
		return err
	}
	return svc.FinishRun(ctx, run.ID, drift.RunFinished)
}

// A runRow is one scan of a scope.
type runRow struct {
	Schema   string                    `json:"schema" jsonschema:"enum=vmdrift.run/v1"`
	Run      drift.RunID               `json:"run"`
	Trigger  string                    `json:"trigger" jsonschema:"description=The command that asked for it: scan or capture."`
	State    drift.RunState            `json:"state"`
	Started  time.Time                 `json:"started"`
	Finished *time.Time                `json:"finished,omitempty"`
	Planned  int                       `json:"planned" jsonschema:"description=How many machines it was to scan."`
	Outcomes map[collector.Outcome]int `json:"outcomes" jsonschema:"description=How many machines ended how."`
}

func (a *app) runsCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "runs", GroupID: "know", Short: "List the latest scans: when, how many machines, how they went", Args: args(cobra.NoArgs),
	}
	c.Flags().IntVar(&limit, "limit", 20, "at most that many")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 {
			return fmt.Errorf("--limit is at least 1, not %d", limit)
		}
		_, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		runs, err := st.ListRuns(c.Context(), limit)
		if err != nil {
			return err
		}
		rows, cells := []runRow{}, [][]string{}
		for _, r := range runs {
			rows = append(rows, runRow{"vmdrift.run/v1", r.ID, r.Trigger, r.State, r.StartedAt, timeOrNil(r.FinishedAt), r.Planned, r.Outcomes})
			cells = append(cells, []string{fmt.Sprint(r.ID), r.Trigger, string(r.State), r.StartedAt.UTC().Format(time.RFC3339), strconv.Itoa(r.Planned), outcomeText(r)})
		}
		return a.print(listing{rows, []string{"run", "trigger", "state", "started", "planned", "outcomes"}, cells, func(w io.Writer) {
			if len(runs) == 0 {
				fmt.Fprintln(w, "No run yet. Scan a machine: vmdrift scan root@web-1, or vmdrift scan --local")
				return
			}
			t, flush := columns(w)
			defer flush()
			fmt.Fprintln(t, "RUN\tWHAT\tSTATE\tSTARTED\tTOOK\tMACHINES")
			for _, r := range runs {
				took := "-"
				if !r.FinishedAt.IsZero() {
					took = r.FinishedAt.Sub(r.StartedAt).Round(10 * time.Millisecond).String()
				}
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Trigger, r.State, when(r.StartedAt, time.Now()), took, outcomeText(r))
			}
		}})
	}
	return c
}

// outcomeText writes "3 of 4: 2 ok, 1 unreachable".
func outcomeText(r drift.Run) string {
	text, n := "", 0
	for _, o := range slices.Sorted(func(yield func(collector.Outcome) bool) {
		for o := range r.Outcomes {
			if !yield(o) {
				return
			}
		}
	}) {
		if n > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", r.Outcomes[o], o)
		n += r.Outcomes[o]
	}
	if text == "" {
		return fmt.Sprintf("0 of %d", r.Planned)
	}
	return fmt.Sprintf("%d of %d: %s", n, r.Planned, text)
}

func (a *app) probeCommand() *cobra.Command {
	var digest bool
	var install string
	c := &cobra.Command{
		Use:     "probe",
		GroupID: "setup",
		Short:   "Print the script that runs on machines, its digest, and how to pin it",
		Long: `Probe prints the POSIX shell script that every scan runs on every machine: the same
bytes each time. It writes nothing and changes nothing there.

Pinned, a machine lets the scanner's key run this script and nothing else: put it
at /usr/local/libexec/vmdrift-probe, and add the two lines that --install prints.`,
		Example: `  vmdrift probe | less
  vmdrift probe > vmdrift-probe && vmdrift probe --digest
  vmdrift probe --install vmdrift`,
		Args: args(cobra.NoArgs),
	}
	c.Flags().BoolVar(&digest, "digest", false, "print its SHA-256 instead")
	c.Flags().StringVar(&install, "install", "", "print the two lines that pin it for that `user`")
	c.RunE = func(*cobra.Command, []string) error {
		switch {
		case install != "":
			return a.writeInstall(install)
		case digest:
			_, err := fmt.Fprintln(a.stdout, guest.ScriptDigest())
			return err
		}
		_, err := a.stdout.Write(guest.Script())
		return err
	}
	return c
}

// writeInstall tells how a machine is made to run the probe and nothing else.
func (a *app) writeInstall(user string) error {
	if strings.ContainsFunc(user, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) || strings.HasPrefix(user, "-") {
		return fmt.Errorf("%q is no user name", user)
	}
	_, err := fmt.Fprintf(a.stdout, `# On each machine, as root. The script's bytes are pinned: after an update of vmdrift
# that changes them (vmdrift probe --digest), install it anew.
#
#   vmdrift probe | ssh root@MACHINE 'cat > %[1]s && chmod 755 %[1]s'

# ~%[2]s/.ssh/authorized_keys:
%[3]s

# /etc/sudoers.d/vmdrift:
%[4]s
`, guest.InstallPath, user, guest.AuthorizedKey("ssh-ed25519 PUBLIC-KEY-OF-THE-SCANNER"), guest.Sudoers(user))
	return err
}

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", GroupID: "setup", Short: "Bring the database's schema up to date", Args: args(cobra.NoArgs),
		Long: `Migrate brings the schema up to date and says which version it has. Every command
that uses the database does so too; migrate is for those who let one role do it.`,
		RunE: func(c *cobra.Command, _ []string) error {
			_, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			v, err := st.SchemaVersion(c.Context())
			if err != nil {
				return err
			}
			text := strconv.FormatInt(v, 10)
			return a.print(listing{map[string]int64{"version": v}, []string{"version"}, [][]string{{text}}, func(w io.Writer) {
				fmt.Fprintf(w, "The schema is up to date: version %s.\n", text)
			}})
		},
	}
}

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version = ""

// programVersion is what the build was told, or what Go knows of it.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case ok && info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "development"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", GroupID: "setup", Short: "Print the version", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v, probe := programVersion(), guest.ScriptDigest()
			data := struct {
				Version string `json:"version"`
				Probe   string `json:"probe"`
				Go      string `json:"go"`
			}{v, probe, runtime.Version()}
			return a.print(listing{data, []string{"version", "probe", "go"}, [][]string{{v, probe, data.Go}}, func(w io.Writer) {
				fmt.Fprintf(w, "vmdrift %s, probe %.12s, %s\n", v, probe, data.Go)
			}})
		},
	}
}
