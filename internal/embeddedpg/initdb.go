package embeddedpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// create makes the data folder: initdb into a folder of another name, then a
// rename. A crash at any point leaves either no data folder or a whole one.
func (c *cluster) create(ctx context.Context, v version) error {
	left, _ := filepath.Glob(c.path("initdb-*")) // of a start that crashed; we hold start.lock
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("clear up after a start that failed: %w", sentence(err))
		}
	}
	tmp, err := os.MkdirTemp(c.dir, "initdb-")
	if err == nil {
		err = c.owner.chown(tmp)
	}
	if err != nil {
		return fmt.Errorf("create the private database: %w", sentence(err))
	}
	defer os.RemoveAll(tmp)

	c.log.DebugContext(ctx, "creating a private database", "dir", c.dir, "postgres", v.major)
	var out []byte
	for _, locale := range locales(v.major) {
		args := append([]string{
			"-D", tmp, "-U", name, "--encoding=UTF8", "--data-checksums", "--no-instructions",
			"--auth-local=peer", "--auth-host=reject",
		}, locale...)
		if c.mode == temporary {
			args = append(args, "--no-sync")
		}
		if out, err = c.command(ctx, v.program("initdb"), args...).CombinedOutput(); err == nil {
			break
		}
		if ctx.Err() != nil || !strings.Contains(string(out), "locale") {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return c.explain("create", string(out)+"\n"+err.Error())
	}
	if err := os.Rename(tmp, c.data()); err != nil {
		return fmt.Errorf("create the private database: %w", sentence(err))
	}
	return nil
}

// locales returns the arguments for sorting bytewise while knowing Unicode, in order of
// preference: built in since 17, by the C library before, where it has it.
func locales(major int) [][]string {
	c := []string{"--locale=C"}
	if major >= 17 {
		return [][]string{{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"}, c}
	}
	return [][]string{{"--locale=C.UTF-8"}, c}
}

// command prepares a program that runs as the owner. Of our environment it gets
// nothing, since PGPORT, PGDATA, LC_ALL and the like would lead it astray.
func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = c.owner.attr()
	return cmd
}
