package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestTheWayToAGuestIsWhatTheRulesSay(t *testing.T) {
	one := 1
	for name, c := range map[string]struct {
		conf     config.Source
		known    string // what the platform puts forward
		want     string
		identity string
		jump     string
		label    string // ip, if it is not 203.0.113.9
	}{
		"no rule":                        {config.Source{}, "10.0.0.1", "10.0.0.1", "", "", ""},
		"a login and a port for all":     {config.Source{Login: "root", Port: 2222}, "10.0.0.1", "root@10.0.0.1:2222", "", "", ""},
		"an IPv6 address with a port":    {config.Source{Port: 2222}, "[2001:db8::1]", "[2001:db8::1]:2222", "", "", ""},
		"what the inventory says stays":  {config.Source{Login: "root", Port: 2222}, "me@10.0.0.1:22", "me@10.0.0.1:22", "", "", ""},
		"this machine":                   {config.Source{Login: "root"}, "local", "local", "", "", ""},
		"nobody knows":                   {config.Source{Login: "root", Port: 22}, "", "", "", "", ""},
		"public first":                   {config.Source{Address: config.Address{Prefer: "public"}}, "10.0.0.1", "192.0.2.1", "", "", ""},
		"private first":                  {config.Source{Address: config.Address{Prefer: "private"}}, "192.0.2.1", "10.0.0.1", "", "", ""},
		"the second card":                {config.Source{Address: config.Address{NIC: &one}}, "10.0.0.1", "10.9.0.1", "", "", ""},
		"the card in a network":          {config.Source{Address: config.Address{Network: "mgmt/*"}}, "10.0.0.1", "10.9.0.1", "", "", ""},
		"no card in that network":        {config.Source{Address: config.Address{Network: "backup"}}, "10.0.0.1", "", "", "", ""},
		"by name":                        {config.Source{Address: config.Address{From: "name", Suffix: ".example.com"}}, "10.0.0.1", "web-1.example.com", "", "", ""},
		"by label":                       {config.Source{Login: "root", Address: config.Address{From: "label", Label: "ip"}}, "10.0.0.1", "root@203.0.113.9", "", "", ""},
		"a label with a login in it":     {config.Source{Login: "scanner", Address: config.Address{From: "label", Label: "ip"}}, "10.0.0.1", "", "", "", "root@192.0.2.9"},
		"a label that says this machine": {config.Source{Address: config.Address{From: "label", Label: "ip"}}, "10.0.0.1", "", "", "", "local"},
		"a label that is an option":      {config.Source{Address: config.Address{From: "label", Label: "ip"}}, "10.0.0.1", "", "", "", "-oProxyCommand"},
		"a label that is IPv6":           {config.Source{Port: 2222, Address: config.Address{From: "label", Label: "ip"}}, "10.0.0.1", "[2001:db8::9]:2222", "", "", "2001:db8::9"},
		"of each setting the first rule that has it": {
			config.Source{Login: "root", Guests: []config.Guest{
				{Where: "env=test", User: "tester"}, {Where: "env=prod", Port: 2222, Jump: "bastion"}, {User: "scanner", Jump: "none", IdentityFile: "key"},
			}}, "10.0.0.1", "scanner@10.0.0.1:2222", "/etc/key", "bastion", "",
		},
	} {
		rules, err := guestRules(c.conf.Guests, func(p string) string {
			if p != "" {
				p = "/etc/" + p
			}
			return p
		})
		if err != nil {
			t.Fatal(err)
		}
		m := collector.Listed{
			Machine: inventory.Machine{Name: "web-1", Address: c.known, Labels: map[string]string{"env": "prod", "ip": "203.0.113.9"}},
			Addresses: []collector.Address{
				{NIC: 0, Network: "web", IP: netip.MustParseAddr("fd00::1")},
				{NIC: 0, Network: "web", IP: netip.MustParseAddr("10.0.0.1")},
				{NIC: 0, Network: "web", IP: netip.MustParseAddr("192.0.2.1")},
				{NIC: 1, Network: "mgmt/1", IP: netip.MustParseAddr("10.9.0.1")},
			},
		}
		if c.label != "" {
			m.Machine.Labels["ip"] = c.label
		}
		source{conf: c.conf, rules: rules}.wayTo(&m)
		if got := strings.Join([]string{m.Machine.Address, m.IdentityFile, m.Jump}, "|"); got != strings.Join([]string{c.want, c.identity, c.jump}, "|") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestThePortOfAFlagIsPartOfATypedTarget(t *testing.T) {
	for _, c := range []struct {
		target string
		port   int
		want   string
	}{
		{"web-1", 0, "web-1"},
		{"web-1", 2222, "web-1:2222"},
		{"root@web-1", 2222, "root@web-1:2222"},
		{"root@web-1:22", 2222, "root@web-1:22"}, // what is written out goes before the flag
		{"a@b@web-1", 22, "a@b@web-1:22"},
		{"::1", 2222, "[::1]:2222"},
		{"root@[::1]", 2222, "root@[::1]:2222"},
		{"[::1]:2200", 2222, "[::1]:2200"},
	} {
		if got := withLogin(c.target, "", c.port); got != c.want {
			t.Errorf("%s with -p %d is %s, not %s", c.target, c.port, got, c.want)
		}
	}
}
