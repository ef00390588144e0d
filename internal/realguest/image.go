//go:build linux

package realguest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:embed customize.sh
var customizeScript string

// buildScript runs mmdebstrap as the first process of namespaces: however it ends,
// none of its processes and mounts stays. Without namespaces it mounts nothing.
const buildScript = `if [ $$ = 1 ]; then mount --make-rprivate / && mount -t proc proc /proc || exit; fi; exec mmdebstrap "$@"`

// imagePackages are on every image: what a small server has, and nc to listen with.
var imagePackages = []string{
	"dbus", "iproute2", "libpam-systemd", "netcat-openbsd", "openssh-server", "procps",
	"sudo", "systemd", "systemd-sysv",
}

const (
	defaultSuite = "bookworm"
	buildTimeout = 5 * time.Minute // 20 s on a fast line
)

// errNoImage is wrapped where an image could not be built: most often the mirror
// cannot be reached.
var errNoImage = errors.New("no image")

// image returns the folder of the root file system of suite with the extra
// packages, building it if this recipe was never built here. Processes that want
// it at the same time wait for one another.
func image(ctx context.Context, suite string, extra []string) (string, error) {
	packages := append(slices.Clone(imagePackages), extra...)
	slices.Sort(packages)
	args := []string{
		"--mode=root", "--variant=minbase", "--format=directory", "--quiet",
		"--include=" + strings.Join(slices.Compact(packages), ","),
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	recipe := sha256.Sum256([]byte(suite + "\x00" + strings.Join(args, "\x00") + "\x00" + customizeScript))

	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "vmdrift", "realguest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := suite + "-" + hex.EncodeToString(recipe[:6])
	done := filepath.Join(dir, name)

	unlock, err := lock(ctx, done+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(done); err == nil {
		return done, nil
	}

	// Under the lock, whatever bears this name is of a build that was killed.
	part := done + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	hook := done + ".sh"
	if err := os.WriteFile(hook, []byte(customizeScript), 0o644); err != nil {
		return "", err
	}
	defer os.Remove(hook)
	args = append(args, `--customize-hook=chroot "$1" /bin/sh <`+"'"+hook+"'", suite, part)
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", buildScript, "sh"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if Check() == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	}
	if err := runOnOwnThread(cmd); err != nil {
		_ = os.RemoveAll(part)
		return "", fmt.Errorf("%w: mmdebstrap %s: %w: %s", errNoImage, suite, err, tail(out.String()))
	}
	// A reader sees a whole image or none.
	return done, os.Rename(part, done)
}

// lock holds an exclusive lock on path until the returned function is called, or this process ends.
func lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err = <-got:
		if err != nil {
			f.Close()
			return nil, err
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		// The goroutine ends, and gives the lock back, when whoever holds it is done.
		go func() { <-got; f.Close() }()
		return nil, fmt.Errorf("wait for %s: %w", path, ctx.Err())
	}
}

// tail returns the end of a program's output, for an error.
func tail(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = "…" + strings.ToValidUTF8(s[len(s)-2000:], "")
	}
	return s
}
