package drift

import (
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// A view is what is known of one machine at the moment of a comparison.
type view struct {
	// facets holds what was observed of each facet. One that is not in it could not be read.
	facets map[inventory.Facet]inventory.Observation
	// golden is what it is compared with. Without one every finding has lost its meaning.
	golden *baseline.Golden
	at     time.Time
}

// A retarget is a finding that goes on under a change that says more, or less, of the same.
type retarget struct{ from, to Finding }

// A plan is what a reconciliation wants written.
type plan struct {
	put      []Finding
	retarget []retarget
	told     []FindingEvent // what befalls them
}

// reconcile holds the findings of one machine against the changes that the diff
// returned, and returns only what is to be written: findings that open, reopen,
// resolve, or go on under another change. known has all findings that are not
// resolved, and the resolved ones that one of the changes would reopen.
//
// Unknown is not absent: what v does not show conclusively stays as it is.
func reconcile(m MachineRow, known []Finding, changes []baseline.Change, v view) plan {
	var p plan
	resolved := map[inventory.Digest]Finding{}
	var live []Finding
	for _, f := range known {
		if f.State == Resolved {
			resolved[f.Change.Digest()] = f
		} else {
			live = append(live, f)
		}
	}
	fresh := map[place]baseline.Change{} // what no finding tells yet
	for _, c := range changes {
		fresh[placeOf(c)] = c
	}

	for _, f := range live {
		now, there := fresh[placeOf(f.Change)]
		same := there && f.Change.Compatible(now)
		if same {
			delete(fresh, placeOf(now))
		}
		switch {
		case same && f.Change.Digest() == now.Digest():
			if f.Change.Severity != now.Severity {
				f.Change.Severity = now.Severity
				p.put = append(p.put, f)
			}
		case same && v.unknown(f.Change, now):
			// Tonight says less than the finding does: it is the same, seen dimly.
		case same:
			to := f
			to.ChangeID, to.Change = 0, now
			p.retarget = append(p.retarget, retarget{f, to})
			p.told = append(p.told, FindingEvent{Finding: to, Kind: EventContinued})
		case there && contradict(f.Change, now) || v.golden == nil || v.golden.Gone(f.Change, v.facets[f.Change.Facet]):
			f.State, f.ResolvedAt = Resolved, v.at
			p.put = append(p.put, f)
			p.told = append(p.told, FindingEvent{Finding: f, Kind: EventResolved})
		}
	}
	for _, c := range changes {
		if _, ok := fresh[placeOf(c)]; !ok {
			continue
		}
		f := Finding{Machine: m, Change: c, State: Open, FirstSeen: v.at, OpenedAt: v.at, LastSeen: v.at}
		kind := EventOpened
		if old, ok := resolved[c.Digest()]; ok {
			f.ChangeID, f.FirstSeen, f.Reopened = old.ChangeID, old.FirstSeen, old.Reopened+1
			kind = EventReopened
		}
		p.put = append(p.put, f)
		p.told = append(p.told, FindingEvent{Finding: f, Kind: kind})
	}
	return p
}

// A place is where a change is. A diff has at most one change at each.
type place struct {
	facet inventory.Facet
	key   string
	op    baseline.Op
}

func placeOf(c baseline.Change) place { return place{c.Facet, c.Key, c.Op} }

// contradict reports whether a field that both have is another in each: what was, is over.
func contradict(a, b baseline.Change) bool {
	for _, f := range a.Fields {
		g, both := b.Field(f.Name)
		if both && (f.WantOr("") != g.WantOr("") || f.HaveOr("") != g.HaveOr("")) {
			return true
		}
	}
	return false
}

// unknown reports whether some field of old that now lacks could not be read tonight.
func (v view) unknown(old, now baseline.Change) bool {
	o, ok := v.facets[old.Facet]
	if !ok || o.State == nil {
		return false
	}
	it, ok := o.State.Get(old.Key)
	if !ok {
		return false
	}
	for _, f := range old.Fields {
		if _, both := now.Field(f.Name); both {
			continue
		}
		if _, known := it.Field(f.Name); !known && f.Have != nil {
			return true
		}
	}
	return false
}
