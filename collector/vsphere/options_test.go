package vsphere

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/soap"
)

func TestACertificateIsTrustedByItsAuthorityOrItsPin(t *testing.T) {
	s := newSim(t)
	pin := thumbprint(s.server.Certificate())
	for what, change := range map[string]func(*Options){
		"authority":               func(o *Options) { o.Thumbprint, o.CAFile = "", s.caFile() },
		"SHA-256":                 func(o *Options) { o.Thumbprint = pin },
		"SHA-256 without colons":  func(o *Options) { o.Thumbprint = strings.ToLower(strings.ReplaceAll(pin, ":", "")) },
		"SHA-1, as vCenter shows": func(o *Options) { o.Thumbprint = soap.ThumbprintSHA1(s.server.Certificate()) },
	} {
		t.Run(what, func(t *testing.T) {
			s.t = t
			if n := len(listed(t, s.source(change)).Machines); n == 0 {
				t.Error("nothing is listed")
			}
		})
	}
}

func TestOptionsThatAreNotSafeAreRefused(t *testing.T) {
	good := Options{Name: "lab", URL: "vc.example.org", User: "u", Password: func() (string, error) { return password, nil }}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*Options){
		"no name":               func(o *Options) { o.Name = "" },
		"no url":                func(o *Options) { o.URL = "" },
		"no user":               func(o *Options) { o.User = "" },
		"no password":           func(o *Options) { o.Password = nil },
		"not TLS":               func(o *Options) { o.URL = "http://vc.example.org" },
		"a password in the url": func(o *Options) { o.URL = "https://u:" + password + "@vc.example.org" },
		"a url that is none":    func(o *Options) { o.URL = "https://" + password + "\x7f" },
		"half a thumbprint":     func(o *Options) { o.Thumbprint = "AB:CD" },
		"two kinds of trust":    func(o *Options) { o.Thumbprint, o.CAFile = strings.Repeat("AB", 32), "ca.pem" },
		"no CA file":            func(o *Options) { o.CAFile = "/does/not/exist" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
