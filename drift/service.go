package drift

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// A Service is the use cases over one store.
type Service struct {
	// UnseenAfter is how long nobody may have been inside a machine before that is drift.
	UnseenAfter time.Duration

	store   Store
	now     func() time.Time
	goldens goldenCache
}

// DefaultUnseenAfter is a week: a machine that is off over a weekend is not missed.
const DefaultUnseenAfter = 7 * 24 * time.Hour

// New returns the use cases over a store. now is the clock; time.Now if nil.
func New(store Store, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{UnseenAfter: DefaultUnseenAfter, store: store, now: now}
}

// StartRun begins a run over that many machines.
func (s *Service) StartRun(ctx context.Context, trigger string, planned int) (Run, error) {
	return s.store.StartRun(ctx, trigger, planned, s.now())
}

// FinishRun ends a run.
func (s *Service) FinishRun(ctx context.Context, id RunID, state RunState) error {
	return s.store.FinishRun(ctx, id, state, s.now())
}

// Findings returns findings that match, sorted by machine name, facet, key, op.
func (s *Service) Findings(ctx context.Context, q FindingQuery) ([]FindingRecord, error) {
	return s.store.Findings(ctx, q)
}

// Live returns the states of a finding that is there now and wants somebody's attention.
func Live() []FindingState { return []FindingState{Open, Acknowledged} }

// A Drift is the same change on one or more machines: one thing to act on.
type Drift struct {
	Change   baseline.Change // with the highest severity of its findings
	Findings []FindingRecord // at least one, sorted by machine name
}

// FirstSeen returns when the first of the machines had it.
func (d Drift) FirstSeen() time.Time {
	first := d.Findings[0].FirstSeen
	for _, f := range d.Findings {
		if f.FirstSeen.Before(first) {
			first = f.FirstSeen
		}
	}
	return first
}

// Group makes drifts of findings: worst first, then those on most machines, then by facet and key.
func Group(findings []FindingRecord) []Drift {
	at := map[inventory.Digest]int{}
	var out []Drift
	for _, f := range findings {
		d := f.Change.Digest()
		i, ok := at[d]
		if !ok {
			i = len(out)
			at[d] = i
			out = append(out, Drift{Change: f.Change})
		}
		out[i].Findings = append(out[i].Findings, f)
		out[i].Change.Severity = max(out[i].Change.Severity, f.Change.Severity)
	}
	slices.SortStableFunc(out, func(a, b Drift) int {
		if n := int(b.Change.Severity) - int(a.Change.Severity); n != 0 {
			return n
		}
		if n := len(b.Findings) - len(a.Findings); n != 0 {
			return n
		}
		return a.Change.Compare(b.Change)
	})
	return out
}

// WithID returns the findings, of those given, of the changes whose digest begins with id, and how many changes that
// are: one is what names a drift.
func WithID(findings []FindingRecord, id string) (found []FindingRecord, changes int) {
	id = strings.ToLower(id)
	names := map[ChangeID]bool{} // whether the change has it
	for _, f := range findings {
		has, known := names[f.ChangeID]
		if !known {
			has = strings.HasPrefix(f.Change.Digest().String(), id)
			names[f.ChangeID] = has
			if has {
				changes++
			}
		}
		if has {
			found = append(found, f)
		}
	}
	return found, changes
}
