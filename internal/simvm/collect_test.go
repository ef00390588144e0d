package simvm_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lab is a running fleet and a dialer that knows it.
type lab struct {
	*simvm.Fleet
	dialer *ssh.Dialer
}

func start(t testing.TB, machines ...*simvm.Machine) *lab {
	t.Helper()
	f, err := simvm.Start(t.Context(), machines...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	key, known, err := f.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, err := ssh.New(ssh.Options{
		ConfigFiles: []string{"none"}, IdentityFiles: []string{key}, KnownHosts: []string{known}, AgentSocket: "none",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &lab{f, d}
}

// one starts one machine.
func one(t testing.TB, d simvm.Distribution) (*lab, *simvm.Host) {
	l := start(t, simvm.New("sim-1", d))
	return l, l.Host("sim-1")
}

func (l *lab) target(t testing.TB, h *simvm.Host, user string) guest.Target {
	t.Helper()
	host, err := l.dialer.Host(user + "@" + h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return guest.Target{M: inventory.Machine{Name: h.Name()}, Runner: host}
}

// collect scans a machine as a user.
func (l *lab) collect(t testing.TB, h *simvm.Host, user string) inventory.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	snap, err := l.target(t, h, user).Collect(ctx)
	if err != nil {
		t.Fatalf("scan %s as %s: %v", h, user, err)
	}
	return snap
}

func state(t testing.TB, s inventory.Snapshot, f inventory.Facet) *inventory.State {
	t.Helper()
	o, ok := s.Observation(f)
	if !ok || o.State == nil {
		t.Fatalf("%s was not observed: %s: %s", f, o.Status, o.Reason)
	}
	return o.State
}

func eachDistribution(t *testing.T, f func(t *testing.T, d simvm.Distribution)) {
	for _, d := range simvm.Distributions() {
		t.Run(string(d), func(t *testing.T) { f(t, d) })
	}
}
