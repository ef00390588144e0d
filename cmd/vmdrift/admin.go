package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmdrift/vmdrift/internal/embeddedpg"
	"github.com/vmdrift/vmdrift/store"
)

// defaultKeep is for how many days history is kept: a year, and the month in which one looks back at it.
const defaultKeep = 400

func (a *app) adminCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "admin", GroupID: "setup", Short: "Look after the database"})
	c.AddCommand(a.adminStats(), a.adminGC(), a.adminDump(), a.adminRestore())
	return c
}

// A statsRow is a table of the database.
type statsRow struct {
	Schema     string `json:"schema" jsonschema:"enum=vmdrift.stats/v1"`
	Table      string `json:"table"`
	Bytes      int64  `json:"bytes" jsonschema:"description=With its indexes and partitions."`
	Rows       int64  `json:"rows" jsonschema:"description=Estimated."`
	Dead       int64  `json:"dead" jsonschema:"description=Rows to be vacuumed; estimated."`
	Partitions int    `json:"partitions"`
}

func (a *app) adminStats() *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Show what takes how much room in the database", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			tables, size, err := st.Stats(c.Context())
			if err != nil {
				return err
			}
			nights, err := st.Nights(c.Context())
			if err != nil {
				return err
			}
			rows, cells := []statsRow{}, [][]string{}
			for _, t := range tables {
				rows = append(rows, statsRow{"vmdrift.stats/v1", t.Table, t.Bytes, t.Rows, t.Dead, t.Partitions})
				cells = append(cells, []string{t.Table, fmt.Sprint(t.Bytes), fmt.Sprint(t.Rows), fmt.Sprint(t.Dead), fmt.Sprint(t.Partitions)})
			}
			return a.print(listing{rows, []string{"table", "bytes", "rows", "dead", "partitions"}, cells, func(w io.Writer) {
				t, flush := columns(w)
				fmt.Fprintln(t, "TABLE\tSIZE\tROWS\tDEAD\tPARTITIONS")
				for _, r := range rows {
					if r.Bytes < 64<<10 && r.Rows == 0 {
						continue
					}
					fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\n", r.Table, sizeText(r.Bytes), r.Rows, r.Dead, r.Partitions)
				}
				flush()
				fmt.Fprintf(w, "\n%s in all", sizeText(size))
				if nights > 0 {
					fmt.Fprintf(w, "; %d machines were recorded in runs, %d bytes each", nights, size/nights)
				}
				fmt.Fprintln(w)
			}})
		},
	}
}

// sizeText writes "12.3 MiB".
func sizeText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func (a *app) adminGC() *cobra.Command {
	days := 0
	c := &cobra.Command{
		Use: "gc", Short: "Forget history that is older than it is kept", Args: args(cobra.NoArgs),
		Long: `Gc drops the months that are older than keep_days in vmdrift.yaml (400 if it does not
say): how machines ended in runs, what befell findings, and what machines were before
they changed. What is so now stays, however old it is. vmdrift serve does the same
every hour.`,
	}
	c.Flags().IntVar(&days, "keep-days", 0, "keep that many `days` (default keep_days of vmdrift.yaml, or 400)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("keep-days") && days < 1 {
			return fmt.Errorf("--keep-days is at least 1, not %d", days)
		}
		_, st, err := a.open(c.Context())
		if err != nil {
			return err
		}
		cleaned, err := st.GC(c.Context(), time.Now().AddDate(0, 0, -either(days, a.keepDays())))
		if err != nil {
			return err
		}
		for _, p := range cleaned.Partitions {
			fmt.Fprintf(a.stdout, "dropped %s\n", p)
		}
		fmt.Fprintf(a.stdout, "%s dropped, %s deleted\n", count(len(cleaned.Partitions), "month", "months"), count(int(cleaned.Rows), "row", "rows"))
		return nil
	}
	return c
}

func (a *app) keepDays() int { return either(a.config.KeepDays, defaultKeep) }

func (a *app) adminDump() *cobra.Command {
	return &cobra.Command{
		Use: "dump FILE", Short: "Back the database up into a file, while everything goes on", Args: args(cobra.ExactArgs(1)),
		Long: `Dump writes the whole database into a file, by pg_dump in its custom format. It may be
made while runs go on: what is restored from it goes on from there.`,
		RunE: func(c *cobra.Command, names []string) error {
			_, st, err := a.open(c.Context())
			if err != nil {
				return err
			}
			part := names[0] + ".part"
			defer os.Remove(part)
			if err := a.pgProgram(c.Context(), "pg_dump", st, "--format=custom", "--no-owner", "--file="+part); err != nil {
				return err
			}
			if err := os.Chmod(part, 0o600); err != nil {
				return err
			}
			return os.Rename(part, names[0])
		},
	}
}

func (a *app) adminRestore() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Restore a backup into an empty database", Args: args(cobra.ExactArgs(1)),
		Long: `Restore reads what admin dump wrote into the database that --database, vmdrift.yaml or
DATABASE_URL names, or into a private cluster in a new --data folder. The database
must be empty: nothing is overwritten. Start vmdrift serve afterwards.`,
		RunE: func(c *cobra.Command, names []string) error {
			if _, err := os.Stat(names[0]); err != nil {
				return err
			}
			st, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			version, err := st.SchemaVersion(c.Context())
			if err != nil {
				return err
			}
			if version > 0 {
				return errors.New("the database is in use: restore into an empty one, and point database in vmdrift.yaml at it")
			}
			if err := a.pgProgram(c.Context(), "pg_restore", st, "--no-owner", "--exit-on-error", "--single-transaction", names[0]); err != nil {
				return err
			}
			return st.Migrate(c.Context())
		},
	}
}

// pgProgram runs one of PostgreSQL's programs on the store's database. Its error is what the program says.
func (a *app) pgProgram(ctx context.Context, name string, st *store.Store, args ...string) error {
	path, err := embeddedpg.Program(ctx, name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--dbname=" + withoutPassword(st.URL())}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+st.Pool().Config().ConnConfig.Password)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return nil
}

var passwordWord = regexp.MustCompile(`(?i)\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)

// withoutPassword takes the password out of how a database is named: everybody on the host can read a program's arguments.
func withoutPassword(database string) string {
	u, err := url.Parse(database)
	if err != nil || u.Scheme == "" {
		return passwordWord.ReplaceAllString(database, "")
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	q.Del("password")
	u.RawQuery = q.Encode()
	return u.String()
}
