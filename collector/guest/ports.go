package guest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// portsState merges sockets into the state of the facet ports. names maps user ids
// to names; low and high bound the ephemeral ports, 0 and 0 if unknown.
//
// Several processes may share an address (SO_REUSEPORT): that is one item, with all
// their names. A UDP socket in the ephemeral range belongs to whoever asked the
// network something just now, so its owner is not state.
func portsState(sockets []socket, names map[string]string, low, high int) (*inventory.State, []string, error) {
	byKey := make(map[string][]socket, len(sockets))
	for _, s := range sockets {
		byKey[s.key] = append(byKey[s.key], s)
	}
	b := inventory.NewBuilder(inventory.Ports)
	missing := map[string]bool{}
	for key, same := range byKey {
		b.Key(key)
		dual := same[0].dualStack
		var processes, users []string
		processKnown, userKnown := true, true
		for _, s := range same {
			if s.dualStack != dual {
				dual = ""
			}
			processKnown = processKnown && s.known
			userKnown = userKnown && s.uid != ""
			processes = append(processes, s.processes...)
			if name, ok := names[s.uid]; ok {
				users = append(users, name)
			} else {
				users = append(users, s.uid)
			}
		}
		field := func(known bool, name, value string) {
			if known {
				b.Field(name, value)
			} else {
				missing[name] = true
			}
		}
		ephemeral := same[0].port >= low && same[0].port <= high
		field(dual != "", "dual_stack", dual)
		field(high > 0, "ephemeral", yesNo(ephemeral))
		if ephemeral && high > 0 && strings.HasPrefix(key, "udp/") {
			continue
		}
		field(processKnown, "process", joinNames(holders(processes)))
		field(userKnown, "user", joinNames(users))
	}
	s, err := b.State()
	return s, sorted(missing), err
}

// holders leaves only systemd of the processes that hold a socket, where it is one
// of them: it listens on behalf of a service, which comes and goes on demand.
func holders(processes []string) []string {
	if slices.Contains(processes, "systemd") {
		return []string{"systemd"}
	}
	return processes
}

func joinNames(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

func sorted(set map[string]bool) []string {
	var out []string
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// canonicalHost writes an address as keys have it: 127.0.0.53%lo, [::1], [fe80::1]%eth0.
func canonicalHost(host string) (string, bool) {
	zone := ""
	if i := strings.LastIndexByte(host, '%'); i > 0 {
		host, zone = host[:i], host[i:]
	}
	bracketed := len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']'
	if bracketed {
		host = host[1 : len(host)-1]
		if i := strings.IndexByte(host, '%'); i > 0 && zone == "" {
			host, zone = host[:i], host[i:]
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || len(zone) > 16 {
		return "", false
	}
	if addr.Is4() {
		return addr.String() + zone, true
	}
	return "[" + addr.String() + "]" + zone, true
}
