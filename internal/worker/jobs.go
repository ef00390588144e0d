package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/vmdrift/vmdrift/drift"
)

// The jobs of package drift as River knows them.
type (
	beginArgs  struct{ drift.BeginRun }
	scanArgs   struct{ drift.ScanMachine }
	closeArgs  struct{ drift.CloseRun }
	noticeArgs struct{ drift.SendNotice }
)

func (beginArgs) Kind() string  { return "begin_run" }
func (scanArgs) Kind() string   { return "scan_machine" }
func (closeArgs) Kind() string  { return "close_run" }
func (noticeArgs) Kind() string { return "send_notice" }

// central is the queue of what needs no network zone: it is worked on where the sources and channels are known.
const central = "central"

// manyTries is how often River tries a job that fails: what becomes of a machine after how many tries is
// decided by package drift, and a job that is lost would leave its run without an end.
const manyTries = 1000

// plainZone are the zones that can be part of a queue's name as they are; in River's names there are no upper-case letters and no dots.
var plainZone = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// QueueOf returns the queue of a network zone, another one for each. A zone comes from a label, which may hold anything: one that
// cannot be part of a name is named by its digest.
func QueueOf(zone string) string {
	if len(zone) <= 50 && plainZone.MatchString(zone) {
		return "zone_" + zone
	}
	return fmt.Sprintf("zonedigest_%x", sha256.Sum256([]byte(zone)))[:43]
}

func insertOf(job drift.Job) (river.InsertManyParams, error) {
	o := &river.InsertOpts{Queue: central, MaxAttempts: manyTries}
	switch j := job.(type) {
	case drift.BeginRun:
		return river.InsertManyParams{Args: beginArgs{j}, InsertOpts: o}, nil
	case drift.ScanMachine:
		o.Queue = QueueOf(j.Zone)
		return river.InsertManyParams{Args: scanArgs{j}, InsertOpts: o}, nil
	case drift.CloseRun:
		return river.InsertManyParams{Args: closeArgs{j}, InsertOpts: o}, nil
	case drift.SendNotice:
		return river.InsertManyParams{Args: noticeArgs{j}, InsertOpts: o}, nil
	}
	return river.InsertManyParams{}, fmt.Errorf("there is no queue for a %T", job)
}

// A Queue puts jobs down. It works on none.
type Queue struct{ client *river.Client[pgx.Tx] }

// NewQueue returns a queue. It needs no connection: jobs go into the transactions that make them.
func NewQueue() (*Queue, error) {
	client, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("make a queue: %w", err)
	}
	return &Queue{client}, nil
}

// Enqueue puts jobs down in a transaction.
func (q *Queue) Enqueue(ctx context.Context, t pgx.Tx, jobs []drift.Job) error {
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		var err error
		if params[i], err = insertOf(j); err != nil {
			return err
		}
	}
	_, err := q.client.InsertManyFastTx(ctx, t, params)
	return err
}

// Migrate makes the queue's tables, or brings them up to date.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err == nil {
		// Processes that start at once wait for one another.
		var conn *pgxpool.Conn
		if conn, err = pool.Acquire(ctx); err != nil {
			return fmt.Errorf("make the queue's tables: %w", err)
		}
		defer conn.Release()
		if _, err = conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrateLock); err != nil {
			return fmt.Errorf("make the queue's tables: %w", err)
		}
		defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrateLock) //nolint:errcheck // ends with the session at the latest
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return fmt.Errorf("make the queue's tables: %w", err)
	}
	return nil
}

// migrateLock is "vmdriver" in ASCII.
const migrateLock int64 = 0x766d647269766572

// Depth returns how many jobs of each queue wait, and how many are being worked on.
func Depth(ctx context.Context, pool *pgxpool.Pool) (waiting, running map[string]int, err error) {
	rows, err := pool.Query(ctx, `
		SELECT queue, state = 'running', count(*) FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') GROUP BY 1, 2`)
	if err != nil {
		return nil, nil, fmt.Errorf("read the queue: %w", err)
	}
	waiting, running = map[string]int{}, map[string]int{}
	var queue string
	var now bool
	var n int
	_, err = pgx.ForEachRow(rows, []any{&queue, &now, &n}, func() error {
		if now {
			running[queue] += n
		} else {
			waiting[queue] += n
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the queue: %w", err)
	}
	return waiting, running, nil
}

// rescue gives back the jobs of workers that are not on the list, because they died, and returns how many that were.
func rescue(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	tag, err := pool.Exec(ctx, `
		UPDATE river_job j SET state = 'available', scheduled_at = now()
		WHERE j.state = 'running' AND NOT EXISTS (
		  SELECT FROM workers w WHERE w.name = j.attempted_by[cardinality(j.attempted_by)]
		)`)
	if err != nil {
		return 0, fmt.Errorf("give back the jobs of dead workers: %w", err)
	}
	return tag.RowsAffected(), nil
}

// again makes River try a job again after a while, without counting this try.
func again(after time.Duration) error { return river.JobSnooze(max(after, 0)) }
