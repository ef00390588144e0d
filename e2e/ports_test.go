//go:build linux

package e2e

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/realguest"
	"github.com/vmdrift/vmdrift/inventory"
)

// Ports where no guest can be booted: a chroot shares those of this machine, and
// whoever else opens one meanwhile is not meant. So only loopback is listened on,
// and only what this test opened is looked at.
func TestPortsOpenedOnThisMachineAreSeen(t *testing.T) {
	t.Parallel()
	m := reach(t, realguest.StartRoot(t, realguest.Options{}))
	strict := golden(t, fieldsMissing(m.scan(t, "root")), baseline.NoDefaults, inventory.Ports)
	seen := func(key string) (lines []string) {
		for _, c := range strict.DiffAll(m.scan(t, "root").Observations) {
			if c.Key == key {
				lines = append(lines, string(c.Op))
			}
		}
		return lines
	}
	for _, p := range []struct{ network, addr string }{
		{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"udp", "127.0.0.1:0"}, {"udp", "[::1]:0"},
	} {
		var addr net.Addr
		var open io.Closer
		var err error
		if p.network == "tcp" {
			var l net.Listener
			if l, err = net.Listen(p.network, p.addr); err == nil {
				open, addr = l, l.Addr()
			}
		} else {
			var l net.PacketConn
			if l, err = net.ListenPacket(p.network, p.addr); err == nil {
				open, addr = l, l.LocalAddr()
			}
		}
		if err != nil {
			t.Logf("NOT COVERED HERE: %s on %s: %v", p.network, p.addr, err)
			continue
		}
		key := p.network + "/" + addr.String()
		if got := seen(key); strings.Join(got, " ") != "added" {
			t.Errorf("%s opened: %q, want added once", key, got)
		}
		open.Close()
		if got := seen(key); got != nil {
			t.Errorf("%s closed: %q, want nothing", key, got)
		}
	}
}

// fieldsMissing takes partial observations that have all items for a baseline: a
// chroot has no /proc that says whose a socket is.
func fieldsMissing(s inventory.Snapshot) inventory.Snapshot {
	for i, o := range s.Observations {
		if o.Status == inventory.Partial && o.ItemsComplete {
			s.Observations[i] = inventory.Observe(o.State)
		}
	}
	return s
}
