package ssh

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// ackAtOnce returns nc such that what has been read is acknowledged at once.
//
// sshd leaves Nagle's algorithm on until a session is interactive: after its
// first packet of two (its host keys, then the opened channel) it holds the
// second back until the first is acknowledged, which a receiver with nothing to
// say puts off for 40 ms. That is half of the time that a small machine takes.
func ackAtOnce(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	return &ackingConn{TCPConn: tcp, raw: raw}
}

type ackingConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (c *ackingConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		// Not a setting that stays: it sends the acknowledgement that is due. That
		// it failed would only mean that it is sent later.
		_ = c.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
	}
	return n, err
}
