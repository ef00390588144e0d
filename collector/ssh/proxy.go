package ssh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/vmdrift/vmdrift/collector"
)

// A proxyConn is a connection through a ProxyCommand, whose standard input and
// output are the two directions.
type proxyConn struct {
	net.Conn
	cmd  *exec.Cmd
	errs *tail
	done chan struct{} // closed when the command has ended
	once sync.Once
}

// startProxy runs the command as ssh does, by a shell that becomes it, over one
// socket: a real connection, unlike a pair of pipes.
func startProxy(command string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &collector.Error{Outcome: collector.Unreachable, Err: fmt.Errorf("proxy command: %w", err)}
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "proxy"), os.NewFile(uintptr(fds[1]), "proxy")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return fail(err)
	}
	p := &proxyConn{Conn: conn, errs: &tail{}, done: make(chan struct{})}
	p.cmd = exec.Command("sh", "-c", "exec "+command)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs, theirs, p.errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = grace
	if err := p.cmd.Start(); err != nil {
		conn.Close()
		return fail(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// proxyWait is how long a command may take to end by itself. Some have to: a
// killed session-manager-plugin leaves its session open at AWS.
const proxyWait = 500 * time.Millisecond

// Close ends the command, and whatever it started in its process group. It does
// not wait for it.
func (p *proxyConn) Close() error {
	var err error
	p.once.Do(func() {
		err = p.Conn.Close()
		p.signal(syscall.SIGTERM)
		go func() {
			late := time.NewTimer(proxyWait)
			defer late.Stop()
			select {
			case <-p.done:
			case <-late.C:
			}
			p.signal(syscall.SIGKILL) // to those of the group that are left
		}()
	})
	return err
}

// signal reaches the group. Its number is its own while a member lives, and for a
// good while after: the kernel goes round all numbers before it gives one again.
func (p *proxyConn) signal(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

// explain adds to a connection that never came about what the closed command said.
func (p *proxyConn) explain(err error) error {
	var dropped *droppedError
	if !errors.As(err, &dropped) {
		return err
	}
	late := time.NewTimer(proxyWait)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
	}
	said := p.errs.text()
	if said == "" {
		return err
	}
	return &collector.Error{Outcome: collector.Unreachable, Err: fmt.Errorf("proxy command: %s", said)}
}
