package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A cluster is a folder with a private PostgreSQL in it:
//
//	data/        PostgreSQL's own
//	run/         the socket
//	initdb-*/    a data folder being made; renamed to data when it is whole
//	hba.conf, ident.conf   who may connect, written at each start
//	start.lock   held while starting and stopping
//	users.lock   shared by those who use the server
//	server.log   what the server said since its last start
//	socket       symbolic link to the socket's folder, where the path of run is too long
//
// The folder is ours; data and run belong to the owner, which is the same unless we are
// root. So root never writes where the account that it lends the server could have put
// a link to another place.
type cluster struct {
	dir   string
	mode  mode
	owner owner
	log   *slog.Logger
}

// newCluster makes the folder, private to the owner.
func newCluster(dir string, m mode, log *slog.Logger) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	own, err := ownerOf(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make the private database's folder: %w", sentence(err))
	}
	if err = os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		err = refuseForeign(dir)
	}
	if err == nil {
		err = os.Chmod(dir, own.folderMode())
	}
	if err != nil {
		return nil, fmt.Errorf("make the private database's folder: %w", sentence(err))
	}
	blocked, err := own.barrier(dir)
	if err != nil {
		return nil, err
	}
	if blocked != "" {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and user %s, whom it would run as, may not enter %s; "+
			"choose a data folder that it can reach, like /var/lib/vmdrift, or run vmdrift as another user, or set DATABASE_URL to a server",
			own.name, blocked)
	}
	return &cluster{dir: dir, mode: m, owner: own, log: log}, nil
}

// refuseForeign refuses a folder that is another user's or holds other things.
func refuseForeign(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		who := strconv.Itoa(int(st.Uid))
		if u, err := user.LookupId(who); err == nil {
			who = u.Username
		}
		return fmt.Errorf("%s belongs to user %s; run vmdrift as that user, or choose another data folder, or %s", dir, who, instead)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains(contents, e.Name()) && !strings.HasPrefix(e.Name(), "initdb-") {
			return fmt.Errorf("%s holds other files (%s); choose a folder of its own", dir, e.Name())
		}
	}
	return nil
}

var contents = []string{"data", "run", "hba.conf", "ident.conf", "start.lock", "users.lock", "server.log", "socket"}

// path returns the path of a file in the cluster's folder.
func (c *cluster) path(file string) string { return filepath.Join(c.dir, file) }

func (c *cluster) data() string    { return c.path("data") }
func (c *cluster) logFile() string { return c.path("server.log") }
