package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vmdrift/vmdrift/baseline"
)

// A compiled revision is a revision with its diff engine.
type compiled struct {
	Revision
	golden *baseline.Golden
}

// A goldenCache holds compiled revisions, which never change.
type goldenCache struct {
	mu   sync.Mutex
	byID map[RevisionID]*compiled
}

func (c *goldenCache) get(r Revision) (*compiled, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g, ok := c.byID[r.ID]; ok {
		return g, nil
	}
	golden, err := r.Spec.Compile()
	if err != nil {
		return nil, fmt.Errorf("baseline %s@%d: %w", r.Baseline, r.Number, err)
	}
	if c.byID == nil {
		c.byID = map[RevisionID]*compiled{}
	}
	g := &compiled{r, golden}
	c.byID[r.ID] = g
	return g, nil
}

// revisions are the latest revisions of all baselines.
type revisions []*compiled

func (s *Service) revisions(ctx context.Context, tx Tx) (revisions, error) {
	latest, err := tx.Baselines(ctx)
	if err != nil {
		return nil, fmt.Errorf("read baselines: %w", err)
	}
	out := make(revisions, len(latest))
	for i, r := range latest {
		if out[i], err = s.goldens.get(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose returns the revision that applies to a machine, or why none does: the
// baseline named by use; else the one whose selector selects it; else the one that it
// was compared with last, for a baseline that was named once goes on to apply.
//
// Where two select it equally well it returns both: the one that it was compared with last,
// if there is one, goes on to apply, since without any its findings would all be moot.
func (rs revisions) choose(m MachineRecord, use string) (*compiled, string) {
	named := func(name string) *compiled {
		i := slices.IndexFunc(rs, func(r *compiled) bool { return r.Baseline == name })
		if i < 0 {
			return nil
		}
		return rs[i]
	}
	if use != "" {
		if r := named(use); r != nil {
			return r, ""
		}
		return nil, "there is no baseline " + use
	}
	goldens := make([]*baseline.Golden, len(rs))
	for i, r := range rs {
		goldens[i] = r.golden
	}
	g, err := baseline.Select(goldens, m.Machine.Labels)
	switch {
	case err == nil:
		return rs[slices.Index(goldens, g)], ""
	case !errors.Is(err, baseline.ErrNoMatch):
		return named(m.Baseline), err.Error()
	}
	if r := named(m.Baseline); r != nil {
		return r, ""
	}
	return nil, "no baseline selects it"
}

// CheckBaseline returns an error if there is no baseline of that name. The empty name is none, and right.
func (s *Service) CheckBaseline(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := s.Revision(ctx, name, 0)
	return err
}

// Revision returns a revision of a baseline; number 0 is the latest.
func (s *Service) Revision(ctx context.Context, name string, number int) (Revision, error) {
	revs, err := s.store.Revisions(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return Revision{}, missing(fmt.Sprintf("there is no baseline %s; vmdrift baseline list shows those there are", name))
	}
	if err != nil {
		return Revision{}, err
	}
	for _, r := range revs {
		if number == 0 || r.Number == number {
			return r, nil
		}
	}
	return Revision{}, missing(fmt.Sprintf("baseline %s has no revision %d; its latest is %d", name, number, revs[0].Number))
}

// Applied is what became of one spec.
type Applied struct {
	Revision
	Unchanged bool // its content is that of the latest revision: nothing was written
}

// Apply makes each spec the latest revision of its baseline, all or none. A spec
// whose content is the latest revision's already is left alone.
func (s *Service) Apply(ctx context.Context, author, reason string, specs ...baseline.Spec) ([]Applied, error) {
	var out []Applied
	err := s.store.InTx(ctx, func(tx Tx) error {
		out = nil
		latest, err := tx.Baselines(ctx)
		if err != nil {
			return fmt.Errorf("read baselines: %w", err)
		}
		for _, spec := range specs {
			if _, err := spec.Compile(); err != nil {
				return fmt.Errorf("baseline %s: %w", spec.Name, err)
			}
			i := slices.IndexFunc(latest, func(r Revision) bool { return r.Baseline == spec.Name })
			next := Revision{Baseline: spec.Name, Number: 1, Author: author, Reason: reason, At: s.now(), Digest: spec.Digest(), Spec: spec}
			if i >= 0 {
				if latest[i].Digest == next.Digest {
					out = append(out, Applied{latest[i], true})
					continue
				}
				next.Number = latest[i].Number + 1
			}
			// Crash here: nothing is written. Somebody else wrote the number first: ErrConflict, and nothing either.
			written, err := tx.PutRevision(ctx, next)
			if err != nil {
				return fmt.Errorf("write baseline %s@%d: %w", next.Baseline, next.Number, err)
			}
			out = append(out, Applied{Revision: written})
		}
		return nil
	})
	return out, err
}

// missing is ErrNotFound, told in a sentence.
type missing string

func (m missing) Error() string        { return string(m) }
func (m missing) Is(target error) bool { return target == ErrNotFound }
