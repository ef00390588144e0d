package drift

import (
	"context"
	"fmt"
	"slices"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// Here reports whether the record is of a machine of its own that its source still lists.
func (r MachineRecord) Here() bool { return r.SameAs == "" && r.GoneAt.IsZero() }

// A SourceAnswer is what a source that listed everything it has listed: the native ids.
type SourceAnswer struct {
	Source string
	IDs    []string
}

// Register takes what sources list and returns it machine by machine: what was found to be
// one machine is one, with all that is listed of it. Machines that a source of answered lists no
// more are gone from now on; a source that is not in it failed, or listed a part, and takes no machine away.
//
// Of the second value each entry is a sentence for a source that answers and lists nothing where it had
// machines. Its user may have lost the right to see them, so they stay.
func (s *Service) Register(ctx context.Context, listed []collector.Listed, answered []SourceAnswer) ([]Sighting, []string, error) {
	var empty []string
	err := s.store.InTx(ctx, func(tx Tx) error {
		empty = nil
		for _, a := range answered {
			n, err := tx.SetListed(ctx, a.Source, a.IDs, s.now())
			if err != nil {
				return fmt.Errorf("record what source %s lists: %w", a.Source, err)
			}
			if n > 0 && len(a.IDs) == 0 {
				empty = append(empty, fmt.Sprintf("source %s lists no machine, and had %d: they are kept; look whether its user may still see them", a.Source, n))
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	aliases, err := s.store.Aliases(ctx)
	if err != nil {
		return nil, nil, err
	}
	return sightings(listed, aliases), empty, nil
}

// SourcesOf returns the other sources that are known to list one of these machines too, sorted.
func (s *Service) SourcesOf(ctx context.Context, ids []inventory.MachineID) ([]string, error) {
	aliases, err := s.store.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	into := map[inventory.MachineID]bool{}
	for _, a := range aliases {
		if slices.Contains(ids, a.ID) || slices.Contains(ids, a.Into.ID) {
			into[a.Into.ID] = true
		}
	}
	var out []string
	for _, a := range aliases {
		if into[a.Into.ID] {
			out = append(out, a.ID.Source, a.Into.ID.Source)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Link records which of the machines that a run saw are one, and which are not any more what they
// were taken for. It may run again: what is linked already stays so. It returns the links, all in effect
// with the next run.
func (s *Service) Link(ctx context.Context, seen []Sighting) ([]Link, error) {
	apart, found := strangers(seen), links(seen)
	if len(apart)+len(found) == 0 {
		return nil, nil
	}
	err := s.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Unlink(ctx, apart); err != nil {
			return fmt.Errorf("part machines: %w", err)
		}
		for _, l := range found {
			if err := tx.Link(ctx, l); err != nil {
				return fmt.Errorf("link %s to %s: %w", text(l.From), text(l.Into), err)
			}
		}
		return nil
	})
	return found, err
}

// Forget takes machines off the list that nobody lists any more and no source takes away: what somebody typed
// once, or wrote into the configuration. Their history stays, and who is scanned again is back.
func (s *Service) Forget(ctx context.Context, ms []MachineRow) error {
	return s.store.InTx(ctx, func(tx Tx) error { return tx.Forget(ctx, ms, s.now()) })
}

func text(id inventory.MachineID) string { return id.Source + "/" + id.NativeID }
