package ssh_test

import (
	"context"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

// BenchmarkConnect runs one small command per connection on a real sshd, by this
// package and by a bare x/crypto client in turn, so that both see the same machine.
// cpu-ms/op is the time of this process; the server's is its own.
func BenchmarkConnect(b *testing.B) {
	s := sshtest.StartSSHD(b, sshtest.Options{})
	d := newDialer(b, ssh.Options{IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{s.KnownHosts}})
	h, err := d.Host(s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(s.ClientKey)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(data)
	if err != nil {
		b.Fatal(err)
	}
	conf := &gossh.ClientConfig{
		User: s.User, Auth: []gossh.AuthMethod{gossh.PublicKeys(signer)},
		HostKeyCallback: gossh.FixedHostKey(s.HostKeys[0].Signer.PublicKey()),
	}
	ours := func() error { return h.Run(context.Background(), "echo x", nil, io.Discard) }
	bare := func() error {
		c, err := gossh.Dial("tcp", s.Addr(), conf)
		if err != nil {
			return err
		}
		defer c.Close()
		session, err := c.NewSession()
		if err != nil {
			return err
		}
		_, err = session.Output("echo x")
		return err
	}
	var wall, cpu [2]time.Duration
	n := 0
	for b.Loop() {
		n++
		for i, f := range []func() error{ours, bare} {
			start, before := time.Now(), cpuTime()
			if err := f(); err != nil {
				b.Fatal(err)
			}
			wall[i] += time.Since(start)
			cpu[i] += cpuTime() - before
		}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(n) }
	b.ReportMetric(ms(wall[0]), "ms/op")
	b.ReportMetric(ms(cpu[0]), "cpu-ms/op")
	b.ReportMetric(ms(wall[1]), "bare-ms/op")
	b.ReportMetric(ms(cpu[1]), "bare-cpu-ms/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
