package vsphere

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/types"
)

// isFault reports whether the server answered err's call with a fault of type T.
func isFault[T types.BaseMethodFault](err error) bool {
	_, ok := faultOf(err).(T)
	return ok
}

// faultOf returns the fault that the server answered with, or nil.
func faultOf(err error) types.BaseMethodFault {
	var f interface{ Fault() types.BaseMethodFault }
	if !errors.As(err, &f) {
		return nil
	}
	return f.Fault()
}

// explain returns err as one sentence with the way out.
func (s *Source) explain(err error) error {
	if err == nil {
		return nil
	}
	host, op := s.url.Host, func(o collector.Outcome, e error, hint string) error {
		return &collector.Error{Outcome: o, Err: e, Hint: hint}
	}
	var (
		pinned  *pinError
		cert    *tls.CertificateVerificationError
		dns     *net.DNSError
		dial    *net.OpError
		noPass  *passwordError
		already *collector.Error
	)
	switch f := faultOf(err).(type) {
	case *types.InvalidLogin:
		return op(collector.AuthFailed, fmt.Errorf("%s does not take user %s with this password", host, s.opts.User),
			"Check user (with its domain, as in vmdrift@vsphere.local) and password; the account may also be locked or expired.")
	case *types.NoPermission:
		return op(collector.AuthFailed, fmt.Errorf("user %s may not do this at %s: %s", s.opts.User, host, missingPrivilege(f)), roleHint)
	case *types.NotAuthenticated:
		return op(collector.AuthFailed, fmt.Errorf("%s ended the session of user %s again and again", host, s.opts.User),
			"See in vCenter whether somebody ends the sessions of this user.")
	}
	switch {
	case errors.As(err, &already):
		return err
	case errors.As(err, &noPass):
		return op(collector.AuthFailed, noPass, "See in the configuration where the password of source "+s.opts.Name+" comes from.")
	case errors.As(err, &pinned):
		return op(collector.HostKeyChanged, fmt.Errorf("%s: %w", host, pinned),
			"If the certificate was renewed, compare the thumbprint with the one on the server and pin it; if not, somebody is in between.")
	case errors.As(err, &cert):
		return op(collector.HostKeyUnknown, fmt.Errorf("the certificate of %s is not trusted: %w", host, cert.Err), certHint(cert))
	case errors.Is(err, context.Canceled):
		return op(collector.Cancelled, errors.New("cancelled before the listing was complete"), "")
	case errors.Is(err, context.DeadlineExceeded):
		return op(collector.TimedOut, fmt.Errorf("%s gave no complete listing within %s", host, s.opts.Timeout),
			"Give the source a longer timeout, or see why the server is slow.")
	case errors.As(err, &dns):
		return op(collector.Unreachable, fmt.Errorf("no address is known for %s", s.url.Hostname()),
			"Check the url of source "+s.opts.Name+" and the name service of this machine.")
	case errors.As(err, &dial) && dial.Op == "dial":
		return op(collector.Unreachable, fmt.Errorf("no connection to %s: %w", host, dial.Err),
			"Check the address and the port, and that this machine is let through to it.")
	}
	return op(collector.Broken, errors.New(sentence(err.Error())), "")
}

const roleHint = "Give the user the role Read-only at the root of the inventory, propagated to children; docs/vsphere.md says how."

// missingPrivilege names what the server says is missing.
func missingPrivilege(f *types.NoPermission) string {
	var ids []string
	if f.PrivilegeId != "" {
		ids = append(ids, f.PrivilegeId)
	}
	for _, m := range f.MissingPrivileges {
		ids = append(ids, m.PrivilegeIds...)
	}
	if len(ids) == 0 {
		return "a privilege is missing"
	}
	what := "privilege " + sentence(strings.Join(ids, ", ")) + " is missing"
	if f.Object != nil {
		what += " on " + sentence(f.Object.Type+" "+f.Object.Value)
	}
	return what
}

// certHint says how to come to trust the certificate.
func certHint(e *tls.CertificateVerificationError) string {
	if len(e.UnverifiedCertificates) == 0 {
		return ""
	}
	leaf := e.UnverifiedCertificates[0]
	hint := "Give ca_file (vCenter offers its own authority at /certs/download.zip), or pin the certificate after comparing it with the one on the server: thumbprint " + thumbprint(leaf)
	var name x509.HostnameError
	if errors.As(e.Err, &name) {
		hint = "The certificate is for another name: use that name in url, or pin the certificate after comparing it with the one on the server: thumbprint " + thumbprint(leaf)
	}
	return hint
}

// sentence returns text from a server as part of a sentence: escaped and not too long.
func sentence(text string) string {
	const most = 400
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return inventory.Escape(text)
}
