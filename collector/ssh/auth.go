package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
)

// A credential is a key to offer, and what an error calls it.
type credential struct {
	signer gossh.Signer
	label  string
}

// An auth is one authentication. It hands x/crypto one method at a time, each key
// for itself, so that it knows what was offered: servers hang up after some six
// tries (MaxAuthTries), and the error says which.
type auth struct {
	h           *Host
	keys        []credential
	password    string
	passwordErr error

	skipped []string // keys that could not be offered, and why
	tried   []string
	accepts []string // methods that the server takes, from its last answer
	answers int      // of the server, so far
	sent    bool     // the password was sent; a second try could lock the account
}

// newAuth gets hold of keys and password before the connection is made, so that a
// slow vault or agent does not use up the server's LoginGraceTime.
func (h *Host) newAuth() *auth {
	a := &auth{h: h}
	if slices.Contains(h.methods, "publickey") {
		a.collectKeys()
	}
	if h.d.password.given() {
		a.password, a.passwordErr = h.d.password.get()
	}
	return a
}

// collectKeys lists the keys in the order in which they are offered: those named
// for this host, those of the agent, those that happen to lie in ~/.ssh. Within
// each, certificates go before bare keys, as in OpenSSH. OpenSSH itself offers
// the agent's keys before the files named by -i, and so runs into MaxAuthTries.
func (a *auth) collectKeys() {
	h := a.h
	var inAgent []agentSigner
	if h.agentSocket != "" {
		var err error
		if inAgent, err = h.d.agents.get(h.agentSocket).keys(); err != nil {
			a.skipped = append(a.skipped, fmt.Sprintf("the agent (%v)", err))
		}
	}
	used := map[string]bool{}
	add := func(s gossh.Signer, label string) {
		if blob := string(s.PublicKey().Marshal()); !used[blob] {
			used[blob] = true
			a.keys = append(a.keys, credential{s, label})
		}
	}
	for _, path := range h.identities {
		a.addIdentity(path, inAgent, add, true)
	}
	if !h.identitiesOnly {
		for _, s := range inAgent {
			add(s.Signer, strings.TrimSpace("agent "+serverText(s.comment)))
		}
	}
	for _, path := range h.defaults {
		a.addIdentity(path, inAgent, add, false)
	}
}

func (a *auth) addIdentity(path string, inAgent []agentSigner, add func(gossh.Signer, string), named bool) {
	id := a.h.d.keys.identity(path)
	signer, label := id.signer, path
	if id.pub != nil {
		blob := id.pub.Marshal()
		for _, s := range inAgent {
			if bytes.Equal(s.PublicKey().Marshal(), blob) {
				signer, label = s.Signer, path+" in the agent"
			}
		}
	}
	if signer == nil {
		// A default file that is not there is nothing to speak of.
		if named || !errors.Is(id.err, fs.ErrNotExist) {
			a.skipped = append(a.skipped, fmt.Sprintf("%s (%v)", path, id.err))
		}
		return
	}
	blob := signer.PublicKey().Marshal()
	certs := []*gossh.Certificate{id.cert}
	for _, file := range a.h.certificates {
		cert, err := a.h.d.keys.certificate(file)
		if err != nil {
			if note := fmt.Sprintf("%s (%v)", file, err); !slices.Contains(a.skipped, note) {
				a.skipped = append(a.skipped, note)
			}
		}
		certs = append(certs, cert)
	}
	for _, cert := range certs {
		if cert == nil || !bytes.Equal(cert.Key.Marshal(), blob) {
			continue
		}
		if s, err := gossh.NewCertSigner(cert, signer); err == nil {
			add(s, label+" with its certificate")
		}
	}
	add(signer, label)
}

var errNoMethods = errors.New("no method is left")

// next is asked by x/crypto after each answer of the server.
func (a *auth) next(c *gossh.ClientAuthContext) (gossh.AuthMethod, error) {
	a.accepts = c.AllowedMethods
	a.answers++
	for _, method := range a.h.methods {
		if !slices.Contains(c.AllowedMethods, method) {
			continue
		}
		switch method {
		case "publickey":
			if len(a.keys) == 0 {
				continue
			}
			k := a.keys[0]
			a.keys = a.keys[1:]
			a.tried = append(a.tried, fmt.Sprintf("%s (%s)", k.label, gossh.FingerprintSHA256(k.signer.PublicKey())))
			return gossh.PublicKeys(k.signer), nil
		case "keyboard-interactive":
			if a.password == "" || a.sent || slices.Contains(c.TriedMethods, method) {
				continue
			}
			return gossh.KeyboardInteractive(a.answer), nil
		case "password":
			if a.password == "" || a.sent {
				continue
			}
			a.sent = true
			a.tried = append(a.tried, "the password")
			return gossh.Password(a.password), nil
		}
	}
	return nil, errNoMethods
}

var errPrompt = errors.New("the server asks for more than a password")

// answer gives the password to one hidden prompt and to nothing else: a prompt
// that would echo, or several of them, ask for something that we do not have.
func (a *auth) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return nil, nil
	case len(questions) > 1 || echos[0] || a.sent:
		return nil, errPrompt
	}
	a.sent = true
	a.tried = append(a.tried, "the password, typed at its prompt")
	return []string{a.password}, nil
}

// failed is the error of an authentication that did not succeed.
func (a *auth) failed(err error) error {
	// The first answer is that something is to be offered. Who ends the connection before a second one has refused nothing.
	if a.answers < 2 && gone(err) {
		return &collector.Error{Outcome: collector.Unreachable, Err: fmt.Errorf("logging in as %s: %s", a.h.user, lostText(err))}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "not let in as %s: ", a.h.user)
	if len(a.tried) == 0 {
		text.WriteString("there was nothing to offer")
	} else {
		text.WriteString("tried " + strings.Join(a.tried, ", "))
	}
	if a.passwordErr != nil {
		a.skipped = append(a.skipped, fmt.Sprintf("the password (%v)", a.passwordErr))
	}
	if len(a.skipped) > 0 {
		text.WriteString("; could not use " + strings.Join(a.skipped, ", "))
	}
	switch {
	case errors.Is(err, errNoMethods) && len(a.accepts) > 0:
		text.WriteString("; the server takes " + serverText(strings.Join(a.accepts, ", ")))
	case err != nil && !errors.Is(err, errNoMethods):
		text.WriteString("; " + lostText(err))
	}
	hint := "Name a key with -i, put one into the agent, or give a password by command or file."
	switch {
	case a.passwordErr != nil:
		hint = "Mend the command or the file that is to give the password, or name a key with -i."
	case len(a.tried) > 0:
		hint = fmt.Sprintf("Add one of these keys to ~%s/.ssh/authorized_keys there, or name another with -i.", a.h.user)
	}
	return &collector.Error{Outcome: collector.AuthFailed, Err: errors.New(text.String()), Hint: hint}
}
