package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A Dialer holds what all targets share: configuration, known hosts, keys, agents
// and the connections to jump hosts. Its methods may be called concurrently.
type Dialer struct {
	opts Options
	home string
	user string // who runs vmdrift
	conf *config
	keys keyring
	agents
	password secret

	mu       sync.Mutex
	known    map[string]*knownFile
	hops     map[string]*Host // by the list of hops that leads there
	warnings []string
}

// New reads the configuration. Keys and known hosts are read when first needed.
func New(o Options) (*Dialer, error) {
	d := &Dialer{opts: o, home: o.Home, known: map[string]*knownFile{}, hops: map[string]*Host{}}
	me, err := osuser.Current()
	if err == nil {
		d.user = me.Username
	} else {
		d.user = os.Getenv("USER")
	}
	if d.home == "" {
		d.home = os.Getenv("HOME")
	}
	if d.home == "" && me != nil {
		d.home = me.HomeDir
	}
	d.password.command, d.password.file = o.PasswordCommand, expandTilde(o.PasswordFile, d.home)
	d.keys.passphrase = &secret{command: o.PassphraseCommand, file: expandTilde(o.PassphraseFile, d.home)}
	if err := d.checkOptions(); err != nil {
		return nil, err
	}
	if d.conf, err = loadConfig(o.ConfigFiles, d.home, d.user); err != nil {
		return nil, err
	}
	return d, nil
}

// checkOptions finds now, once, what would otherwise fail for each target.
func (d *Dialer) checkOptions() error {
	o := d.opts
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("port %d is not a number from 1 to 65535", o.Port)
	}
	if o.User != "" {
		if err := checkUser(o.User); err != nil {
			return fmt.Errorf("user %q: %w", o.User, err)
		}
	}
	if o.Jump != "" {
		if _, err := parseJump(o.Jump); err != nil {
			return fmt.Errorf("jump host: %w", err)
		}
	}
	for _, two := range []struct{ a, b, what string }{
		{o.PasswordCommand, o.PasswordFile, "password"},
		{o.PassphraseCommand, o.PassphraseFile, "passphrase"},
	} {
		if two.a != "" && two.b != "" {
			return fmt.Errorf("the %s comes from a command and from a file: give one of them", two.what)
		}
	}
	for _, file := range slices.Concat(o.IdentityFiles, nonEmpty(o.PasswordFile), nonEmpty(o.PassphraseFile)) {
		_, err := os.Stat(expandTilde(file, d.home))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("there is no file %s to read a key or a password from", file)
		case err != nil:
			return err
		}
	}
	for _, file := range o.KnownHosts {
		_, err := os.Stat(expandTilde(file, d.home))
		switch {
		case errors.Is(err, fs.ErrNotExist) && o.AcceptNew: // will be created
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("there is no known_hosts file %s; name another, or let --accept-new make it", file)
		case err != nil:
			return err
		}
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// Close ends the connections to jump hosts and agents. Runs that use them fail.
func (d *Dialer) Close() error {
	d.mu.Lock()
	hops := d.hops
	d.hops = map[string]*Host{}
	d.mu.Unlock()
	for _, h := range hops {
		h.pool.close()
	}
	// Only now: a hop may hang until the one before it is closed.
	for _, h := range hops {
		h.pool.work.Wait()
	}
	d.agents.close()
	return nil
}

// Warnings says which directives of ssh_config, in force for a host resolved so
// far, would make ssh stricter or go another way, and have no effect here. One
// sentence with file and line each, each once.
func (d *Dialer) Warnings() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.warnings)
}

func (d *Dialer) warn(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.warnings, text) {
		d.warnings = append(d.warnings, text)
	}
}

// Host resolves a target: [user@]host[:port], or an alias of ssh_config. It does
// not touch the network.
func (d *Dialer) Host(spec string) (*Host, error) {
	s, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	if s.User == "" {
		s.User = d.opts.User
	}
	name := Spec{Host: s.Host, Port: s.Port}.String()
	if s.Port == 0 {
		s.Port = d.opts.Port
	}
	h, err := d.resolve(s, d.opts.Jump, nil)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", spec, err)
	}
	h.name = name
	return h, nil
}

// hop resolves the jump host that a list of hops leads to, each reached through
// the one before it. The first goes the way that ssh_config says for it. It is
// the same *Host for every target behind it, so that they share its connection.
func (d *Dialer) hop(list []Spec, seen []string) (*Host, error) {
	last := list[len(list)-1]
	key := joinSpecs(list)
	if slices.Contains(seen, key) {
		return nil, fmt.Errorf("jump hosts go round in a circle: %s; set ProxyJump none for one of them", strings.Join(append(seen, key), " → "))
	}
	d.mu.Lock()
	h := d.hops[key]
	d.mu.Unlock()
	if h != nil {
		return h, nil
	}
	jump := ""
	if len(list) > 1 {
		jump = joinSpecs(list[:len(list)-1])
	}
	h, err := d.resolve(last, jump, append(seen, key))
	if err != nil {
		return nil, fmt.Errorf("jump host %s: %w", last.Host, err)
	}
	h.name = last.String()
	h.pool = newPool(h)
	d.mu.Lock()
	defer d.mu.Unlock()
	if other := d.hops[key]; other != nil {
		return other, nil
	}
	d.hops[key] = h
	return h, nil
}

func joinSpecs(list []Spec) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.String()
	}
	return strings.Join(out, ",")
}

// parseJump reads a list of hops. None, nil, means straight.
func parseJump(s string) ([]Spec, error) {
	if strings.EqualFold(s, "none") {
		return nil, nil
	}
	var list []Spec
	for part := range strings.SplitSeq(s, ",") {
		spec, err := ParseSpec(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, spec)
	}
	return list, nil
}

// knownFile returns the one index of a known_hosts file.
func (d *Dialer) knownFile(path string) *knownFile {
	path = filepath.Clean(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.known[path]
	if f == nil {
		f = &knownFile{path: path}
		d.known[path] = f
	}
	return f
}

var errNoHome = errors.New("no home directory is known: set HOME")
