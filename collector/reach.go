package collector

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// reachOf derives who can get to the ports that a guest listens on, as far as its platform tells: what
// the sockets are bound to, held against what the security groups let in and whether there is a public
// address. It returns false where the platform says nothing of that.
//
// An item is a port, tcp/22, that somebody but the machine itself can get to; from has the peers of the
// rules that let them in, who whether that is anybody (anywhere) or somebody (network). What
// comes from a facet that is not known is not known either.
func reachOf(obs []inventory.Observation) (inventory.Observation, bool) {
	network, told := find(obs, inventory.Network)
	if !told || !network.Status.Observed() || !grouped(network.State) {
		return inventory.Observation{}, false
	}
	ports, told := find(obs, inventory.Ports)
	if !told {
		return inventory.Observation{}, false
	}
	if !ports.Status.Observed() {
		return inventory.Observation{Facet: inventory.Reach, Status: inventory.Failed, Reason: "the ports are not known: " + ports.Reason}, true
	}
	doors := doorsOf(network.State)
	all := map[string]*door{}
	for _, it := range ports.State.Items() {
		if s, ok := socketOf(it); ok {
			doors.open(s, all)
		}
	}
	b := inventory.NewBuilder(inventory.Reach)
	whole := network.ItemsComplete && !slices.Contains(network.Missing, "security_groups")
	for key, d := range all {
		b.Key(key)
		if whole {
			b.Field("from", strings.Join(slices.Compact(slices.Sorted(slices.Values(d.from))), ","))
			if d.who != "" {
				b.Field("who", d.who)
			}
		}
	}
	st, err := b.State()
	if err != nil {
		return inventory.Observation{Facet: inventory.Reach, Status: inventory.Failed, Reason: inventory.Escape(err.Error())}, true
	}
	o := inventory.Observe(st)
	switch {
	case !whole:
		o.Status, o.ItemsComplete, o.Missing, o.Reason = inventory.Partial, false, []string{"from", "who"}, "not all rules of the security groups are known"
	case !ports.ItemsComplete:
		o.Status, o.ItemsComplete, o.Reason = inventory.Partial, false, "not all ports are known"
	case doors.publicUnknown:
		o.Status, o.Missing, o.Reason = inventory.Partial, []string{"who"}, "whether there is a public address is not known"
	}
	return o, true
}

func find(obs []inventory.Observation, f inventory.Facet) (inventory.Observation, bool) {
	i := slices.IndexFunc(obs, func(o inventory.Observation) bool { return o.Facet == f })
	if i < 0 {
		return inventory.Observation{}, false
	}
	return obs[i], true
}

// grouped reports whether the platform has security groups at all.
func grouped(network *inventory.State) bool {
	return slices.ContainsFunc(network.Items(), func(it inventory.Item) bool {
		_, has := it.Field("security_groups")
		return has || strings.HasPrefix(it.Key(), "ingress/")
	})
}

// A door is a port with those who can get to it.
type door struct {
	from []string
	who  string // anywhere, network; empty if not known
}

// A letIn is a rule of a security group.
type letIn struct {
	protocol string // tcp, udp, all
	low, top int
	peer     string
	v4, v6   bool // whom it can be about; both for a group or a list of networks
	anybody  bool
}

// doors are what a platform lets in, and where the internet comes in.
type doors struct {
	rules            []letIn
	public4, public6 bool
	publicUnknown    bool
}

func doorsOf(network *inventory.State) doors {
	var d doors
	for _, it := range network.Items() {
		switch kind, rest, _ := strings.Cut(it.Key(), "/"); kind {
		case "ingress":
			if r, ok := ruleOf(rest); ok {
				d.rules = append(d.rules, r)
			}
		case "nic":
			switch public, known := it.Field("public"); {
			case !known:
				d.publicUnknown = true
			case public != "none":
				d.public4 = true
			}
			if v6, _ := it.Field("ipv6_addresses"); v6 != "" {
				d.public6 = true // AWS has no other kind
			}
		}
	}
	return d
}

// ruleOf reads tcp/22-22/0.0.0.0/0, all/any/sg-0a1b.
func ruleOf(s string) (letIn, bool) {
	protocol, s, _ := strings.Cut(s, "/")
	ports, peer, ok := strings.Cut(s, "/")
	if !ok || protocol != "tcp" && protocol != "udp" && protocol != "all" {
		return letIn{}, false
	}
	r := letIn{protocol: protocol, top: 65535, peer: peer, v4: true, v6: true}
	if ports != "any" {
		low, top, _ := strings.Cut(ports, "-")
		var errLow, errTop error
		r.low, errLow = strconv.Atoi(low)
		r.top, errTop = strconv.Atoi(top)
		if errLow != nil || errTop != nil {
			return letIn{}, false
		}
	}
	if p, err := netip.ParsePrefix(peer); err == nil {
		r.v4, r.v6, r.anybody = p.Addr().Is4(), p.Addr().Is6(), p.Bits() == 0
	}
	return r, true
}

// A listener is a socket that others than the machine itself could get to.
type listener struct {
	protocol string
	port     int
	v4, v6   bool
}

// socketOf reads the item tcp/[::]:22. What only the machine itself or its own network segment can get
// to, and the sockets of clients, are left out.
func socketOf(it inventory.Item) (listener, bool) {
	protocol, rest, _ := strings.Cut(it.Key(), "/")
	colon := strings.LastIndexByte(rest, ':')
	if ephemeral, _ := it.Field("ephemeral"); ephemeral == "yes" || colon < 0 {
		return listener{}, false
	}
	port, err := strconv.Atoi(rest[colon+1:])
	if err != nil {
		return listener{}, false
	}
	host, _, _ := strings.Cut(rest[:colon], "%")
	s := listener{protocol: protocol, port: port}
	if host == "*" {
		s.v4, s.v6 = true, true
		return s, true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return listener{}, false
	}
	s.v4, s.v6 = addr.Is4(), addr.Is6()
	if dual, known := it.Field("dual_stack"); addr.Is6() && addr.IsUnspecified() && (!known || dual != "no") {
		s.v4 = true // as the kernel does it unless told otherwise
	}
	return s, true
}

// open adds who can get to the socket.
func (d doors) open(s listener, all map[string]*door) {
	key := s.protocol + "/" + strconv.Itoa(s.port)
	for _, r := range d.rules {
		if r.protocol != "all" && r.protocol != s.protocol || s.port < r.low || s.port > r.top || !(r.v4 && s.v4 || r.v6 && s.v6) {
			continue
		}
		to := all[key]
		if to == nil {
			to = &door{who: "network"}
			all[key] = to
		}
		to.from = append(to.from, r.peer)
		switch {
		case r.anybody && (r.v4 && d.public4 || r.v6 && d.public6):
			to.who = "anywhere"
		case r.anybody && r.v4 && d.publicUnknown && to.who != "anywhere":
			to.who = ""
		}
	}
}
