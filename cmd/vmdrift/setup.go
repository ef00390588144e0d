package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

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
