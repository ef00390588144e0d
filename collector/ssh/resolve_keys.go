package ssh

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (d *Dialer) resolveHostKeys(h *Host, s settings) error {
	h.keys = newHostKeys(h.host, h.port, s.value("hostkeyalias"))
	accept := d.opts.AcceptNew
	switch dir := s.first["stricthostkeychecking"]; strings.ToLower(dir.value()) {
	case "", "yes", "true", "ask":
	case "accept-new", "no", "off", "false":
		accept = true // no is taken for accept-new: nothing turns the check off
	default:
		return fmt.Errorf("%s: stricthostkeychecking is %q; it takes yes, ask, accept-new or no", dir.at(), dir.value())
	}
	h.keys.acceptNew = accept
	var err error
	if h.keys.hash, err = s.flag("hashknownhosts", false); err != nil {
		return err
	}
	paths, err := d.knownHostsPaths(h, s)
	if err != nil {
		return err
	}
	for i, path := range paths {
		if strings.EqualFold(path, "none") {
			continue
		}
		f := d.knownFile(path)
		h.keys.files = append(h.keys.files, f)
		// Only the first file takes new keys, and only if it keeps them: with
		// /dev/null every key would be new for ever, the check turned off.
		if i == 0 && keepsLines(path) {
			h.keys.record = f
		}
	}
	return nil
}

// knownHostsPaths returns the files to look in, that for new keys first.
func (d *Dialer) knownHostsPaths(h *Host, s settings) ([]string, error) {
	var paths []string
	for _, name := range d.opts.KnownHosts {
		paths = append(paths, expandTilde(name, d.home))
	}
	if len(paths) > 0 {
		return paths, nil
	}
	for _, f := range []struct {
		key string
		def []string
	}{
		{"userknownhostsfile", []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}},
		{"globalknownhostsfile", []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}},
	} {
		names := s.words(f.key)
		if len(names) == 0 {
			names = f.def
			if d.home == "" {
				return nil, errNoHome
			}
		}
		for _, name := range names {
			path, err := h.path(name, s.first[f.key])
			if err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

func keepsLines(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular()
}

// defaultIdentities are the files that ssh tries, in its order. Keys that live in
// a security token (_sk) work through the agent only.
var defaultIdentities = []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"}

func (d *Dialer) resolveKeys(h *Host, s settings) error {
	var err error
	if h.identitiesOnly, err = s.flag("identitiesonly", false); err != nil {
		return err
	}
	add := func(path string) {
		if !slices.Contains(h.identities, path) {
			h.identities = append(h.identities, path)
		}
	}
	for _, name := range d.opts.IdentityFiles {
		add(expandTilde(name, d.home))
	}
	for _, dir := range s.all["identityfile"] {
		if strings.EqualFold(dir.value(), "none") {
			continue
		}
		path, err := h.path(dir.value(), dir)
		if err != nil {
			return err
		}
		add(path)
	}
	if len(h.identities) == 0 && len(s.all["identityfile"]) == 0 && d.home != "" {
		for _, name := range defaultIdentities {
			h.defaults = append(h.defaults, filepath.Join(d.home, ".ssh", name))
		}
	}
	for _, dir := range s.all["certificatefile"] {
		path, err := h.path(dir.value(), dir)
		if err != nil {
			return err
		}
		h.certificates = append(h.certificates, path)
	}
	return d.resolveAgent(h, s)
}

func (d *Dialer) resolveAgent(h *Host, s settings) error {
	fallback := d.opts.AgentSocket
	if fallback == "" {
		fallback = os.Getenv("SSH_AUTH_SOCK")
	}
	dir, ok := s.first["identityagent"]
	socket := dir.value()
	switch {
	case !ok, socket == "SSH_AUTH_SOCK":
		socket = fallback
	case strings.HasPrefix(socket, "$") && !strings.HasPrefix(socket, "${"):
		socket = os.Getenv(socket[1:])
	case strings.EqualFold(socket, "none"):
	default:
		var err error
		if socket, err = h.path(socket, dir); err != nil {
			return err
		}
	}
	if !strings.EqualFold(socket, "none") {
		h.agentSocket = socket
	}
	return nil
}
