package ssh

import (
	"fmt"
	"strings"
)

// refused are directives without which another host would be reached, or a key
// trusted that ssh would not trust. A value on the list means that it is harmless.
var refused = map[string]struct {
	harmless []string
	instead  string
}{
	"revokedhostkeys":      {[]string{"none"}, "put the keys into known_hosts after @revoked"},
	"knownhostscommand":    {[]string{"none"}, "put the keys into known_hosts"},
	"canonicalizehostname": {[]string{"no", "none"}, "write the full name as HostName"},
	"proxyusefdpass":       {[]string{"no"}, "use a ProxyCommand that copies"},
}

// ineffective are directives that would make ssh stricter or give it other means.
var ineffective = map[string][]string{
	"pubkeyacceptedalgorithms": nil,
	"pubkeyacceptedkeytypes":   nil,
	"casignaturealgorithms":    nil,
	"requiredrsasize":          nil,
	"checkhostip":              {"no"},
	"bindinterface":            nil,
	"pkcs11provider":           {"none"},
	"securitykeyprovider":      {"internal"},
	"tag":                      nil,
}

// checkUnsupported reports what ssh_config asks for and is not done here. What
// only concerns terminals, forwarding or multiplexing is passed over: none of it
// happens here.
func (d *Dialer) checkUnsupported(s settings) error {
	for key, r := range refused {
		if dir, ok := s.first[key]; ok && !oneOf(dir.value(), r.harmless) {
			return fmt.Errorf("%s: %s is not supported; %s", dir.at(), key, r.instead)
		}
	}
	for key, harmless := range ineffective {
		if dir, ok := s.first[key]; ok && !oneOf(dir.value(), harmless) {
			d.warn(fmt.Sprintf("%s: %s is not supported and has no effect", dir.at(), key))
		}
	}
	return nil
}

func oneOf(s string, list []string) bool {
	for _, v := range list {
		if strings.EqualFold(s, v) {
			return true
		}
	}
	return false
}
