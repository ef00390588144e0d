package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cleaned is what a GC took away.
type Cleaned struct {
	Partitions []string // months that were dropped whole
	Rows       int64    // beside them
}

// GC forgets what lies before a time: how machines ended in runs, what befell findings, what machines were before they
// changed, findings that were resolved by then, and notices. Months that lie before it whole are dropped with their table, which takes
// no time and leaves nothing to vacuum. What is so now stays, however old it is; so do runs, which are small, and the
// dictionary of states, whose ids are names.
//
// It may be stopped at any point and run again.
func (s *Store) GC(ctx context.Context, before time.Time) (Cleaned, error) {
	var out Cleaned
	rows, err := s.pool.Query(ctx, `
		SELECT c.relname FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		JOIN pg_class p ON p.oid = i.inhparent
		WHERE p.relname IN ('run_results', 'finding_events', 'state_history')
		  AND c.relname ~ '_[0-9]{6}$'
		  AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= ($1 AT TIME ZONE 'UTC')
		ORDER BY c.relname`, stamp(before))
	months, err := collect(rows, err, pgx.RowTo[string])
	if err != nil {
		return out, explain("look for old months", err)
	}
	for _, m := range months {
		if _, err := s.pool.Exec(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{m}.Sanitize()); err != nil {
			return out, explain("drop "+m, err)
		}
		out.Partitions = append(out.Partitions, m)
	}
	for _, q := range []string{
		`DELETE FROM run_results_rest WHERE at < $1`,
		`DELETE FROM finding_events_rest WHERE at < $1`,
		`DELETE FROM state_history_rest WHERE until_at < $1`,
		`DELETE FROM findings WHERE state = 'resolved' AND resolved_at < $1`,
		`DELETE FROM notices n USING runs r WHERE r.id = n.run_id AND r.finished_at < $1`,
		`DELETE FROM run_sightings s USING runs r WHERE r.id = s.run_id AND r.finished_at < $1`,
		`DELETE FROM machine_problems p USING runs r WHERE r.id = p.until_run AND r.started_at < $1`,
		`UPDATE runs SET machines = NULL WHERE finished_at < $1 AND machines IS NOT NULL`,
	} {
		tag, err := s.pool.Exec(ctx, q, stamp(before))
		if err != nil {
			return out, explain("forget what is old", err)
		}
		out.Rows += tag.RowsAffected()
	}
	return out, nil
}

// EnsurePartitions makes the months that will be written to until then.
func (s *Store) EnsurePartitions(ctx context.Context, since, until time.Time) error {
	_, err := s.pool.Exec(ctx, `SELECT ensure_partitions($1, $2)`, stamp(since), stamp(until))
	return explain("make the partitions of a month", err)
}

// A TableStat is how large a table is; one with partitions is all of them.
type TableStat struct {
	Table      string
	Bytes      int64 // with indexes
	Rows       int64 // estimated
	Dead       int64 // rows to be vacuumed, estimated
	Partitions int
}

// Stats returns the tables of the database, largest first, and its whole size in bytes.
func (s *Store) Stats(ctx context.Context) ([]TableStat, int64, error) {
	var all int64
	var out []TableStat
	err := s.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `
			SELECT coalesce(p.relname, c.relname) AS "table", sum(pg_total_relation_size(c.oid))::bigint AS bytes,
			       sum(greatest(coalesce(st.n_live_tup, 0), greatest(c.reltuples, 0)::bigint))::bigint AS rows, coalesce(sum(st.n_dead_tup), 0)::bigint AS dead, count(p.oid)::int AS partitions
			FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
			LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
			LEFT JOIN pg_class p ON p.oid = i.inhparent
			LEFT JOIN pg_stat_user_tables st ON st.relid = c.oid
			WHERE c.relkind = 'r'
			GROUP BY 1 ORDER BY 2 DESC, 1`)
		if out, err = collect(rows, err, pgx.RowToStructByName[TableStat]); err != nil {
			return err
		}
		rows, err = q.Query(ctx, `SELECT pg_database_size(current_database())`)
		size, err := collect(rows, err, pgx.RowTo[int64])
		if err == nil {
			all = size[0]
		}
		return err
	})
	return out, all, explain("look at the tables", err)
}

// Nights returns how many machine-nights are recorded: the outcomes of machines in runs.
func (s *Store) Nights(ctx context.Context) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `SELECT coalesce(sum(recorded), 0) FROM runs`).Scan(&n)
	return n, explain("count the nights", err)
}
