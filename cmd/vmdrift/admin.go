package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// defaultKeep is for how many days history is kept: a year, and the month in which one looks back at it.
const defaultKeep = 400

func (a *app) adminCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "admin", GroupID: "setup", Short: "Look after the database"})
	c.AddCommand(a.adminStats(), a.adminGC())
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
