package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
)

// Totals implements drift.Nights.
func (s *Store) Totals(ctx context.Context) (drift.Totals, error) {
	out := drift.Totals{Findings: map[baseline.Severity]int{}, Drifts: map[baseline.Severity]int{}, Machines: map[collector.Outcome]int{}}
	err := s.read(ctx, func(q querier) error {
		type finding struct {
			Severity         int16
			Findings, Drifts int
		}
		// A drift counts once, with its worst severity.
		rows, err := q.Query(ctx, `
			WITH live AS (
			  SELECT f.change_id, max(f.severity) AS severity, count(*) AS findings
			  FROM findings f JOIN machines m ON m.id = f.machine_id
			  WHERE f.state IN ('open', 'acknowledged') AND m.gone_at IS NULL AND m.same_as IS NULL
			  GROUP BY f.change_id
			)
			SELECT severity, sum(findings) AS findings, count(*) AS drifts FROM live GROUP BY severity`)
		found, err := collect(rows, err, pgx.RowToStructByName[finding])
		if err != nil {
			return err
		}
		for _, f := range found {
			out.Findings[baseline.Severity(f.Severity)], out.Drifts[baseline.Severity(f.Severity)] = f.Findings, f.Drifts
		}
		type machine struct {
			Outcome  collector.Outcome
			Machines int
		}
		rows, err = q.Query(ctx, `
			SELECT CASE WHEN s.run_id = 0 THEN '' ELSE coalesce(p.outcome, 'ok') END AS outcome, count(*) AS machines
			FROM machines m JOIN machine_seen s ON s.machine_id = m.id
			LEFT JOIN machine_problems p ON p.machine_id = m.id AND p.until_run IS NULL
			WHERE m.gone_at IS NULL AND m.same_as IS NULL
			GROUP BY 1`)
		machines, err := collect(rows, err, pgx.RowToStructByName[machine])
		if err != nil {
			return err
		}
		for _, m := range machines {
			out.Machines[m.Outcome] = m.Machines
		}
		type notices struct{ Waiting, GivenUp int }
		rows, err = q.Query(ctx, `
			SELECT count(*) FILTER (WHERE NOT given_up) AS waiting, count(*) FILTER (WHERE given_up) AS given_up
			FROM notices WHERE sent_at IS NULL`)
		told, err := collect(rows, err, pgx.RowToStructByName[notices])
		if err != nil {
			return err
		}
		out.NoticesWaiting, out.NoticesGivenUp = told[0].Waiting, told[0].GivenUp
		return nil
	})
	return out, explain("add up", err)
}
