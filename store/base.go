package store

import (
	"slices"
	"sync"

	"github.com/vmdrift/vmdrift/inventory"
)

// A base is a state that is stored whole, so that others can be stored as what
// is more and what is less than there.
type base struct {
	id    int32 // 0 while it is only about to be stored
	state *inventory.State
	ids   []int32 // ids of state.Items(), in their order; nil while id is 0
}

// A delta is a state seen from a base: positions in their items.
type delta struct {
	added   []int // in the state
	removed []int // in the base
}

// deltaTo returns s as seen from b, and false if they differ in more than limit items. Both
// are sorted, so one walk over them does it, and two unlike ones part early.
func deltaTo(b, s *inventory.State, limit int) (delta, bool) {
	was, is := b.Items(), s.Items()
	var d delta
	i, j := 0, 0
	for i < len(was) || j < len(is) {
		if len(d.added)+len(d.removed) > limit {
			return delta{}, false
		}
		switch {
		case j == len(is) || i < len(was) && was[i].Key() < is[j].Key():
			d.removed = append(d.removed, i)
			i++
		case i == len(was) || is[j].Key() < was[i].Key():
			d.added = append(d.added, j)
			j++
		default:
			if was[i].Encoded() != is[j].Encoded() {
				d.removed, d.added = append(d.removed, i), append(d.added, j)
			}
			i++
			j++
		}
	}
	return d, len(d.added)+len(d.removed) <= limit
}

// worth returns how many items a delta may have. Not only must it be smaller than the
// state itself (an id takes four bytes in either form, a second array sixteen more): a state
// that is further off is of another kind, and is itself what those like it are near to.
func worth(s *inventory.State) int { return min(s.Len()-5, max(4, s.Len()/8)) }

// apply is the inverse of deltaTo.
func (b *base) apply(removed []int32, added []inventory.Item) []inventory.Item {
	gone := make(map[int32]bool, len(removed))
	for _, id := range removed {
		gone[id] = true
	}
	items := make([]inventory.Item, 0, b.state.Len()+len(added))
	slices.SortFunc(added, byKey)
	for i, it := range b.state.Items() {
		if gone[b.ids[i]] {
			continue
		}
		for len(added) > 0 && added[0].Key() < it.Key() {
			items, added = append(items, added[0]), added[1:]
		}
		items = append(items, it)
	}
	return append(items, added...)
}

func byKey(a, b inventory.Item) int {
	switch {
	case a.Key() < b.Key():
		return -1
	case a.Key() > b.Key():
		return 1
	}
	return 0
}

// recentBases are the bases used last, per facet: candidates for a state of a machine of
// which nothing is known yet, and for one that has become unlike its golden one.
type recentBases struct {
	below *recentBases

	mu  sync.Mutex
	all map[inventory.Facet][]*base // the one used last comes last
}

const maxRecentBases = 32

func (r *recentBases) note(b *base) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[inventory.Facet][]*base{}
	}
	f := b.state.Facet()
	list := r.all[f]
	if n := len(list); n > 0 && list[n-1].id == b.id {
		return
	}
	list = slices.DeleteFunc(slices.Clone(list), func(o *base) bool { return o.id == b.id })
	r.all[f] = append(list, b)[max(0, len(list)+1-maxRecentBases):]
}

// of returns the bases of a facet, the one used last first.
func (r *recentBases) of(f inventory.Facet) []*base {
	r.mu.Lock()
	list := slices.Clone(r.all[f])
	r.mu.Unlock()
	slices.Reverse(list)
	if r.below != nil {
		list = append(list, r.below.of(f)...)
	}
	return list
}

func (r *recentBases) merge(o *recentBases) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range o.all {
		for _, b := range list {
			r.note(b)
		}
	}
}
