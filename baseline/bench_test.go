package baseline

import (
	"fmt"
	"strings"
	"testing"

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

// BenchmarkDiff is the budget of one facet: 25 ns per item without rules, 40 with them.
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
			for b.Loop() {
				if n := len(Diff(obs, want, rules)); n != bench.changes {
					b.Fatalf("%d changes, want %d", n, bench.changes)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/944, "ns/item")
		})
	}
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
