package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// secretWait bounds a password command, which may ask a vault over the network.
const secretWait = time.Minute

// A secret is a password or passphrase, got once when first needed: never from
// the command line, where every user of this machine could read it.
type secret struct {
	command, file string

	once  sync.Once
	value string
	err   error
}

func (s *secret) given() bool { return s.command != "" || s.file != "" }

// get returns the first line of the file, or of what the command prints. All
// targets share the one answer, so it does not end with the first of them.
func (s *secret) get() (string, error) {
	s.once.Do(func() {
		var text []byte
		if s.command != "" {
			text, s.err = runSecretCommand(s.command)
		} else {
			text, s.err = os.ReadFile(s.file)
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		s.value = strings.TrimSuffix(string(line), "\r")
		if s.err == nil && s.value == "" {
			s.err = errors.New("it gave no first line")
		}
	})
	return s.value, s.err
}

func runSecretCommand(command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), secretWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("no answer within %s", secretWait)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if said := serverText(strings.TrimSpace(string(exit.Stderr))); said != "" {
			return nil, fmt.Errorf("%w: %s", err, said)
		}
	}
	return out, err
}
