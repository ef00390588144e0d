package main

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/internal/config"
)

// A guestRule is a rule of the configuration, made ready.
type guestRule struct {
	config.Guest
	where labels.Selector
}

func guestRules(list []config.Guest, resolve func(string) string) ([]guestRule, error) {
	var out []guestRule
	for _, g := range list {
		where, err := labels.Parse(g.Where)
		if err != nil {
			return nil, err
		}
		g.IdentityFile = resolve(g.IdentityFile)
		out = append(out, guestRule{g, where})
	}
	return out, nil
}

// wayTo says where and how to reach the guest of a machine that the source lists: by the rules of the
// configuration, where they say something, else as the source says.
func (s source) wayTo(m *collector.Listed) {
	at := s.chosen(*m)
	if at == localAddress {
		m.Machine.Address = at
		return
	}
	way := config.Guest{User: s.conf.Login, Port: s.conf.Port}
	var said config.Guest
	for _, r := range s.rules {
		if !r.where.Matches(labels.Set(m.Machine.Labels)) {
			continue
		}
		said.User, said.Port = cmp.Or(said.User, r.User), cmp.Or(said.Port, r.Port)
		said.IdentityFile, said.Jump = cmp.Or(said.IdentityFile, r.IdentityFile), cmp.Or(said.Jump, r.Jump)
	}
	way.User, way.Port = cmp.Or(said.User, way.User), cmp.Or(said.Port, way.Port)
	m.IdentityFile, m.Jump = said.IdentityFile, said.Jump
	m.Machine.Address = withLogin(at, way.User, way.Port)
}

// hostOnly returns text if it is a host name or an IP address, and nothing else: whoever names a machine at its
// platform must not choose the login, or say that it is this machine.
func hostOnly(text string) string {
	if ip, err := netip.ParseAddr(text); err == nil {
		if ip.Is6() {
			return "[" + text + "]"
		}
		return text
	}
	odd := func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if text == localAddress || strings.HasPrefix(text, "-") || strings.ContainsFunc(text, odd) {
		return ""
	}
	return text
}

// withLogin adds what an address does not say itself.
func withLogin(address, user string, port int) string {
	if address == "" {
		return ""
	}
	if host := address[strings.LastIndexByte(address, '@')+1:]; port != 0 {
		switch ip, err := netip.ParseAddr(host); {
		case err == nil && ip.Is6():
			address = strings.TrimSuffix(address, host) + "[" + host + "]:" + strconv.Itoa(port)
		case !strings.Contains(host, ":") || strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
			address += ":" + strconv.Itoa(port)
		}
	}
	if user != "" && !strings.Contains(address, "@") {
		address = user + "@" + address
	}
	return address
}

// chosen is the address by the source's rule; empty if the rule finds none.
func (s source) chosen(m collector.Listed) string {
	rule := s.conf.Address
	switch rule.From {
	case "name":
		return hostOnly(m.Machine.Name + rule.Suffix)
	case "label":
		return hostOnly(m.Machine.Labels[rule.Label])
	}
	if rule == (config.Address{}) || len(m.Addresses) == 0 && rule.NIC == nil && rule.Network == "" {
		return m.Machine.Address
	}
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") } // to path.Match it is no letter like any other
	fit := slices.DeleteFunc(slices.Clone(m.Addresses), func(a collector.Address) bool {
		if rule.Network != "" {
			if ok, err := path.Match(flat(rule.Network), flat(a.Network)); err != nil || !ok {
				return true
			}
		}
		return rule.NIC != nil && *rule.NIC != a.NIC
	})
	if len(fit) == 0 {
		return ""
	}
	first := func(ok bool) int {
		if ok {
			return 0
		}
		return 1
	}
	private := rule.Prefer != "public"
	best := slices.MinFunc(fit, func(a, b collector.Address) int { // of equal ones the first
		return cmp.Or(cmp.Compare(first(a.IP.IsPrivate() == private), first(b.IP.IsPrivate() == private)), cmp.Compare(first(a.IP.Is4()), first(b.IP.Is4())))
	})
	if best.IP.Is6() {
		return "[" + best.IP.String() + "]"
	}
	return best.IP.String()
}
