//go:build linux

package e2e

import (
	"context"
	_ "embed"
	"slices"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

//go:embed fixture.sh
var fixtureScript string

const scanTimeout = 30 * time.Second

// A machine is a real guest and the way that vmdrift goes to it.
type machine struct {
	*realguest.Guest
	dialer *ssh.Dialer
}

func reach(t *testing.T, g *realguest.Guest) *machine {
	t.Helper()
	d, err := ssh.New(ssh.Options{
		ConfigFiles: []string{"none"}, IdentityFiles: []string{g.KeyFile}, KnownHosts: []string{g.KnownHosts},
		AgentSocket: "none", Home: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return &machine{Guest: g, dialer: d}
}

// scan collects the machine as user, as vmdrift scan does.
func (m *machine) scan(t *testing.T, user string) inventory.Snapshot {
	t.Helper()
	host, err := m.dialer.Host(user + "@" + m.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), scanTimeout)
	defer cancel()
	s, err := guest.Collect(ctx, host, guest.Options{})
	if err != nil {
		t.Fatalf("scan as %s: %v", user, err)
	}
	return s
}

// golden makes a baseline of a snapshot's facets (none: all), closed, with those built-in rules.
func golden(t *testing.T, s inventory.Snapshot, defaults string, facets ...inventory.Facet) *baseline.Golden {
	t.Helper()
	spec := baseline.Spec{Name: "golden", Defaults: defaults, Facets: map[inventory.Facet]baseline.FacetSpec{}}
	for _, o := range s.Observations {
		if facets != nil && !slices.Contains(facets, o.Facet) {
			continue
		}
		if o.Status != inventory.Complete {
			t.Fatalf("%s is %s, and no baseline: %s", o.Facet, o.Status, o.Reason)
		}
		spec.Facets[o.Facet] = baseline.FacetSpec{Mode: baseline.Closed, Items: o.State}
	}
	g, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return g
}
