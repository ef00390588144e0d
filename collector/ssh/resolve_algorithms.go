package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

func (d *Dialer) resolveMethods(h *Host, s settings) error {
	h.methods = []string{"publickey", "keyboard-interactive", "password"}
	if list := s.value("preferredauthentications"); list != "" {
		known := h.methods
		h.methods = nil
		for m := range strings.SplitSeq(list, ",") {
			if slices.Contains(known, m) {
				h.methods = append(h.methods, m)
			}
		}
	}
	for key, method := range map[string]string{
		"pubkeyauthentication":            "publickey",
		"passwordauthentication":          "password",
		"kbdinteractiveauthentication":    "keyboard-interactive",
		"challengeresponseauthentication": "keyboard-interactive",
	} {
		if v := strings.ToLower(s.value(key)); v == "no" || v == "false" {
			h.methods = slices.DeleteFunc(slices.Clone(h.methods), func(m string) bool { return m == method })
		}
	}
	return nil
}

func (d *Dialer) resolveAlgorithms(h *Host, s settings) error {
	safe := gossh.SupportedAlgorithms()
	insecure := gossh.InsecureAlgorithms()
	for _, a := range []struct {
		key       string
		to        *[]string
		def, more []string
	}{
		{"ciphers", &h.ciphers, safe.Ciphers, insecure.Ciphers},
		{"macs", &h.macs, safe.MACs, insecure.MACs},
		{"kexalgorithms", &h.kex, append(safe.KeyExchanges, gossh.InsecureKeyExchangeDH14SHA1), insecure.KeyExchanges},
		{"hostkeyalgorithms", &h.hostKeyAlgos, append(safe.HostKeys, gossh.KeyAlgoRSA), insecure.HostKeys},
	} {
		dir, ok := s.first[a.key]
		if !ok {
			continue
		}
		list, err := pickAlgorithms(dir.value(), a.def, append(slices.Clone(a.def), a.more...))
		if err != nil {
			return fmt.Errorf("%s: %s: %w", dir.at(), a.key, err)
		}
		*a.to = list
	}
	return nil
}

// pickAlgorithms reads a list of OpenSSH: in place of the default, or after + (add),
// - (take away) or ^ (put first). What this build does not have is left out.
func pickAlgorithms(spec string, def, have []string) ([]string, error) {
	op := byte(0)
	if spec != "" && strings.IndexByte("+-^", spec[0]) >= 0 {
		op, spec = spec[0], spec[1:]
	}
	var named []string
	for pattern := range strings.SplitSeq(spec, ",") {
		for _, a := range have {
			if wildcard(pattern, a) && !slices.Contains(named, a) {
				named = append(named, a)
			}
		}
	}
	without := slices.DeleteFunc(slices.Clone(def), func(a string) bool { return slices.Contains(named, a) })
	list := named
	switch op {
	case '+':
		list = append(slices.Clone(def), slices.DeleteFunc(named, func(a string) bool { return slices.Contains(def, a) })...)
	case '-':
		list = without
	case '^':
		list = append(named, without...)
	}
	if len(list) == 0 {
		return nil, errors.New("none of these is supported")
	}
	return list, nil
}
