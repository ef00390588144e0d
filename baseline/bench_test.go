package baseline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// packages944 is a state of the size of a Debian server's packages; every item n
// with n%each == 0 has another version. Its text is its own, as that of a second machine would be.
func packages944(tb testing.TB, each int) *inventory.State {
	b := inventory.NewBuilder(inventory.Packages)
	for n := range 944 {
		b.Key(fmt.Sprintf("deb/libsomething-%04d:amd64", n))
		b.Field("hold", "no")
		b.Field("source", fmt.Sprintf("something-%04d", n))
		b.Field("state", "installed")
		version := fmt.Sprintf("1.%d.3-2+deb12u1", n)
		if each > 0 && n%each == 0 {
			version = fmt.Sprintf("1.%d.4-1", n)
		}
		b.Field("version", version)
	}
	s, err := b.State()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// BenchmarkDiff is the budget of one facet: 25 ns per item without rules, 40 with them. In turns with it the least
// is measured that finds the same items: a merge that compares each item of the one with its twin of the other.
func BenchmarkDiff(b *testing.B) {
	want, have := packages944(b, 0), packages944(b, 50)
	builtin := readDefaultsV1().Facets[inventory.Packages]
	all := func(rs ...Rule) []Rule { return append(builtin[:len(builtin):len(builtin)], rs...) }
	for _, bench := range []struct {
		name    string
		rules   []Rule
		have    *inventory.State
		changes int
	}{
		{"no rules", nil, have, 19},
		{"default rules", builtin, have, 19},
		{"default rules and a matcher for one package", all(Rule{Match: "deb/libsomething-0400:*", Field: "version", AtLeast: "1.2"}), have, 18},
		{"default rules and a matcher for all packages", all(Rule{Field: "version", AtLeast: "1.0"}), have, 0},
		{"nothing changed", builtin, packages944(b, 0), 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			rules, err := CompileRules(inventory.Packages, Closed, bench.rules)
			if err != nil {
				b.Fatal(err)
			}
			obs := inventory.Observe(bench.have)
			var diff, merge time.Duration
			for b.Loop() {
				start := time.Now()
				if n := len(Diff(obs, want, rules)); n != bench.changes {
					b.Fatalf("%d changes, want %d", n, bench.changes)
				}
				between := time.Now()
				leastMerge(bench.have.Items(), want.Items())
				diff, merge = diff+between.Sub(start), merge+time.Since(between)
			}
			b.ReportMetric(float64(diff.Nanoseconds())/float64(b.N)/944, "ns/item")
			b.ReportMetric(diff.Seconds()/merge.Seconds(), "x-merge")
		})
	}
}

// leastMerge counts the items that differ, and makes nothing of them.
//
//go:noinline
func leastMerge(h, w []inventory.Item) (n int) {
	i, j := 0, 0
	for i < len(h) && j < len(w) {
		switch {
		case h[i].Key() == w[j].Key():
			if h[i].Encoded() != w[j].Encoded() {
				n++
			}
			i, j = i+1, j+1
		case h[i].Key() < w[j].Key():
			n, i = n+1, i+1
		default:
			n, j = n+1, j+1
		}
	}
	return n + len(h) - i + len(w) - j
}

// A question about a fleet compares every distinct version of it.
func BenchmarkCompareVersions(b *testing.B) {
	for _, key := range []string{"deb/openssl:amd64", "rpm/openssl:x86_64", "apk/openssl:x86_64", "pacman/openssl:x86_64"} {
		b.Run(key[:strings.Index(key, "/")], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CompareVersions(key, "3.0.11-r1", "3.0.9-r2")
			}
		})
	}
}
