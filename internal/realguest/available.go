//go:build linux

package realguest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// ErrMissingTool is what Check returns, wrapped, where a tool is missing that the
// distribution has: installing it is all that is needed.
var ErrMissingTool = errors.New("a tool is missing")

// errForbidden is wrapped where the kernel, or what this process may do, is in the way.
var errForbidden = errors.New("not allowed here")

// DebianPackages are the packages of a Debian machine that hold what this package runs.
var DebianPackages = []string{"mmdebstrap", "systemd-container", "iproute2", "util-linux"}

// tools says what is run here, and the package that holds each.
var tools = [][2]string{
	{"mmdebstrap", "mmdebstrap"},
	{"systemd-nspawn", "systemd-container"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
}

//go:embed try.sh
var tryScript string

// Check returns nil if a guest can be booted here, and otherwise why not. It
// tries the mounts that a guest needs, in a namespace that ends with the try.
var Check = sync.OnceValue(func() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it takes root", errForbidden)
	}
	var lacking []string
	for _, t := range tools {
		if _, err := exec.LookPath(t[0]); err != nil {
			lacking = append(lacking, t[1])
		}
	}
	if lacking != nil {
		return fmt.Errorf("%w: install %s", ErrMissingTool, strings.Join(lacking, " "))
	}
	cmd := exec.Command("/bin/sh", "-c", tryScript, "sh", strconv.Itoa(os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mounts in namespaces: %w: %s", errForbidden, err, strings.TrimSpace(string(out)))
	}
	return nil
})

// Available reports whether a guest can be booted here, and otherwise why not.
func Available() (ok bool, reason string) {
	if err := Check(); err != nil {
		return false, err.Error()
	}
	return true, ""
}

// Require ends the test unless a guest can be booted here: loudly skipped, or
// failed under CI=true where installing something is all that is missing.
func Require(t testing.TB) {
	t.Helper()
	if err := Check(); err != nil {
		giveUp(t, "boot a guest", err)
	}
}

// giveUp ends the test. What only this computer lacks skips it, loudly, except
// that under CI=true nothing may be missing which can be installed or downloaded.
func giveUp(t testing.TB, what string, err error) {
	t.Helper()
	missing := errors.Is(err, ErrMissingTool) || errors.Is(err, errNoImage)
	if missing && os.Getenv("CI") == "true" || !missing && !errors.Is(err, errForbidden) {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("NOT COVERED HERE: %s: cannot %s: %v", t.Name(), what, err)
}
