package sshtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// StartDropbear starts a dropbear. It reads authorized_keys in the home directory
// of the user database and nowhere else, so it gets a database of its own, in a
// mount namespace. Where the kernel allows none, letsIn is false, and the server
// serves to test everything up to the login.
func StartDropbear(t testing.TB, o Options) (s *Server, letsIn bool) {
	t.Helper()
	dropbear, convert := Need(t, "dropbear"), Need(t, "dropbearconvert")
	s = prepare(t, o)
	var keys []string
	for _, k := range s.HostKeys {
		out := k.Path + ".dropbear"
		if text, err := exec.Command(convert, "openssh", "dropbear", k.Path, out).CombinedOutput(); err != nil {
			t.Fatalf("sshtest: dropbearconvert: %v: %s", err, text)
		}
		keys = append(keys, "-r", out)
	}
	dotSSH := filepath.Join(s.Dir, ".ssh")
	if err := os.MkdirAll(dotSSH, 0o700); err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	if err := os.Rename(filepath.Join(s.Dir, "authorized_keys"), filepath.Join(dotSSH, "authorized_keys")); err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	passwd := filepath.Join(s.Dir, "passwd")
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	WriteFile(t, passwd, fmt.Sprintf("%s:x:%s:%s::%s:/bin/sh\n", s.User, uid, gid, s.Dir))
	inside := []string{"unshare", "-m", "sh", "-c", `mount --bind "$1" /etc/passwd && shift && exec "$@"`, "sh", passwd}
	if os.Getuid() != 0 {
		// To mount, we have to be root of a user namespace; in one within, we are ourselves again.
		inside[1] = "-rm"
		inside = append(inside, "unshare", "-U", "--map-user="+uid, "--map-group="+gid)
	}
	letsIn = exec.Command(inside[0], append(inside[1:], "true")...).Run() == nil
	for try := 0; ; try++ {
		s.Addrs = freeAddrs(t, min(max(o.Ports, 1), 10))
		args := append([]string{"-F", "-E", "-s", "-P", filepath.Join(s.Dir, "pid")}, keys...)
		for _, addr := range s.Addrs {
			args = append(args, "-p", addr)
		}
		args = append([]string{dropbear}, args...)
		if letsIn {
			args = append(inside[:len(inside):len(inside)], args...)
		}
		s.cmd = exec.Command(args[0], args[1:]...)
		err := s.run("Not backgrounding", 1)
		if err == nil {
			break
		}
		if try == 2 {
			t.Fatalf("sshtest: start dropbear: %v\n%s", err, s.Log())
		}
	}
	t.Cleanup(s.Stop)
	s.writeKnownHosts(t)
	return s, letsIn
}
