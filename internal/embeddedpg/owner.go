package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// An owner is the account that the server runs as. PostgreSQL refuses to run as
// root, so root lends it another one.
type owner struct {
	name     string
	uid, gid uint32
	lent     bool // we are root, and it is not
}

// accounts that root lends to the server, the first that exists.
var accounts = []string{"vmdrift", "postgres", "nobody"}

// ownerOf returns the account for a cluster in dir: our own; for root the owner
// of the data folder if there is one already, and otherwise one of accounts.
func ownerOf(dir string) (owner, error) {
	if uid := os.Geteuid(); uid != 0 {
		u, err := user.LookupId(strconv.Itoa(uid))
		if err != nil {
			return owner{}, fmt.Errorf("PostgreSQL does not run as user %d, which has no name on this machine; "+
				"run vmdrift as a user with one, or set DATABASE_URL to a server", uid)
		}
		return owner{name: u.Username, uid: uint32(uid), gid: uint32(os.Getegid())}, nil
	}
	if fi, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			if u, err := user.LookupId(strconv.Itoa(int(st.Uid))); err == nil {
				return lend(u)
			}
		}
	}
	for _, account := range accounts {
		if u, err := user.Lookup(account); err == nil && u.Uid != "0" {
			return lend(u)
		}
	}
	return owner{}, fmt.Errorf("PostgreSQL does not run as root, and there is none of the users %v to run it as; "+
		"run vmdrift as another user, or set DATABASE_URL to a server", accounts)
}

func lend(u *user.User) (owner, error) {
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return owner{name: u.Username, uid: uint32(uid), gid: uint32(gid), lent: true}, errors.Join(err1, err2)
}

// attr is how children run: as the owner, without our supplementary groups, and in
// a session of their own, so that Ctrl-C in our terminal does not reach them.
func (o owner) attr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if o.lent {
		a.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid, Groups: []uint32{}}
	}
	return a
}

func (o owner) chown(path string) error {
	if !o.lent {
		return nil
	}
	return os.Lchown(path, int(o.uid), int(o.gid))
}

// folderMode is the mode of the cluster's folder: private; but an owner that is not us
// has to pass through it to what is its own.
func (o owner) folderMode() fs.FileMode {
	if o.lent {
		return 0o711
	}
	return 0o700
}

// barrier returns the first folder on the way to dir that the owner may not enter, or "".
func (o owner) barrier(dir string) (string, error) {
	if !o.lent {
		return "", nil // finds out by itself
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	var way []string
	for d := dir; ; d = filepath.Dir(d) {
		way = append(way, d)
		if d == filepath.Dir(d) {
			break
		}
	}
	slices.Reverse(way)
	for _, d := range way {
		fi, err := os.Stat(d)
		if err != nil {
			return "", err
		}
		if !o.mayEnter(fi) {
			return d, nil
		}
	}
	return "", nil
}

func (o owner) mayEnter(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case st.Uid == o.uid:
		return fi.Mode()&0o100 != 0
	case st.Gid == o.gid:
		return fi.Mode()&0o010 != 0
	}
	return fi.Mode()&0o001 != 0
}
