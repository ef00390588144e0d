package simvm

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// A Fleet is machines that run: each listens on a port of its own on loopback.
type Fleet struct {
	ctx    context.Context
	cancel context.CancelFunc
	stop   func() bool
	hosts  []*Host

	clientKey []byte // PEM
	client    ssh.PublicKey
	known     []byte

	work sync.WaitGroup // all goroutines of all hosts
}

// Start runs the machines until Close, or until ctx ends. One key, made for this
// fleet, is let in to all of them as Root, Sudo, Plain and every other user with a shell.
func Start(ctx context.Context, machines ...*Machine) (*Fleet, error) {
	f := &Fleet{}
	signer, err := f.makeClientKey()
	if err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	f.client = signer.PublicKey()
	f.ctx, f.cancel = context.WithCancel(ctx)
	for _, m := range machines {
		h, err := f.startHost(m)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("simulated machine %s: %w", m.name, err)
		}
		f.hosts = append(f.hosts, h)
		f.known = append(f.known, knownhosts.Line([]string{h.Addr()}, h.signer.PublicKey())+"\n"...)
	}
	f.stop = context.AfterFunc(ctx, f.shut)
	return f, nil
}

// Close ends all connections and waits until nothing of the fleet runs any more.
func (f *Fleet) Close() error {
	if f.stop != nil {
		f.stop()
	}
	f.shut()
	f.work.Wait()
	return nil
}

func (f *Fleet) shut() {
	f.cancel()
	for _, h := range f.hosts {
		h.Disconnect()
	}
}

// Hosts returns the machines that run, in the order in which they were given.
func (f *Fleet) Hosts() []*Host { return f.hosts }

// Host returns the machine of a name, or nil.
func (f *Fleet) Host(name string) *Host {
	for _, h := range f.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// KnownHosts returns the host keys that the machines had at Start, as a known_hosts file.
func (f *Fleet) KnownHosts() []byte { return bytes.Clone(f.known) }

// ClientKey returns the private key that is let in, as a PEM file.
func (f *Fleet) ClientKey() []byte { return bytes.Clone(f.clientKey) }

// WriteFiles writes the client's key (id_ed25519, for its owner only) and known_hosts
// into a folder, and returns their paths.
func (f *Fleet) WriteFiles(dir string) (key, knownHosts string, err error) {
	key, knownHosts = filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "known_hosts")
	return key, knownHosts, errors.Join(os.WriteFile(key, f.clientKey, 0o600), os.WriteFile(knownHosts, f.known, 0o600))
}

func (f *Fleet) makeClientKey() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "simulated fleet")
	if err != nil {
		return nil, err
	}
	f.clientKey = pem.EncodeToMemory(block)
	return ssh.NewSignerFromKey(key)
}

func newHostKey() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}
