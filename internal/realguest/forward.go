//go:build linux

package realguest

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// dialIn connects to addr (an IP and a port) from inside the network namespace ns.
func dialIn(ns *os.File, addr string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		// Not unlocked: a thread that has been elsewhere ends with its goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialled{err: fmt.Errorf("enter the guest's network: %w", err)}
			return
		}
		conn, err := dialHere(to)
		done <- dialled{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}

// dialHere connects on this very thread, which net.Dial does not promise.
func dialHere(to netip.AddrPort) (net.Conn, error) {
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if to.Addr().Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), to.String())
	defer f.Close()
	if err := unix.Connect(fd, sa); err != nil {
		return nil, fmt.Errorf("dial %s in the guest: %w", to, err)
	}
	return net.FileConn(f)
}

// A forwarder listens on this machine's loopback and copies what comes in and out
// to an address in a guest's network.
type forwarder struct {
	listener net.Listener
	ns       *os.File
	to       string

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool // nil when closed
}

func forward(ns *os.File, to string) (*forwarder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{listener: l, ns: ns, to: to, conns: make(map[net.Conn]bool)}
	f.wg.Go(f.accept)
	return f, nil
}

// Addr returns where it listens.
func (f *forwarder) Addr() string { return f.listener.Addr().String() }

// Close ends it and every connection, and waits for the end.
func (f *forwarder) Close() {
	f.listener.Close()
	f.mu.Lock()
	for c := range f.conns {
		c.Close()
	}
	f.conns = nil
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *forwarder) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() { f.serve(c) })
	}
}

func (f *forwarder) serve(near net.Conn) {
	defer near.Close()
	far, err := dialIn(f.ns, f.to)
	if err != nil {
		return // the client sees the connection end, as it would with no sshd there
	}
	defer far.Close()
	if !f.hold(near, far) {
		return
	}
	defer f.release(near, far)
	var wg sync.WaitGroup
	copyTo := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		_ = dst.(*net.TCPConn).CloseWrite()
	}
	wg.Go(func() { copyTo(far, near) })
	copyTo(near, far)
	wg.Wait()
}

func (f *forwarder) hold(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		return false
	}
	for _, c := range conns {
		f.conns[c] = true
	}
	return true
}

func (f *forwarder) release(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		delete(f.conns, c)
	}
}
