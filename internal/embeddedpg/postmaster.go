package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A postmaster is what the server says of itself in data/postmaster.pid.
type postmaster struct {
	pid       int
	socketDir string
	status    string // starting, stopping, ready, standby
}

// postmaster returns the zero value if there is no server.
//
// The file has a line each for: process id, data folder, start time, port, socket
// folder, address, shared memory, status. A server that begins writes them one by one.
func (c *cluster) postmaster() (postmaster, error) {
	b, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return postmaster{}, nil
	}
	if err != nil {
		return postmaster{}, fmt.Errorf("open the private database: %w", sentence(err))
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, nil
	}
	pm := postmaster{pid: pid}
	if len(lines) > 7 {
		pm.socketDir, pm.status = lines[4], strings.TrimSpace(lines[7])
	}
	return pm, nil
}

func (p postmaster) alive() bool {
	if p.pid == 0 {
		return false
	}
	err := syscall.Kill(p.pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
