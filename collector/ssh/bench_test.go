package ssh_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

// BenchmarkThousandHandshakes connects a thousand times to a real sshd, two hundred at once, runs true, and
// leaves: by this package, which verifies the host key, and by a bare x/crypto client that does not, in turns. No
// connection may fail, and the rate is to be at least 0.8 of the bare one's.
func BenchmarkThousandHandshakes(b *testing.B) {
	const connections, atOnce = 1000, 200
	s := sshtest.StartSSHD(b, sshtest.Options{Ports: 10, Config: []string{"MaxStartups 1000"}})
	key, err := os.ReadFile(s.ClientKey)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := gossh.ParsePrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	d, err := ssh.New(ssh.Options{User: s.User, IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{s.KnownHosts}, ConfigFiles: []string{"none"}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	ours := func(addr string) error {
		h, err := d.Host(addr)
		if err != nil {
			return err
		}
		return h.Run(context.Background(), "true", nil, io.Discard)
	}
	bare := func(addr string) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		cc, chans, reqs, err := gossh.NewClientConn(conn, addr, &gossh.ClientConfig{
			User: s.User, Auth: []gossh.AuthMethod{gossh.PublicKeys(signer)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(), //nolint:gosec // the floor, on loopback
		})
		if err != nil {
			return err
		}
		client := gossh.NewClient(cc, chans, reqs)
		defer client.Close()
		session, err := client.NewSession()
		if err != nil {
			return err
		}
		defer session.Close()
		return session.Run("true")
	}
	round := func(f func(addr string) error) (took time.Duration, failed int32) {
		var next, bad atomic.Int32
		var wg sync.WaitGroup
		start := time.Now()
		for range atOnce {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= connections {
						return
					}
					if err := f(s.Addrs[i%len(s.Addrs)]); err != nil {
						if bad.Add(1) == 1 {
							b.Log(err)
						}
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start), bad.Load()
	}
	var mine, floor time.Duration
	var failed, floorFailed int32
	for b.Loop() {
		t, n := round(bare)
		floor, floorFailed = floor+t, floorFailed+n
		t, n = round(ours)
		mine, failed = mine+t, failed+n
	}
	ratio := floor.Seconds() / mine.Seconds()
	b.ReportMetric(float64(connections*b.N)/mine.Seconds(), "connections/s")
	b.ReportMetric(ratio, "x-bare")
	b.ReportMetric(float64(failed), "failed")
	b.ReportMetric(float64(floorFailed), "bare-failed")
	if failed > 0 || ratio < 0.8 {
		b.Errorf("%d of %d failed (of the bare ones %d); the rate is %.2f of the bare one's (bound 0.8)", failed, connections*b.N, floorFailed, ratio)
	}
}
