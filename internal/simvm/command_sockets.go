package simvm

import (
	"bytes"
	"fmt"
	"strings"
)

// ss -l -t -u -n -p -e -H, in any order and number
func ss(p *process) int {
	letters := strings.ReplaceAll(strings.Join(p.args[1:], ""), "-", "")
	if i := strings.IndexFunc(letters, func(r rune) bool { return !strings.ContainsRune("ltunpeH", r) }); i >= 0 || !strings.Contains(letters, "n") {
		return p.unsimulated(strings.Join(p.args[1:], " "))
	}
	var out bytes.Buffer
	if !strings.Contains(letters, "H") {
		out.WriteString("Netid State  Recv-Q Send-Q                      Local Address:Port  Peer Address:PortProcess\n")
	}
	for _, proto := range []string{"udp", "tcp"} {
		for _, port := range p.image.state.ports {
			if port.Proto == proto && strings.Contains(letters, proto[:1]) {
				p.socketLine(&out, port, strings.Contains(letters, "p"), strings.Contains(letters, "e"))
			}
		}
	}
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}

func (p *process) socketLine(out *bytes.Buffer, port Port, processes, extended bool) {
	local, peer := port.Addr, "0.0.0.0:*"
	switch {
	case port.Addr == "*":
		peer = "*:*"
	case port.v6():
		local, peer = "["+port.Addr+"]", "[::]:*"
	case port.Addr == "127.0.0.53":
		local += "%lo"
	}
	kind, queue := "LISTEN", 128
	if port.Proto == "udp" {
		kind, queue = "UNCONN", 0
	}
	fmt.Fprintf(out, "%-5s %-6s 0      %-6d %34s %16s", port.Proto, kind, queue, fmt.Sprintf("%s:%d", local, port.Port), peer)
	uid := p.image.uidOf(port.User)
	if processes && port.Process != "" && (p.uid == 0 || p.uid == uid) {
		// The number is another one in every scan, as with services that were restarted.
		fmt.Fprintf(out, ` users:(("%s",pid=%d,fd=%d))`, port.Process, port.pid+p.number, 3+port.inode%5)
	}
	if extended {
		if uid != 0 {
			fmt.Fprintf(out, " uid:%d", uid)
		}
		fmt.Fprintf(out, " ino:%d sk:%x cgroup:/system.slice/%s.service", port.inode, 4096+port.inode+p.number, port.Process)
		switch {
		case port.Addr == "*":
			out.WriteString(" v6only:0")
		case port.v6():
			out.WriteString(" v6only:1")
		}
		out.WriteString(" <->")
	}
	out.WriteByte('\n')
}

// netstat -l -t -u -n is busybox's, which cannot say who holds a socket.
func netstat(p *process) int {
	var out bytes.Buffer
	out.WriteString("Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       \n")
	for _, a := range p.args[1:] {
		if strings.ContainsAny(a, "pe") {
			return p.fail(1, "unrecognized option: %s", strings.TrimLeft(a, "-"))
		}
	}
	for _, port := range p.image.state.ports {
		proto, local, peer, kind := port.Proto, port.Addr, "0.0.0.0:*", "LISTEN"
		if port.v6() {
			proto, peer = proto+"6", ":::*"
			if port.Addr == "*" {
				local = "::"
			}
		}
		if port.Proto == "udp" {
			kind = ""
		}
		fmt.Fprintf(&out, "%-5s      0      0 %-23s %-23s %-11s \n", proto, fmt.Sprintf("%s:%d", local, port.Port), peer, kind)
	}
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}
