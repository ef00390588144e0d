package drift

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/cron"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Schedule says when which machines are scanned.
type Schedule struct {
	ID         ScheduleID
	Name       string
	FromConfig bool // it stands in vmdrift.yaml
	Paused     bool
	Spec       ScheduleSpec
	NextAt     time.Time // when it is due next; zero: never again
	// Last is its last run that has ended, and LastSuccess the last one that finished without an alarm. Nil if there is none.
	Last, LastSuccess *Run
}

// A ScheduleID is the store's.
type ScheduleID int32

// A ScheduleSpec is what a person says of a schedule.
type ScheduleSpec struct {
	Cron   string        `json:"cron"`
	Jitter time.Duration `json:"jitter,omitempty"` // a run begins up to that much later, so that not all begin at once
	Scope
}

// Check returns what is wrong with the spec.
func (s ScheduleSpec) Check() error {
	c, err := cron.Parse(s.Cron, s.TimeZone)
	if err != nil {
		return err
	}
	if _, err := cron.ParseBlackouts(s.Blackouts, s.TimeZone); err != nil {
		return err
	}
	if _, err := baseline.ParseSelector(s.Where); err != nil {
		return fmt.Errorf("where: %w", err)
	}
	switch {
	case c.Next(time.Now()).IsZero():
		return fmt.Errorf("%q is never due", s.Cron)
	case s.Concurrency < 0:
		return fmt.Errorf("concurrency is at least 1, not %d", s.Concurrency)
	case s.Deadline < 0 || s.Jitter < 0:
		return fmt.Errorf("a deadline and a jitter are no time that lies behind")
	case s.MinCoverage < 0 || s.MinCoverage > 1:
		return fmt.Errorf("min_coverage is a share from 0 to 1, not %v", s.MinCoverage)
	}
	return nil
}

// next is when the schedule is due after t.
func (s ScheduleSpec) next(t time.Time) time.Time {
	c, err := cron.Parse(s.Cron, s.TimeZone)
	if err != nil {
		return time.Time{} // it was checked when it was written; another program wrote this
	}
	return c.Next(t)
}

// latest is the last time that the schedule was due, from due, which it was, to now.
func (s ScheduleSpec) latest(due, now time.Time) (latest, next time.Time) {
	for latest = due; ; latest = next {
		if next = s.next(latest); next.IsZero() || next.After(now) {
			return latest, next
		}
	}
}

// jitter is the same for one due time, whoever computes it.
func (s ScheduleSpec) jitter(name string, due time.Time) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d", name, due.Unix())
	return time.Duration(h.Sum64() % uint64(s.Jitter)).Truncate(time.Second)
}

// free is when nothing keeps the scope from being scanned, t itself if nothing does now.
func (s Scope) free(t time.Time) time.Time {
	bs, err := cron.ParseBlackouts(s.Blackouts, s.TimeZone)
	if err != nil {
		return t
	}
	if at := bs.Until(t); !at.IsZero() {
		return at
	}
	return t.AddDate(1, 0, 0)
}

// Closed returns for how long nothing of the scope may be scanned; 0 if it may be.
func (s Scope) Closed(t time.Time) time.Duration { return s.free(t).Sub(t) }

// Schedules returns all schedules, sorted by name.
func (s *Service) Schedules(ctx context.Context) ([]Schedule, error) { return s.store.Schedules(ctx) }

// SyncSchedules makes the schedules of the configuration those that are named, and forgets the ones of it that are not
// any more. One whose times are as before keeps when it is due; a paused one stays so. A name that was added
// by command is ErrExists.
func (s *Service) SyncSchedules(ctx context.Context, wanted []Schedule) error {
	return s.store.InTx(ctx, func(tx Tx) error {
		have, err := tx.LockSchedules(ctx)
		if err != nil {
			return err
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		byName := map[string]Schedule{}
		for _, h := range have {
			byName[h.Name] = h
		}
		for _, w := range wanted {
			old, there := byName[w.Name]
			if there && !old.FromConfig {
				return exists(fmt.Sprintf("schedule %s stands in vmdrift.yaml and was added by command too; take one of them away (vmdrift schedule remove %s)", w.Name, w.Name))
			}
			w.ID, w.FromConfig, w.Paused, w.NextAt = old.ID, true, old.Paused, old.NextAt
			if !there || old.Spec.Cron != w.Spec.Cron || old.Spec.TimeZone != w.Spec.TimeZone {
				w.NextAt = w.Spec.next(now)
			}
			if err := tx.PutSchedule(ctx, w); err != nil {
				return err
			}
			delete(byName, w.Name)
		}
		for _, h := range byName {
			if h.FromConfig {
				if err := tx.DeleteSchedule(ctx, h.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// AddSchedule adds one by command. ErrExists if there is one of that name.
func (s *Service) AddSchedule(ctx context.Context, name string, spec ScheduleSpec) (Schedule, error) {
	if err := spec.Check(); err != nil {
		return Schedule{}, err
	}
	var out Schedule
	err := s.store.InTx(ctx, func(tx Tx) error {
		have, err := tx.LockSchedules(ctx)
		if err != nil {
			return err
		}
		for _, h := range have {
			if h.Name == name {
				return exists(fmt.Sprintf("there is a schedule %s already; vmdrift schedule list shows it", name))
			}
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		out = Schedule{Name: name, Spec: spec, NextAt: spec.next(now)}
		return tx.PutSchedule(ctx, out)
	})
	return out, err
}

// ChangeSchedule pauses one, or lets it go on: then it is due next after now, and what was missed meanwhile stays so.
func (s *Service) ChangeSchedule(ctx context.Context, name string, pause bool) error {
	return s.withSchedule(ctx, name, func(tx Tx, have Schedule) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		if have.Paused && !pause {
			have.NextAt = have.Spec.next(now)
		}
		have.Paused = pause
		return tx.PutSchedule(ctx, have)
	})
}

// RemoveSchedule removes one that was added by command; its runs stay.
func (s *Service) RemoveSchedule(ctx context.Context, name string) error {
	return s.withSchedule(ctx, name, func(tx Tx, have Schedule) error {
		if have.FromConfig {
			return fmt.Errorf("schedule %s stands in vmdrift.yaml; take it out there", name)
		}
		return tx.DeleteSchedule(ctx, have.ID)
	})
}

func (s *Service) withSchedule(ctx context.Context, name string, f func(Tx, Schedule) error) error {
	return s.store.InTx(ctx, func(tx Tx) error {
		have, err := tx.LockSchedules(ctx)
		if err != nil {
			return err
		}
		for _, h := range have {
			if h.Name == name {
				return f(tx, h)
			}
		}
		return noSchedule(name)
	})
}

func noSchedule(name string) error {
	return missing(fmt.Sprintf("there is no schedule %s; vmdrift schedule list shows those there are", inventory.Escape(name)))
}

// exists is ErrExists, told in a sentence.
type exists string

func (e exists) Error() string        { return string(e) }
func (e exists) Is(target error) bool { return target == ErrExists }
