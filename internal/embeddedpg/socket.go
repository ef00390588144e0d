package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSocketPath is what fits in sockaddr_un on Linux, without the closing NUL.
const maxSocketPath = 107

// makeSocketDir returns the folder for the socket: one in the cluster's, or, where its
// path is too long for a socket, a new short one elsewhere.
func (c *cluster) makeSocketDir() (string, error) {
	c.removeSocketDir() // a crash's rest
	if dir := c.path("run"); fits(dir) {
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if err = errors.Join(err, c.owner.chown(dir)); err != nil {
			return "", fmt.Errorf("start the private database: %w", sentence(err))
		}
		return dir, nil
	}
	link := c.path("socket")
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp", "/var/tmp"} {
		if parent == "" || !fits(parent+"/vmdrift-1234567890") {
			continue
		}
		if blocked, err := c.owner.barrier(parent); err != nil || blocked != "" {
			continue
		}
		dir, err := os.MkdirTemp(parent, "vmdrift-") // 0700
		if err != nil {
			continue
		}
		if err := c.owner.chown(dir); err != nil {
			return "", err
		}
		if err := os.Symlink(dir, link); err != nil { // a crash before this leaves an empty folder behind
			return "", fmt.Errorf("start the private database: %w", sentence(err))
		}
		return dir, nil
	}
	return "", fmt.Errorf("the path of the data folder %s is too long for a socket, and there is no private place for one; "+
		"choose a data folder with a shorter path, or %s", c.dir, instead)
}

// removeSocketDir removes the folder that makeSocketDir made elsewhere.
func (c *cluster) removeSocketDir() {
	dir, err := os.Readlink(c.path("socket"))
	if err != nil {
		return
	}
	for _, file := range []string{".s.PGSQL." + port, ".s.PGSQL." + port + ".lock"} {
		_ = os.Remove(filepath.Join(dir, file)) // a server that shut down has removed them
	}
	_ = os.Remove(dir)
	_ = os.Remove(c.path("socket"))
}

func fits(dir string) bool { return len(dir+"/.s.PGSQL."+port) <= maxSocketPath }
