package collector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

func observation(t testing.TB, f inventory.Facet, lines ...string) inventory.Observation {
	t.Helper()
	var items []inventory.Item
	for _, l := range lines {
		it, err := inventory.ParseLine(strings.ReplaceAll(l, " ", "\t"))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	s, err := inventory.NewState(f, items...)
	if err != nil {
		t.Fatal(err)
	}
	return inventory.Observe(s)
}

const (
	privateNIC = "nic/0 ipv6_addresses= public=none security_groups=sg-1"
	publicNIC  = "nic/0 ipv6_addresses= public=elastic security_groups=sg-1"
	ssh        = "tcp/0.0.0.0:22 process=sshd user=root"
	dual       = "tcp/[::]:443 dual_stack=yes"
	fromLAN    = "ingress/tcp/22-22/10.0.0.0/8 via=x"
	fromAll    = "ingress/tcp/22-22/0.0.0.0/0 via=x"
)

func TestReachIsWhoCanGetToAPort(t *testing.T) {
	for name, c := range map[string]struct {
		ports, network []string
		want           string
	}{
		"nobody is let in":                   {[]string{ssh}, []string{publicNIC}, ""},
		"some are":                           {[]string{ssh}, []string{publicNIC, fromLAN, "ingress/tcp/22-22/sg-2 via=x"}, "tcp/22\tfrom=10.0.0.0/8,sg-2\twho=network\n"},
		"everybody, from the internet":       {[]string{ssh}, []string{publicNIC, fromAll}, "tcp/22\tfrom=0.0.0.0/0\twho=anywhere\n"},
		"everybody, and no public address":   {[]string{ssh}, []string{privateNIC, fromAll}, "tcp/22\tfrom=0.0.0.0/0\twho=network\n"},
		"on loopback":                        {[]string{"tcp/127.0.0.1:22", "tcp/[::1]:22", "udp/[fe80::1]%eth0:546"}, []string{publicNIC, "ingress/all/any/0.0.0.0/0", "ingress/all/any/::/0"}, ""},
		"by IPv6 alone":                      {[]string{dual}, []string{"nic/0 ipv6_addresses=2001:db8::1 public=none security_groups=sg-1", "ingress/tcp/443-443/::/0"}, "tcp/443\tfrom=::/0\twho=anywhere\n"},
		"a socket for IPv6 takes IPv4 too":   {[]string{dual}, []string{publicNIC, "ingress/tcp/1-1024/0.0.0.0/0"}, "tcp/443\tfrom=0.0.0.0/0\twho=anywhere\n"},
		"a socket for IPv6 only":             {[]string{"tcp/[::]:443 dual_stack=no"}, []string{publicNIC, "ingress/tcp/443-443/0.0.0.0/0"}, ""},
		"another protocol, and another port": {[]string{ssh, "udp/0.0.0.0:53"}, []string{publicNIC, "ingress/udp/22-22/0.0.0.0/0", "ingress/icmp/any/0.0.0.0/0"}, ""},
		"the socket of a client":             {[]string{"udp/0.0.0.0:40000 ephemeral=yes"}, []string{publicNIC, "ingress/all/any/0.0.0.0/0"}, ""},
		"two sockets of one port are one":    {[]string{"tcp/10.0.0.1:22", "tcp/10.0.0.2:22"}, []string{publicNIC, fromLAN}, "tcp/22\tfrom=10.0.0.0/8\twho=network\n"},
		"keys that are none of ours":         {[]string{"tcp/x:y", "x", "tcp/0.0.0.0:99999999999999999999"}, []string{publicNIC, "ingress/tcp", "ingress/tcp/a-b/c", "ingress/all/any/0.0.0.0/0"}, ""},
	} {
		o, ok := reachOf([]inventory.Observation{observation(t, inventory.Network, c.network...), observation(t, inventory.Ports, c.ports...)})
		if !ok || o.Status != inventory.Complete {
			t.Errorf("%s: %v %+v", name, ok, o)
			continue
		}
		if d := cmp.Diff(c.want, o.State.Text()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestAPortThatBecomesReachableIsOneHighChange(t *testing.T) {
	reach := func(network, ports []string) inventory.Observation {
		o, ok := reachOf([]inventory.Observation{observation(t, inventory.Network, network...), observation(t, inventory.Ports, ports...)})
		if !ok {
			t.Fatal("nothing is told")
		}
		return o
	}
	for name, c := range map[string]struct {
		network, ports         []string
		thenNetwork, thenPorts []string
		want                   []string
	}{
		"a process opens it":           {[]string{publicNIC, fromAll}, nil, []string{publicNIC, fromAll}, []string{ssh}, []string{"high added"}},
		"it leaves loopback":           {[]string{publicNIC, fromAll}, []string{"tcp/127.0.0.1:22"}, []string{publicNIC, fromAll}, []string{ssh}, []string{"high added"}},
		"a rule lets the first one in": {[]string{publicNIC}, []string{ssh}, []string{publicNIC, fromLAN}, []string{ssh}, []string{"high added"}},
		"a rule lets everybody in":     {[]string{publicNIC, fromLAN}, []string{ssh}, []string{publicNIC, fromLAN, fromAll}, []string{ssh}, []string{"high changed"}},
		"a public address is added":    {[]string{privateNIC, fromAll}, []string{ssh}, []string{publicNIC, fromAll}, []string{ssh}, []string{"high changed"}},
		"one more network is let in":   {[]string{publicNIC, fromLAN}, []string{ssh}, []string{publicNIC, fromLAN, "ingress/tcp/22-22/sg-2"}, []string{ssh}, []string{"high changed"}},
		"the public address goes":      {[]string{publicNIC, fromAll}, []string{ssh}, []string{privateNIC, fromAll}, []string{ssh}, []string{"low changed"}},
		"nobody is let in any more":    {[]string{publicNIC, fromAll}, []string{ssh}, []string{publicNIC}, []string{ssh}, []string{"low removed"}},
		"nothing changes":              {[]string{publicNIC, fromAll}, []string{ssh}, []string{publicNIC, fromAll}, []string{ssh}, nil},
	} {
		spec, _ := baseline.Capture(inventory.Snapshot{Observations: []inventory.Observation{reach(c.network, c.ports)}}, "x", "")
		g, err := spec.Compile()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ch := range g.Diff(reach(c.thenNetwork, c.thenPorts)) {
			got = append(got, ch.Severity.String()+" "+string(ch.Op))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestReachIsNotKnownWhereItsPartsAreNot(t *testing.T) {
	network, ports := observation(t, inventory.Network, publicNIC, fromAll), observation(t, inventory.Ports, ssh)
	if _, ok := reachOf([]inventory.Observation{observation(t, inventory.Network, "nic/4000 attached_to=web"), ports}); ok {
		t.Error("a platform without groups tells who is let in")
	}
	if _, ok := reachOf([]inventory.Observation{ports}); ok {
		t.Error("no platform tells who is let in")
	}
	o, _ := reachOf([]inventory.Observation{network, {Facet: inventory.Ports, Status: inventory.Failed, Reason: "cut"}})
	if o.Status != inventory.Failed || o.Validate() != nil {
		t.Errorf("got %+v", o)
	}
	for name, change := range map[string]func(network, ports *inventory.Observation){
		"rules": func(n, _ *inventory.Observation) { n.Status, n.ItemsComplete = inventory.Partial, false },
		"ports": func(_, p *inventory.Observation) { p.Status, p.ItemsComplete = inventory.Partial, false },
	} {
		n, p := network, ports
		change(&n, &p)
		o, _ := reachOf([]inventory.Observation{n, p})
		if o.Status != inventory.Partial || o.ItemsComplete || o.Validate() != nil {
			t.Errorf("%s: got %+v", name, o)
		}
	}
	o, _ = reachOf([]inventory.Observation{observation(t, inventory.Network, "nic/0 security_groups=sg-1", fromAll), ports})
	if o.State.Text() != "tcp/22\tfrom=0.0.0.0/0\n" || !o.ItemsComplete || o.Validate() != nil {
		t.Errorf("whether there is a public address is not known, and who is %+v %s", o, o.State.Text())
	}
}
