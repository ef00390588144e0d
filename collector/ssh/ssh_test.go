package ssh_test

import (
	"bytes"
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/internal/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newDialer makes a Dialer that sees nothing of this machine's own ~/.ssh and agent.
func newDialer(t testing.TB, o ssh.Options) *ssh.Dialer {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	if len(o.ConfigFiles) == 0 {
		o.ConfigFiles = []string{"none"}
	}
	if o.AgentSocket == "" {
		o.AgentSocket = "none"
	}
	d, err := ssh.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func run(t testing.TB, d *ssh.Dialer, target, command, stdin string) (string, error) {
	t.Helper()
	h, err := d.Host(target)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = h.Run(context.Background(), command, []byte(stdin), &out)
	return out.String(), err
}

func TestRunReachesARealServer(t *testing.T) {
	t.Parallel()
	s := sshtest.StartSSHD(t, sshtest.Options{Ports: 3})
	d := newDialer(t, ssh.Options{IdentityFiles: []string{s.ClientKey}, KnownHosts: []string{s.KnownHosts}})
	for _, addr := range s.Addrs {
		out, err := run(t, d, addr, "cat; echo done", "input\n")
		if err != nil || out != "input\ndone\n" {
			t.Errorf("%s: %q, %v\n%s", addr, out, err, s.Log())
		}
	}
}
