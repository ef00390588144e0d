package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
)

func hitText(hits []drift.Hit) (out []string) {
	for _, h := range hits {
		out = append(out, fmt.Sprintf("%s %s since %s", h.Machine, h.Item.Line(), h.Since.Format(time.DateOnly)))
	}
	return out
}

func anyItem(inventory.Item) bool { return true }

// What FindItems returns is what one finds by reading every machine's state, on any night.
func TestFindingItemsIsAsReadingEverything(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const machines, nights = 12, 8
	type seen struct {
		state *inventory.State
		since time.Time
	}
	var past [nights][machines]seen
	for n := range nights {
		run := startRun(t, s, night(n))
		for m := range machines {
			now := seen{since: night(n)}
			if n > 0 {
				now = past[n-1][m]
			}
			switch {
			case n == 0 && m < 10 || n == 3:
				other := map[int]string{}
				for range rng.IntN(4) {
					other[rng.IntN(40)] = []string{"2", ""}[rng.IntN(2)]
				}
				next := packages(t, 40, other)
				if now.state == nil || now.state.Digest() != next.Digest() {
					now = seen{next, night(n)}
				}
			case now.state != nil && rng.IntN(3) == 0:
				now = seen{packages(t, 40, map[int]string{rng.IntN(40): "2", rng.IntN(40): ""}), night(n)}
				if past[n-1][m].state.Digest() == now.state.Digest() {
					now = past[n-1][m]
				}
			}
			past[n][m] = now
			if now.state != nil {
				observe(t, s, run, machine(fmt.Sprintf("m%02d", m)), now.state)
			}
		}
	}
	version2 := func(it inventory.Item) bool { v, _ := it.Field("version"); return v == "2" }
	for _, c := range []struct {
		what     string
		prefixes []string
		match    func(inventory.Item) bool
	}{
		{"one key", []string{"deb/p007"}, anyItem},
		{"a version", nil, version2},
		{"overlapping prefixes", []string{"deb/p01", "deb/p010", "deb/p03"}, version2},
		{"everything", nil, anyItem},
		{"nothing", []string{"rpm/"}, anyItem},
	} {
		for n := -1; n <= nights; n++ {
			at, on := night(n).Add(time.Hour), n
			if n == nights {
				at, on = time.Time{}, nights-1
			}
			var want []drift.Hit
			for m := range machines {
				if n < 0 || past[on][m].state == nil {
					continue
				}
				for _, it := range past[on][m].state.Items() {
					asked := len(c.prefixes) == 0 || slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(it.Key(), p) })
					if asked && c.match(it) {
						want = append(want, drift.Hit{Machine: fmt.Sprintf("m%02d", m), Item: it, Since: past[on][m].since})
					}
				}
			}
			slices.SortStableFunc(want, func(a, b drift.Hit) int { return cmp.Compare(a.Machine, b.Machine) })
			got, err := s.FindItems(t.Context(), inventory.Packages, c.prefixes, c.match, at)
			must(t, err)
			if !slices.Equal(hitText(got), hitText(want)) {
				t.Fatalf("%s, night %d:\ngot  %v\nwant %v", c.what, n, hitText(got), hitText(want))
			}
		}
	}
}

func TestFindingIsExactAtTheMomentOfAChange(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	for n, v := range []string{"1", "2"} {
		observe(t, s, startRun(t, s, night(n)), machine("a"), packages(t, 20, map[int]string{0: v}))
	}
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{night(0).Add(-time.Microsecond), ""},
		{night(0), "1"},
		{night(1).Add(-time.Microsecond), "1"},
		{night(1), "2"},
		{night(9), "2"},
		{time.Time{}, "2"},
	} {
		hits, err := s.FindItems(t.Context(), inventory.Packages, []string{"deb/p000"}, anyItem, c.at)
		must(t, err)
		got := ""
		for _, h := range hits {
			v, _ := h.Item.Field("version")
			got += v
		}
		if got != c.want {
			t.Errorf("at %v: got %q, want %q", c.at, got, c.want)
		}
	}
}

func TestStrangeKeysAreFoundByTheirBeginning(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	long := strings.Repeat("ab", 20_000)
	keys := []string{"a%", "a_b", "aXb", `a\\b`, "é", "éa", "ê", "日本", "日本語", "\U0010fffd", "\ud7ff", "\ue000", long, long + "c", long[:250]}
	slices.Sort(keys)
	keys = slices.DeleteFunc(keys, func(k string) bool { return !inventory.IsCanonical(k) })
	var items []inventory.Item
	for _, k := range keys {
		items = append(items, item(t, k))
	}
	observe(t, s, startRun(t, s, night(0)), machine("a"), stateOf(t, inventory.Users, items...))
	for _, prefix := range append([]string{"", "a", "b", "x", "日", long[:230], long[:30_001]}, keys...) {
		hits, err := s.FindItems(t.Context(), inventory.Users, []string{prefix}, anyItem, time.Time{})
		must(t, err)
		var got []string
		for _, h := range hits {
			got = append(got, h.Item.Key())
		}
		want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		if !slices.Equal(got, want) {
			t.Errorf("%.40q: got %.40q, want %.40q", prefix, got, want)
		}
	}
	hits, err := s.FindItems(t.Context(), "no such facet", nil, anyItem, time.Time{})
	must(t, err)
	if len(hits) != 0 {
		t.Errorf("got %v", hits)
	}
}
