package simvm

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// proc makes /proc: the kernel's own facts, its tables of sockets, and the processes
// that hold them.
func (i *image) proc(t *node) {
	p := t.dir("proc")
	p.volatile = true
	kernel := p.dir("sys/kernel")
	kernel.file("hostname", i.state.hostname+"\n")
	kernel.file("osrelease", i.state.kernel+"\n")
	// As random as the machine's UUID, of which it is another spelling: it boots once.
	boot := []byte(strings.ToLower(i.state.uuid))
	slices.Reverse(boot)
	kernel.file("random/boot_id", string(boot)+"\n")
	kernel.file("ostype", "Linux\n")
	if i.dist.procArch {
		kernel.file("arch", "x86_64\n")
	}
	p.file("sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
	p.file("cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme de pse tsc msr hypervisor lahf_lm\n\n")
	self := p.dir("self")
	self.file("cmdline", "").render = func(*session) string { return "sh\x00-c\x00" }
	self.file("status", "").render = func(s *session) string {
		return fmt.Sprintf("Name:\tsh\nUmask:\t0022\nState:\tR (running)\nPid:\t%d\nUid:\t%[2]d\t%[2]d\t%[2]d\t%[2]d\nGid:\t%[3]d\t%[3]d\t%[3]d\t%[3]d\n", s.pid, s.uid, s.gids[0])
	}
	for _, f := range []struct {
		name, proto string
		v6          bool
	}{{"tcp", "tcp", false}, {"tcp6", "tcp", true}, {"udp", "udp", false}, {"udp6", "udp", true}} {
		p.file("net/"+f.name, "").render = func(s *session) string { return i.socketTable(s, f.proto, f.v6) }
	}
	i.processes(p)
}

// processes makes a folder for each process that holds a socket, and a few that do not.
func (i *image) processes(proc *node) {
	add := func(pid int, comm string, uid int) *node {
		dir := proc.dir(strconv.Itoa(pid))
		dir.file("comm", comm+"\n")
		dir.file("cmdline", comm+"\x00")
		fd := dir.dir("fd")
		fd.mode, fd.uid = fs.ModeDir|0o500, uid
		if len(fd.order) == 0 {
			fd.link("0", "/dev/null")
			fd.link("1", "/dev/null")
			fd.link("2", "/dev/null")
		}
		return fd
	}
	add(1, "init", 0)
	add(2, "kthreadd", 0)
	for _, port := range i.state.ports {
		if port.Process != "" {
			fd := add(port.pid, port.Process, i.uidOf(port.User))
			fd.link(strconv.Itoa(3+len(fd.order)), fmt.Sprintf("socket:[%d]", port.inode))
		}
	}
}

func (i *image) uidOf(user string) int {
	if n, err := i.state.findUser(user); err == nil {
		return i.state.users[n].UID
	}
	return 0
}

// socketTable writes /proc/net/tcp and its like. Beside what listens there is the
// connection of whoever looks, which is none of the machine's state.
func (i *image) socketTable(s *session, proto string, v6 bool) string {
	var b strings.Builder
	if proto == "tcp" {
		b.WriteString("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
	} else {
		b.WriteString("   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n")
	}
	row := func(n int, local, remote netip.AddrPort, state, uid, inode int) {
		fmt.Fprintf(&b, "%4d: %s %s %02X 00000000:00000000 00:00000000 00000000 %5d        0 %d 2 0000000000000000 0\n",
			n, hexAddress(local), hexAddress(remote), state, uid, inode)
	}
	none := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if v6 {
		none = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	const established, listening, unconnected = 1, 10, 7
	for n, p := range i.state.ports {
		if p.Proto != proto || p.v6() != v6 {
			continue
		}
		addr, err := netip.ParseAddr(p.Addr)
		if err != nil {
			addr = netip.IPv6Unspecified()
		}
		state := unconnected
		if proto == "tcp" {
			state = listening
		}
		row(n, netip.AddrPortFrom(addr, uint16(p.Port)), none, state, i.uidOf(p.User), p.inode)
	}
	if proto == "tcp" && !v6 {
		row(len(i.state.ports), netip.MustParseAddrPort("192.0.2.10:22"), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(40000+s.number%20000)), established, s.uid, 90000+s.number)
	}
	return b.String()
}

// hexAddress writes an address as the kernel's tables do: in words of four bytes,
// each the wrong way round on this architecture.
func hexAddress(a netip.AddrPort) string {
	var b strings.Builder
	for word := range slices.Chunk(a.Addr().AsSlice(), 4) {
		fmt.Fprintf(&b, "%08X", binary.LittleEndian.Uint32(word))
	}
	fmt.Fprintf(&b, ":%04X", a.Port())
	return b.String()
}
