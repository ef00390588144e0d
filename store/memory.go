package store

import (
	"sync"

	"github.com/vmdrift/vmdrift/inventory"
)

// How much of the dictionary a process remembers, about, and at most twice that.
const (
	maxIDs       = 150_000  // ids of items, states, changes: 50 bytes each
	maxItemBytes = 16 << 20 // texts of items
	maxBaseBytes = 64 << 20 // whole states that others are stored as deltas to
)

// memory is what is known of rows that never change. What it has forgotten is read again.
type memory struct {
	below *memory // of the process; nil if this is it

	facets  *cache[inventory.Facet, int16]
	names   *cache[int16, inventory.Facet]
	itemIDs *cache[itemDigest, int32]
	items   *cache[int32, inventory.Item]
	states  *cache[inventory.Digest, int32]
	digests *cache[int32, inventory.Digest]
	bases   *cache[int32, *base]
	changes *cache[inventory.Digest, int32]
	recent  *recentBases
}

func newMemory() *memory {
	return &memory{
		facets:  newCache[inventory.Facet, int16](maxIDs, nil),
		names:   newCache[int16, inventory.Facet](maxIDs, nil),
		itemIDs: newCache[itemDigest, int32](maxIDs, nil),
		items:   newCache[int32](maxItemBytes, func(it inventory.Item) int { return 64 + len(it.Key()) + len(it.Encoded()) }),
		states:  newCache[inventory.Digest, int32](maxIDs, nil),
		digests: newCache[int32, inventory.Digest](maxIDs, nil),
		bases:   newCache[int32](maxBaseBytes, func(b *base) int { return len(b.state.Text()) + 40*b.state.Len() }),
		changes: newCache[inventory.Digest, int32](maxIDs, nil),
		recent:  &recentBases{},
	}
}

// overlay returns a memory that sees through to m and keeps what it learns to itself.
func (m *memory) overlay() *memory {
	o := newMemory()
	o.below = m
	o.facets.below, o.names.below, o.itemIDs.below, o.items.below = m.facets, m.names, m.itemIDs, m.items
	o.states.below, o.digests.below, o.bases.below, o.changes.below = m.states, m.digests, m.bases, m.changes
	o.recent.below = m.recent
	return o
}

// merge takes over what a committed transaction learnt.
func (m *memory) merge(o *memory) {
	m.facets.merge(o.facets)
	m.names.merge(o.names)
	m.itemIDs.merge(o.itemIDs)
	m.items.merge(o.items)
	m.states.merge(o.states)
	m.digests.merge(o.digests)
	m.bases.merge(o.bases)
	m.changes.merge(o.changes)
	m.recent.merge(o.recent)
}

// A cache remembers about limit of what was used last. It has two generations: when the
// young one is full it becomes the old one, and the old one is forgotten.
type cache[K comparable, V any] struct {
	below *cache[K, V]
	weigh func(V) int // nil: everything weighs 1
	limit int

	mu         sync.Mutex
	young, old map[K]V
	weight     int // of young
}

func newCache[K comparable, V any](limit int, weigh func(V) int) *cache[K, V] {
	return &cache[K, V]{limit: limit, weigh: weigh}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	v, ok := c.young[k]
	if !ok {
		if v, ok = c.old[k]; ok {
			c.add(k, v)
		}
	}
	c.mu.Unlock()
	if !ok && c.below != nil {
		return c.below.get(k)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, v)
}

func (c *cache[K, V]) add(k K, v V) {
	w := 1
	if c.weigh != nil {
		w = c.weigh(v)
	}
	if c.weight+w > c.limit && len(c.young) > 0 {
		c.old, c.young, c.weight = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[K]V{}
	}
	if _, ok := c.young[k]; !ok {
		c.weight += w
	}
	c.young[k] = v
}

func (c *cache[K, V]) merge(o *cache[K, V]) {
	for _, generation := range []map[K]V{o.old, o.young} {
		for k, v := range generation {
			c.put(k, v)
		}
	}
}
