package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Ways out, for the end of a sentence.
const (
	instead = "set DATABASE_URL to a PostgreSQL server (docker compose up starts one)"
	noRoom  = "there is no space left on its disk; make room, choose another data folder, or " + instead
)

// explain turns what a program of PostgreSQL, or a connection, said into a sentence.
func (c *cluster) explain(doing, said string) error {
	var why string
	switch {
	case strings.Contains(said, "No space left on device"), strings.Contains(said, "Disk quota exceeded"):
		why = noRoom
	case strings.Contains(said, "shared memory"):
		why = "this machine has too little shared memory (" + lastLine(said) + "); raise its limit, or " + instead
	case strings.Contains(said, "ermission denied"):
		why = "user " + c.owner.name + " may not do so (" + lastLine(said) + "); mend the permissions, choose another data folder, or " + instead
	case strings.Contains(said, "Peer authentication failed"):
		why = "it belongs to another user (" + c.owner.name + "); run vmdrift as that user or root, or " + instead
	case strings.Contains(said, `lock file "postmaster.pid" already exists`):
		why = "a file says that another server uses it; if none does, remove " + c.path("data/postmaster.pid")
	default:
		why = lastLine(said) + "; its log is " + c.logFile()
	}
	return fmt.Errorf("%s the private database in %s: %s", doing, c.dir, why)
}

// sentence does the same for an error of the file system.
func sentence(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %s", err, noRoom)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; choose another data folder, run vmdrift as the user that owns it, or %s", err, instead)
	}
	return err
}

// lastLine returns the last line that says what is wrong, without the time in front.
func lastLine(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		for _, mark := range []string{"PANIC: ", "FATAL: ", "error: ", "ERROR: "} {
			if _, msg, ok := strings.Cut(lines[i], mark); ok {
				return strings.TrimSpace(msg)
			}
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// logTail returns the end of the server's log.
func (c *cluster) logTail() string {
	b, err := os.ReadFile(c.logFile())
	if err != nil {
		return "it said nothing"
	}
	return string(b[max(0, len(b)-4096):])
}
