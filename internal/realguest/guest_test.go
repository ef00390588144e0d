//go:build linux

package realguest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestAGuestIsARealMachine(t *testing.T) {
	g := Start(t, Options{Setup: "useradd from-setup"})
	if got := g.Run(t, "systemctl is-system-running; cat /proc/1/comm; id -un from-setup"); got != "running\nsystemd\nfrom-setup" {
		t.Errorf("the guest says %q", got)
	}
	tryLogins(t, g)
}

func TestARootFileSystemIsReachedBySSH(t *testing.T) {
	g := StartRoot(t, Options{Setup: "useradd from-setup"})
	if got := g.Run(t, "id -un from-setup"); got != "from-setup" {
		t.Errorf("it says %q", got)
	}
	tryLogins(t, g)
}

// tryLogins logs in as everybody and looks who may become root.
func tryLogins(t *testing.T, g *Guest) {
	t.Helper()
	key, err := os.ReadFile(g.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	verify, err := knownhosts.New(g.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"root": "0\n", "admin": "0\n", "plain": ""} {
		client, err := ssh.Dial("tcp", g.Addr, &ssh.ClientConfig{
			User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: verify,
		})
		if err != nil {
			t.Errorf("log in as %s: %v", user, err)
			continue
		}
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := session.Output("sudo -n id -u")
		if string(out) != want {
			t.Errorf("%s: sudo -n id -u printed %q, want %q", user, out, want)
		}
		client.Close()
	}
}

func TestNothingOfAGuestOutlivesIt(t *testing.T) {
	var dir string
	t.Run("guest", func(t *testing.T) {
		g := Start(t, Options{})
		g.Run(t, "setsid nc -lk 127.0.0.1 9 >/dev/null 2>&1 </dev/null &")
		dir = g.dir
		if err := unmounted(dir); err != nil {
			t.Error(err) // not even while it runs: its mounts are its own
		}
	})
	if dir == "" {
		t.SkipNow()
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func unmounted(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), dir) {
		return fmt.Errorf("%s is a mount of this process", dir)
	}
	return nil
}
