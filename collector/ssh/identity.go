package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	gossh "golang.org/x/crypto/ssh"
)

// An identity is what one IdentityFile holds, read once for all targets.
type identity struct {
	path string

	once   sync.Once
	pub    gossh.PublicKey    // known even where the private key cannot be used: the agent may have it
	signer gossh.Signer       // nil if this file gives no usable private key
	cert   *gossh.Certificate // from PATH-cert.pub
	err    error              // why signer is nil
}

// keyring holds the keys of all targets: thousands of targets, a handful of files.
type keyring struct {
	passphrase *secret

	mu    sync.Mutex
	files map[string]*identity
	certs map[string]*certFile
}

type certFile struct {
	once sync.Once
	cert *gossh.Certificate
	err  error
}

func (r *keyring) identity(path string) *identity {
	r.mu.Lock()
	id := r.files[path]
	if id == nil {
		if r.files == nil {
			r.files = map[string]*identity{}
		}
		id = &identity{path: path}
		r.files[path] = id
	}
	r.mu.Unlock()
	id.once.Do(func() { id.load(r.passphrase) })
	return id
}

func (r *keyring) certificate(path string) (*gossh.Certificate, error) {
	r.mu.Lock()
	c := r.certs[path]
	if c == nil {
		if r.certs == nil {
			r.certs = map[string]*certFile{}
		}
		c = &certFile{}
		r.certs[path] = c
	}
	r.mu.Unlock()
	c.once.Do(func() { c.cert, c.err = readCertificate(path) })
	return c.cert, c.err
}

func (id *identity) load(passphrase *secret) {
	id.cert, _ = readCertificate(id.path + "-cert.pub")
	id.signer, id.pub, id.err = readPrivateKey(id.path, passphrase)
	if id.signer != nil {
		id.pub = id.signer.PublicKey()
		return
	}
	// The public half names a key of the agent: PATH may hold it itself, or PATH.pub.
	for _, path := range []string{id.path, id.path + ".pub"} {
		if id.pub != nil {
			return
		}
		if pub, err := readPublicKey(path); err == nil {
			id.pub = pub
			if path == id.path {
				id.err = errors.New("a public key, whose private key the agent does not have")
			}
		}
	}
}

// readPrivateKey returns the key, or its public half where only that can be read.
func readPrivateKey(path string, passphrase *secret) (gossh.Signer, gossh.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the path stands beside it already
		}
		return nil, nil, err
	}
	if err := checkMode(path); err != nil {
		return nil, nil, err
	}
	signer, err := gossh.ParsePrivateKey(data)
	var missing *gossh.PassphraseMissingError
	if !errors.As(err, &missing) {
		if err != nil {
			err = errors.New("not a private key that can be read")
		}
		return signer, nil, err
	}
	if !passphrase.given() {
		return nil, missing.PublicKey, errors.New("encrypted, and no passphrase is given")
	}
	phrase, err := passphrase.get()
	if err != nil {
		return nil, missing.PublicKey, fmt.Errorf("encrypted, and its passphrase cannot be had: %w", err)
	}
	signer, err = gossh.ParsePrivateKeyWithPassphrase(data, []byte(phrase))
	if err != nil {
		return nil, missing.PublicKey, errors.New("encrypted, and the passphrase does not open it")
	}
	return signer, nil, nil
}

// checkMode refuses a key of ours that others may read, as OpenSSH does.
func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others may read it (mode %04o): chmod 600 it", info.Mode().Perm())
	}
	return nil
}

func readPublicKey(path string) (gossh.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pub, _, _, _, err := gossh.ParseAuthorizedKey(data)
	return pub, err
}

func readCertificate(path string) (*gossh.Certificate, error) {
	pub, err := readPublicKey(path)
	if err != nil {
		return nil, err
	}
	cert, ok := pub.(*gossh.Certificate)
	if !ok {
		return nil, errors.New("not a certificate")
	}
	return cert, nil
}
