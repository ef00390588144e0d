//go:build linux

package realguest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// CheckRoot returns nil if StartRoot works here, and otherwise why not.
func CheckRoot() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it takes root", errForbidden)
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return fmt.Errorf("%w: install mmdebstrap", ErrMissingTool)
	}
	return nil
}

// StartRoot is the second best where nothing can be mounted: a copy of the root
// file system of Start's guests, and its own sshd, reached by chroot alone. It
// has packages, users and groups of its own; it has no systemd, no /proc, and
// shares its ports and its kernel with this machine.
func StartRoot(t testing.TB, o Options) *Guest {
	t.Helper()
	if err := CheckRoot(); err != nil {
		giveUp(t, "make a root file system", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	g, err := startRoot(ctx, o)
	if err != nil {
		giveUp(t, "make a root file system", err)
	}
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("remove the root file system: %v", err)
		}
	})
	return g
}

func startRoot(ctx context.Context, o Options) (_ *Guest, err error) {
	g, image, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.stop())
		}
	}()
	root := filepath.Join(g.dir, "root")
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", image, root).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the image: %w: %s", err, tail(string(out)))
	}
	setup, err := os.ReadFile(filepath.Join(g.dir, "setup.sh"))
	if err != nil {
		return nil, err
	}
	g.enter = []string{"chroot", root}
	if _, err := g.Try("mkdir -p /run/sshd\n" + string(setup)); err != nil {
		return nil, fmt.Errorf("set it up: %w", err)
	}
	if g.server, err = serve("chroot", root, "/usr/sbin/sshd", "-i", "-e", "-o", "UsePAM=no"); err != nil {
		return nil, err
	}
	g.Addr = g.server.listener.Addr().String()
	return g, writeKnownHosts(g.KnownHosts, root, g.Addr)
}

// An inetd starts a command for each connection, with the connection as its
// standard input and output. So sshd needs no port chosen for it, and nobody has
// to wait until it listens.
type inetd struct {
	listener *net.TCPListener
	wg       sync.WaitGroup
	ctx      context.Context // ends the commands
	cancel   context.CancelFunc
}

func serve(command ...string) (*inetd, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &inetd{listener: l}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(func() {
		for {
			conn, err := l.AcceptTCP()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.run(conn, command) })
		}
	})
	return s, nil
}

func (s *inetd) run(conn *net.TCPConn, command []string) {
	f, err := conn.File()
	conn.Close()
	if err != nil {
		return
	}
	cmd := exec.CommandContext(s.ctx, command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + hostPath}
	cmd.Stdin, cmd.Stdout = f, f
	ended, err := startOnOwnThread(cmd)
	f.Close()
	if err == nil {
		<-ended // how it went is the client's to see
	}
}

// Close ends it and every command, and waits for the end.
func (s *inetd) Close() {
	s.listener.Close()
	s.cancel()
	s.wg.Wait()
}
