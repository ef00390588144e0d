package simvm

import (
	"fmt"
	"net/netip"
	"slices"
)

// A Port is a socket that listens (tcp) or that anybody may write to (udp).
type Port struct {
	Proto   string // tcp or udp
	Addr    string // 0.0.0.0, 127.0.0.1, ::, …; * is :: for both families
	Port    int
	Process string // name of the process that holds it; empty for the kernel
	User    string // its owner

	pid, inode int
}

// String returns proto/addr:port.
func (p Port) String() string {
	addr := p.Addr
	if p.v6() {
		addr = "[::]"
		if p.Addr != "*" {
			addr = "[" + p.Addr + "]"
		}
	}
	return fmt.Sprintf("%s/%s:%d", p.Proto, addr, p.Port)
}

func (p Port) v6() bool {
	a, err := netip.ParseAddr(p.Addr)
	return p.Addr == "*" || err == nil && a.Is6()
}

// Ports returns the sockets.
func (m *Machine) Ports() []Port { return slices.Clone(m.image().state.ports) }

// Listen opens a socket: held by a process of that name and user, or by the kernel
// if process is empty.
func (m *Machine) Listen(proto, addr string, port int, process, user string) error {
	return m.change(func(s *state) error {
		return s.listen(Port{Proto: proto, Addr: addr, Port: port, Process: process, User: user})
	})
}

func (s *state) listen(p Port) error {
	if _, err := netip.ParseAddr(p.Addr); err != nil && p.Addr != "*" {
		return fmt.Errorf("%q is no address to listen on", p.Addr)
	}
	if p.Proto != "tcp" && p.Proto != "udp" || p.Port < 1 || p.Port > 65535 {
		return fmt.Errorf("%s/%d is no port to listen on", p.Proto, p.Port)
	}
	if s.port(p.Proto, p.Addr, p.Port) >= 0 {
		return fmt.Errorf("%s is in use", p)
	}
	if _, err := s.findUser(p.User); err != nil {
		return err
	}
	p.inode = 20000 + s.nextPID*7
	if i := slices.IndexFunc(s.ports, func(q Port) bool { return p.Process != "" && q.Process == p.Process && q.User == p.User }); i >= 0 {
		p.pid = s.ports[i].pid
		s.nextPID++
	} else {
		p.pid = s.newPID()
	}
	s.ports = append(s.ports, p)
	return nil
}

// Unlisten closes a socket.
func (m *Machine) Unlisten(proto, addr string, port int) error {
	return m.change(func(s *state) error {
		i := s.port(proto, addr, port)
		if i < 0 {
			return fmt.Errorf("nothing listens on %s", Port{Proto: proto, Addr: addr, Port: port})
		}
		s.ports = slices.Delete(s.ports, i, i+1)
		return nil
	})
}

func (s *state) port(proto, addr string, port int) int {
	return slices.IndexFunc(s.ports, func(p Port) bool { return p.Proto == proto && p.Addr == addr && p.Port == port })
}

func (s *state) newPID() int {
	s.nextPID += 13
	return s.nextPID
}
