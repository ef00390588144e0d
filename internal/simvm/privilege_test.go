package simvm_test

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestSudoSeesWhatRootSees(t *testing.T) {
	t.Parallel()
	eachDistribution(t, func(t *testing.T, d simvm.Distribution) {
		l, h := one(t, d)
		root, sudo := l.collect(t, h, simvm.Root), l.collect(t, h, simvm.Sudo)
		if root.Privilege != "root" || sudo.Privilege != "sudo" {
			t.Errorf("read as %q and %q", root.Privilege, sudo.Privilege)
		}
		for _, f := range inventory.GuestFacets() {
			if diff := gocmp.Diff(state(t, root, f).Text(), state(t, sudo, f).Text()); diff != "" {
				t.Errorf("%s: -root +sudo\n%s", f, diff)
			}
		}
	})
}

// Without root less is known, and nothing looks as if it had gone.
func TestPlainUserMissesFieldsAndRemovesNothing(t *testing.T) {
	t.Parallel()
	eachDistribution(t, func(t *testing.T, d simvm.Distribution) {
		l, h := one(t, d)
		g := golden(t, l.collect(t, h, simvm.Root))
		plain := l.collect(t, h, simvm.Plain)
		for f, missing := range map[inventory.Facet]string{
			inventory.OS: "value", inventory.Ports: "process", inventory.Users: "password",
			inventory.Packages: "", inventory.Groups: "", inventory.Services: "",
		} {
			o, _ := plain.Observation(f)
			want := inventory.Complete
			if missing != "" {
				want = inventory.Partial
			}
			if o.Status != want || missing != "" && !slices.Contains(o.Missing, missing) {
				t.Errorf("%s is %s without %s (%s)", f, o.Status, strings.Join(o.Missing, ", "), o.Reason)
			}
		}
		for _, c := range g.DiffAll(plain.Observations) {
			t.Errorf("seen without root: %s", c)
		}
	})
}

func TestUntouchedMachineStaysTheSame(t *testing.T) {
	t.Parallel()
	eachDistribution(t, func(t *testing.T, d simvm.Distribution) {
		l, h := one(t, d)
		first := l.collect(t, h, simvm.Root)
		for range 9 {
			next := l.collect(t, h, simvm.Root)
			for _, f := range inventory.GuestFacets() {
				a, b := state(t, first, f), state(t, next, f)
				if a.Digest() != b.Digest() {
					t.Fatalf("%s: -first +later\n%s", f, gocmp.Diff(a.Text(), b.Text()))
				}
			}
		}
	})
}

// Machines of one distribution differ only in what names them.
func TestMachinesOfOneKindAreInSync(t *testing.T) {
	t.Parallel()
	eachDistribution(t, func(t *testing.T, d simvm.Distribution) {
		l := start(t, simvm.New("a", d), simvm.New("b", d))
		g := golden(t, l.collect(t, l.Host("a"), simvm.Root))
		for _, c := range g.DiffAll(l.collect(t, l.Host("b"), simvm.Root).Observations) {
			t.Error(c)
		}
	})
}
