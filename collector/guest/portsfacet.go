package guest

import (
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// portsFacet takes the best of what the machine has: ss, the kernel's tables, netstat.
func (a *answer) portsFacet() inventory.Observation {
	sockets, problem := a.sockets()
	if problem != "" {
		return failed(inventory.Ports, problem)
	}
	doubtHolders(sockets)
	var names map[string]string
	var low, high int
	if a.accountsReason() == "" {
		names, low, high = a.accounts.userNames(), a.accounts.low, a.accounts.high
	}
	if names == nil || a.directory != "" { // a number without a name had one perhaps, another night
		for i := range sockets {
			if _, named := names[sockets[i].uid]; !named {
				sockets[i].uid = ""
			}
		}
	}
	st, missing, err := portsState(sockets, names, low, high)
	reason := a.unreadable(missing) + " for some sockets"
	if why := either(a.accountsReason(), a.directory); why != "" {
		reason += "; " + why
	}
	return observed(inventory.Ports, st, missing, err, reason)
}

func (a *answer) sockets() (sockets []socket, problem string) {
	ss, ok := a.sections["ss"]
	var err error
	switch net, stat := a.sections["procnet"], a.sections["netstat"]; {
	case !ok:
		return nil, a.cut
	case !ss.whole || !a.read["ports"]:
		return nil, "the list of sockets was cut short"
	case ss.status == 0:
		if sockets, err = parseSS(ss.body, a.root); err == nil {
			return sockets, ""
		}
		return nil, "ss: " + err.Error()
	case net.ran() && net.status != 1:
		var holders map[string][]string
		if fd, comm := a.sections["procfd"], a.sections["proccomm"]; fd.ran() && comm.ran() {
			holders = parseHolders(fd.body, comm.body)
		}
		if sockets, err = parseProcNet(net.body, a.bigEndian(), holders); err == nil {
			return sockets, ""
		}
		return nil, "/proc/net: " + err.Error()
	case stat.ran() && stat.status == 0:
		if sockets, err = parseNetstat(stat.body, a.root); err == nil {
			return sockets, ""
		}
		return nil, "netstat: " + err.Error()
	case ss.status != 127:
		return nil, "ss failed" + a.why("ss")
	}
	return nil, "the machine has no ss, and neither /proc/net nor netstat could be read"
}

// doubtHolders takes it for unknown who holds a socket of which no process is seen, where
// that can't be right for all of them. Only the kernel's own sockets, which are root's, are
// held by nobody. But a root without CAP_SYS_PTRACE, with no /proc, or in a container on the
// network of its host, does not see processes that are there.
func doubtHolders(sockets []socket) {
	seen, blind := false, false
	for _, s := range sockets {
		seen = seen || len(s.processes) > 0
		blind = blind || len(s.processes) == 0 && s.uid != "" && s.uid != "0"
	}
	for i, s := range sockets {
		if len(s.processes) == 0 && (blind || !seen) {
			sockets[i].known = false
		}
	}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (a *answer) bigEndian() bool {
	arch := a.facts["architecture"]
	return strings.HasPrefix(arch, "s390") || arch == "ppc64" || arch == "ppc" || arch == "mips" || arch == "mips64"
}
