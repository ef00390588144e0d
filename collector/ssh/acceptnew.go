package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/vmdrift/vmdrift/collector"
)

// accept records the key of a host seen for the first time.
//
// Scans and processes run beside one another, and ssh itself appends to the same
// file. So the file is locked against other vmdrifts, read again from where we
// stopped (somebody may have recorded the host meanwhile, perhaps with another
// key: that is a change), and added to by one append of one line, which is how
// ssh adds to it. A crash leaves the line out or in. One cut short by a full disk
// vouches for nothing, and the next line begins on a line of its own.
func (hk *hostKeys) accept(key gossh.PublicKey) error {
	if hk.record == nil {
		err := hk.unknown(key).(*collector.Error)
		err.Hint = "There is no file to record new keys in: name one with --known-hosts."
		return err
	}
	f := hk.record
	f.recording.Lock()
	defer f.recording.Unlock()
	file, err := f.openLocked()
	if err != nil {
		return hk.cannotRecord(err)
	}
	defer file.Close() // also gives up the lock
	f.mu.Lock()
	err = f.readNew(file)
	f.mu.Unlock()
	if err != nil {
		return hk.cannotRecord(err)
	}

	blob := key.Marshal()
	var held []*knownKey
	for _, k := range f.find(hk.name) {
		if k.ca {
			continue
		}
		if bytes.Equal(k.blob, blob) {
			return nil
		}
		held = append(held, k)
	}
	if len(held) > 0 {
		return hk.changed(key, held)
	}
	if err := f.append(file, hk.line(key)); err != nil {
		return hk.cannotRecord(err)
	}
	return nil
}

func (hk *hostKeys) line(key gossh.PublicKey) string {
	name := hk.name
	if hk.hash {
		name = knownhosts.HashHostname(name)
	}
	return name + " " + string(bytes.TrimSpace(gossh.MarshalAuthorizedKey(key))) + "\n"
}

func (hk *hostKeys) cannotRecord(err error) error {
	return &collector.Error{
		Outcome: collector.HostKeyUnknown,
		Err:     fmt.Errorf("record the new host key: %w", err),
		Hint:    "Make the file writable, or name another with --known-hosts.",
	}
}

// openLocked opens the file for appending, creates it where it is missing, and
// takes the lock of other processes.
func (f *knownFile) openLocked() (*os.File, error) {
	for {
		file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			if err = os.MkdirAll(filepath.Dir(f.path), 0o700); err == nil {
				file, err = os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
			}
		}
		if err != nil {
			return nil, err
		}
		if err := lockFile(file); err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", f.path, err)
		}
		// ssh-keygen -R replaces the file: a lock on the old one guards nothing.
		mine, err1 := file.Stat()
		now, err2 := os.Stat(f.path)
		if err1 == nil && err2 == nil && os.SameFile(mine, now) {
			return file, nil
		}
		file.Close()
	}
}

func lockFile(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// append adds one line to the locked file and to the index.
func (f *knownFile) append(file *os.File, line string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		line = "\n" + line
	}
	if _, err := file.WriteString(line); err != nil {
		return err
	}
	return f.readNew(file)
}
