package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
)

// PutNotices implements drift.NightTx.
func (t *tx) PutNotices(ctx context.Context, id drift.RunID, channels []string, at time.Time) ([]drift.NoticeID, error) {
	rows, err := t.Query(ctx, `
		INSERT INTO notices (run_id, channel, made_at)
		SELECT $1, c, $3 FROM unnest($2::text[]) AS u (c)
		WHERE EXISTS (SELECT FROM runs WHERE id = $1 AND state NOT IN ('planned', 'running'))
		ON CONFLICT (run_id, channel) DO NOTHING
		RETURNING id`, int32(id), channels, stamp(at))
	ids, err := collect(rows, err, pgx.RowTo[int32])
	if err != nil {
		return nil, fmt.Errorf("write notices: %w", err)
	}
	out := make([]drift.NoticeID, len(ids))
	for i, n := range ids {
		out[i] = drift.NoticeID(n)
	}
	return out, nil
}

// LockNotice implements drift.NightTx.
func (t *tx) LockNotice(ctx context.Context, id drift.NoticeID) (drift.Notice, error) {
	ns, err := readNotices(ctx, t, ` WHERE id = $1 FOR UPDATE`, int32(id))
	if err == nil && len(ns) == 0 {
		return drift.Notice{}, fmt.Errorf("notice %d: %w", id, drift.ErrNotFound)
	}
	if err != nil {
		return drift.Notice{}, err
	}
	return ns[0], nil
}

// PutNotice implements drift.NightTx.
func (t *tx) PutNotice(ctx context.Context, n drift.Notice) error {
	var failure *string
	if n.Error != "" {
		failure = &n.Error
	}
	_, err := t.Exec(ctx, `UPDATE notices SET tries = $2, sent_at = $3, given_up = $4, error = $5, claimed_until = $6 WHERE id = $1`,
		int32(n.ID), n.Tries, orNull(n.SentAt), n.GivenUp, failure, orNull(n.ClaimedUntil))
	if err != nil {
		return fmt.Errorf("write a notice: %w", err)
	}
	return nil
}

// Notices implements drift.Nights.
func (s *Store) Notices(ctx context.Context, run drift.RunID) ([]drift.Notice, error) {
	return readNotices(ctx, s.pool, ` WHERE run_id = $1 ORDER BY channel`, int32(run))
}

func readNotices(ctx context.Context, q querier, where string, args ...any) ([]drift.Notice, error) {
	type row struct {
		ID, RunID, Tries     int32
		MadeAt               time.Time
		SentAt, ClaimedUntil *time.Time
		GivenUp              bool
		Channel              string
		Error                *string
	}
	rows, err := q.Query(ctx, `SELECT id, run_id, tries, made_at, sent_at, claimed_until, given_up, channel, error FROM notices`+where, args...)
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	if err != nil {
		return nil, explain("read notices", err)
	}
	out := make([]drift.Notice, len(found))
	for i, r := range found {
		out[i] = drift.Notice{
			ID: drift.NoticeID(r.ID), Run: drift.RunID(r.RunID), Channel: r.Channel, MadeAt: r.MadeAt, SentAt: orZero(r.SentAt),
			Tries: int(r.Tries), GivenUp: r.GivenUp, ClaimedUntil: orZero(r.ClaimedUntil),
		}
		if r.Error != nil {
			out[i].Error = *r.Error
		}
	}
	return out, nil
}
