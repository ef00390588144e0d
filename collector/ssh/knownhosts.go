package ssh

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the hash of the file format
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"
)

// A knownKey is one line of a known_hosts file.
type knownKey struct {
	file     string
	line     int
	ca       bool   // @cert-authority
	patterns string // as in the file, comma-separated; empty once indexed by name
	salt     []byte // of a hashed name
	hash     []byte
	typ      string // ssh-ed25519, …
	blob     []byte // the key in wire form
}

func (k *knownKey) at() string { return fmt.Sprintf("%s:%d", k.file, k.line) }

// public parses the key. It is done when needed only: of a file with thousands
// of lines one or two matter to a target.
func (k *knownKey) public() (gossh.PublicKey, error) { return gossh.ParsePublicKey(k.blob) }

// A knownFile is one known_hosts file, indexed by host. It may grow while it is
// in use: by us, by another vmdrift, by ssh.
type knownFile struct {
	path string

	recording sync.Mutex // held while a line is added: one of us at a time waits for the file's lock

	mu      sync.RWMutex
	loaded  bool
	info    fs.FileInfo // the file that was read, to notice its replacement
	size    int64       // how much of it was read
	lines   int
	cut     bool                   // its last line has no newline
	byName  map[string][]*knownKey // plain names, as they stand: host or [host]:port, in lower case
	others  []*knownKey            // hashed names and patterns, to be tried one by one
	revoked map[string]*knownKey   // by key
	found   map[string][]*knownKey // what was found among others before
}

// load reads the file, or what was added since it was last read. A missing file is empty.
func (f *knownFile) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded {
		return nil
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.loaded = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read known hosts: %w", err)
	}
	defer file.Close()
	if err := f.readNew(file); err != nil {
		return fmt.Errorf("read known hosts: %w", err)
	}
	f.loaded = true
	return nil
}

// readNew reads what file has beyond what was read before, or all of it if it is
// another file by now. The caller holds f.mu.
func (f *knownFile) readNew(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.info == nil || !os.SameFile(f.info, info) || info.Size() < f.size || f.cut && info.Size() > f.size {
		f.size, f.lines, f.others = 0, 0, nil
		f.byName, f.revoked = map[string][]*knownKey{}, map[string]*knownKey{}
	}
	f.info, f.found = info, map[string][]*knownKey{}
	data, err := io.ReadAll(io.NewSectionReader(file, f.size, 1<<62))
	if err != nil {
		return err
	}
	for text := range bytes.Lines(data) {
		f.lines++
		// A line that cannot be read (a key type that this build does not know,
		// half a line) vouches for no key. OpenSSH skips it too.
		f.addLine(strings.Trim(string(text), " \t\r\n"), f.lines)
	}
	f.size += int64(len(data))
	if len(data) > 0 {
		f.cut = data[len(data)-1] != '\n'
	}
	return nil
}

func (f *knownFile) addLine(text string, n int) {
	fields := strings.Fields(text)
	if len(fields) == 0 || fields[0][0] == '#' {
		return
	}
	marker := ""
	if fields[0][0] == '@' {
		marker, fields = fields[0], fields[1:]
	}
	if len(fields) < 3 {
		return
	}
	blob, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || !blobHasType(blob, fields[1]) {
		return
	}
	k := &knownKey{file: f.path, line: n, typ: fields[1], blob: blob}
	switch marker {
	case "":
	case "@cert-authority":
		k.ca = true
	case "@revoked":
		// For every host, whatever the line's pattern: a key that leaked for one
		// name is trusted under no other.
		f.revoked[string(blob)] = k
		return
	default:
		return
	}
	if strings.HasPrefix(fields[0], "|") {
		if k.salt, k.hash, err = decodeHashed(fields[0]); err == nil {
			f.others = append(f.others, k)
		}
		return
	}
	names := strings.ToLower(fields[0])
	if strings.ContainsAny(names, "*?!") {
		k.patterns = names
		f.others = append(f.others, k)
		return
	}
	for name := range strings.SplitSeq(names, ",") {
		f.byName[name] = append(f.byName[name], k)
	}
}

// find returns the lines for a host, name being host or [host]:port.
func (f *knownFile) find(name string) []*knownKey {
	name = strings.ToLower(name)
	f.mu.RLock()
	found, others := f.byName[name], f.others
	among, known := f.found[name]
	f.mu.RUnlock()
	if len(others) == 0 {
		return found
	}
	if !known {
		// Asked several times per connection, and dear: ten thousand hashed names
		// take milliseconds.
		for _, k := range others {
			if k.matches(name) {
				among = append(among, k)
			}
		}
		f.mu.Lock()
		if len(f.others) == len(others) {
			f.found[name] = among
		}
		f.mu.Unlock()
	}
	return append(found[:len(found):len(found)], among...)
}

func (f *knownFile) revokedKey(blob []byte) *knownKey {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.revoked[string(blob)]
}

func (k *knownKey) matches(name string) bool {
	if k.hash != nil {
		return hashName(k.salt, name) == [sha1.Size]byte(k.hash)
	}
	return matchWords(strings.Split(k.patterns, ","), name)
}

// hashName is HMAC-SHA1, in a third of the time that crypto/hmac takes: of hashed
// names, every one of the file must be tried.
func hashName(salt []byte, name string) [sha1.Size]byte {
	var pad [sha1.BlockSize]byte
	copy(pad[:], salt)
	for i := range pad {
		pad[i] ^= 0x36
	}
	var room [256]byte
	inner := sha1.Sum(append(append(room[:0], pad[:]...), name...))
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	return sha1.Sum(append(append(room[:0], pad[:]...), inner[:]...))
}

// decodeHashed reads |1|salt|hash, as written by HashKnownHosts.
func decodeHashed(s string) (salt, hash []byte, err error) {
	parts := strings.Split(s, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return nil, nil, errors.New("not a hashed name")
	}
	if salt, err = base64.StdEncoding.DecodeString(parts[2]); err != nil {
		return nil, nil, err
	}
	if hash, err = base64.StdEncoding.DecodeString(parts[3]); err != nil {
		return nil, nil, err
	}
	if len(salt) > sha1.BlockSize || len(hash) != sha1.Size {
		return nil, nil, errors.New("not a hashed name")
	}
	return salt, hash, nil
}

// blobHasType reports whether a key in wire form names the type beside it.
func blobHasType(blob []byte, typ string) bool {
	return len(blob) > 4+len(typ) &&
		blob[0] == 0 && blob[1] == 0 && int(blob[2])<<8|int(blob[3]) == len(typ) &&
		string(blob[4:4+len(typ)]) == typ
}
