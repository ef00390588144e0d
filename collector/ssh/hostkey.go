package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
)

// hostKeys holds what is known of one host's key, and decides on the one that it
// shows. It is asked during the key exchange, before any credential is offered.
type hostKeys struct {
	files     []*knownFile // where to look
	record    *knownFile   // where a new key is recorded; nil if nowhere
	acceptNew bool
	hash      bool   // HashKnownHosts
	name      string // the name in known_hosts: host, or [host]:port
	plain     string // the same without port, if there was one
	principal string // what a host certificate must name
	scan      string // how ssh-keyscan is told of it, for hints
}

func newHostKeys(host string, port int, alias string) hostKeys {
	host = strings.ToLower(host)
	hk := hostKeys{name: host, principal: host, scan: host}
	switch {
	case alias != "":
		hk.name = strings.ToLower(alias)
		hk.principal = hk.name
	case port != 22:
		hk.name = fmt.Sprintf("[%s]:%d", host, port)
		hk.plain = host
	}
	if port != 22 {
		hk.scan = fmt.Sprintf("-p %d %s", port, host)
	}
	return hk
}

func (hk *hostKeys) load() error {
	for _, f := range hk.files {
		if err := f.load(); err != nil {
			return &collector.Error{Outcome: collector.HostKeyUnknown, Err: err, Hint: "Make the file readable, or name another with --known-hosts."}
		}
	}
	return nil
}

func (hk *hostKeys) find(name string) []*knownKey {
	if len(hk.files) == 1 {
		return hk.files[0].find(name)
	}
	var all []*knownKey
	for _, f := range hk.files {
		all = append(all, f.find(name)...)
	}
	return all
}

// safeKeyTypes are the key types in the order in which an unknown host is asked
// for them: short, fast ones first. DSA is not among them.
var safeKeyTypes = []string{
	gossh.KeyAlgoED25519, gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521, gossh.KeyAlgoRSA,
}

// algorithmsOf returns the signature algorithms of a key type, best first. The
// SHA-1 one is last: it is all that an old dropbear has.
func algorithmsOf(keyType string) []string {
	if keyType == gossh.KeyAlgoRSA {
		return []string{gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256, gossh.KeyAlgoRSA}
	}
	return []string{keyType}
}

var certAlgorithms = []string{
	gossh.CertAlgoED25519v01, gossh.CertAlgoECDSA256v01, gossh.CertAlgoECDSA384v01, gossh.CertAlgoECDSA521v01,
	gossh.CertAlgoRSASHA512v01, gossh.CertAlgoRSASHA256v01,
}

// algorithms returns what to ask the server for. A server with keys of several
// types shows the first type on this list that it has, so those that known_hosts
// holds for the host come first. The others follow, for the error to say what the
// host shows instead. allowed is HostKeyAlgorithms of ssh_config, or empty.
func (hk *hostKeys) algorithms(allowed []string) []string {
	types := make([]string, 0, len(safeKeyTypes))
	ca := false
	for _, k := range hk.find(hk.name) {
		if k.ca {
			ca = true
		} else if !slices.Contains(types, k.typ) && slices.Contains(safeKeyTypes, k.typ) {
			types = append(types, k.typ)
		}
	}
	if len(types) == 0 && !ca && hk.plain != "" {
		for _, k := range hk.find(hk.plain) {
			ca = ca || k.ca
		}
	}
	for _, t := range safeKeyTypes {
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	algos := make([]string, 0, len(certAlgorithms)+len(types)+2)
	if ca {
		algos = append(algos, certAlgorithms...)
	}
	for _, t := range types {
		algos = append(algos, algorithmsOf(t)...)
	}
	if len(allowed) > 0 {
		algos = slices.DeleteFunc(algos, func(a string) bool { return !slices.Contains(allowed, a) })
	}
	return algos
}

// check is the verdict on the key that the host shows.
func (hk *hostKeys) check(_ string, _ net.Addr, key gossh.PublicKey) error {
	lines := hk.find(hk.name)
	cert, isCert := key.(*gossh.Certificate)
	var certErr error
	if isCert {
		if certErr = hk.checkCert(cert, lines); certErr == nil {
			return nil
		}
		key = cert.Key // as a plain key it may still be known
	}
	blob := key.Marshal()
	if err := hk.checkRevoked(key, blob); err != nil {
		return err
	}
	var held []*knownKey
	for _, k := range lines {
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
	if hk.plain != "" {
		// OpenSSH takes the key of the same host on port 22 too, but does not take
		// a different one there for a change.
		for _, k := range hk.find(hk.plain) {
			if !k.ca && bytes.Equal(k.blob, blob) {
				return nil
			}
		}
	}
	if certErr != nil && !errors.Is(certErr, errUnknownAuthority) {
		return &collector.Error{Outcome: collector.HostKeyUnknown, Err: certErr, Hint: "Have the authority sign the host's key again."}
	}
	if hk.acceptNew && !isCert {
		return hk.accept(key)
	}
	return hk.unknown(key)
}

func (hk *hostKeys) checkRevoked(key gossh.PublicKey, blob []byte) error {
	for _, f := range hk.files {
		if k := f.revokedKey(blob); k != nil {
			return &collector.Error{
				Outcome: collector.HostKeyChanged,
				Err:     fmt.Errorf("host key %s is revoked (%s)", describeKey(key), k.at()),
				Hint:    "Do not trust this machine before its owner has given it a new key.",
			}
		}
	}
	return nil
}

func (hk *hostKeys) changed(key gossh.PublicKey, held []*knownKey) error {
	old := make([]string, len(held))
	for i, k := range held {
		old[i] = "one that cannot be parsed at " + k.at()
		if pub, err := k.public(); err == nil {
			old[i] = fmt.Sprintf("%s (%s)", describeKey(pub), k.at())
		}
	}
	return &collector.Error{
		Outcome: collector.HostKeyChanged,
		Err:     fmt.Errorf("the server shows %s, known is %s", describeKey(key), strings.Join(old, ", ")),
		Hint: fmt.Sprintf("If the machine was set up anew, remove the old key with: ssh-keygen -R '%s' -f %s; if not, somebody may be answering in its place.",
			hk.name, held[0].file),
	}
}

func (hk *hostKeys) unknown(key gossh.PublicKey) error {
	file := "~/.ssh/known_hosts"
	if hk.record != nil {
		file = hk.record.path
	}
	return &collector.Error{
		Outcome: collector.HostKeyUnknown,
		Err:     fmt.Errorf("the server shows %s, and known_hosts has no key of it", describeKey(key)),
		Hint: fmt.Sprintf("Compare the fingerprint, then record the key with: ssh-keyscan %s >> %s; or let --accept-new record the keys of new machines.",
			hk.scan, file),
	}
}

var errUnknownAuthority = errors.New("host certificate is signed by an unknown authority")

// checkCert verifies a host certificate against the @cert-authority lines.
func (hk *hostKeys) checkCert(cert *gossh.Certificate, lines []*knownKey) error {
	if hk.plain != "" {
		lines = append(lines[:len(lines):len(lines)], hk.find(hk.plain)...)
	}
	authority := cert.SignatureKey.Marshal()
	if !slices.ContainsFunc(lines, func(k *knownKey) bool { return k.ca && bytes.Equal(k.blob, authority) }) {
		return errUnknownAuthority
	}
	if cert.CertType != gossh.HostCert {
		return errors.New("host certificate is a user's certificate")
	}
	principal := hk.principal
	for _, p := range cert.ValidPrincipals {
		if wildcard(strings.ToLower(p), principal) {
			principal = p // OpenSSH lets a certificate name *.example.com
			break
		}
	}
	checker := gossh.CertChecker{IsRevoked: func(c *gossh.Certificate) bool {
		return hk.checkRevoked(c.Key, c.Key.Marshal()) != nil || hk.checkRevoked(c.SignatureKey, authority) != nil
	}}
	if err := checker.CheckCert(principal, cert); err != nil {
		return fmt.Errorf("host certificate is not valid: %s", serverText(strings.TrimPrefix(err.Error(), "ssh: ")))
	}
	return nil
}

// describeKey names a key as ssh does: ED25519 SHA256:….
func describeKey(key gossh.PublicKey) string {
	names := map[string]string{
		gossh.KeyAlgoED25519: "ED25519", gossh.KeyAlgoRSA: "RSA",
		gossh.KeyAlgoECDSA256: "ECDSA", gossh.KeyAlgoECDSA384: "ECDSA", gossh.KeyAlgoECDSA521: "ECDSA",
	}
	name := names[key.Type()]
	if name == "" {
		name = serverText(key.Type())
	}
	return name + " " + gossh.FingerprintSHA256(key)
}
