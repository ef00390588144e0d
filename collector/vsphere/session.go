package vsphere

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// A session is a login at the server.
type session struct{ client *vim25.Client }

// open returns the session, logging in if there is none. The caller holds s.mu.
func (s *Source) open(ctx context.Context) (*session, error) {
	if s.session != nil {
		return s.session, nil
	}
	sc := soap.NewClient(s.url, false)
	sc.UserAgent = "vmdrift"
	t := sc.DefaultTransport()
	t.DialTLSContext = nil // the library's own does not end with the context
	t.TLSClientConfig = s.tls.Clone()
	sc.Client.Transport = limited{t}

	client, err := vim25.NewClient(ctx, sc)
	if err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("ask %s what it is: %w", s.url.Host, err)
	}
	client.RoundTripper = guard{sc}
	if client.ServiceContent.SessionManager == nil || client.ServiceContent.ViewManager == nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("%s is no vCenter and no ESXi host", s.url.Host)
	}
	password, err := s.opts.Password()
	if err != nil {
		return nil, &passwordError{err}
	}
	_, err = methods.Login(ctx, client, &types.Login{
		This: *client.ServiceContent.SessionManager, UserName: s.opts.User, Password: password, Locale: "en_US",
	})
	if err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("log in at %s as %s: %w", s.url.Host, s.opts.User, without(password, err))
	}
	s.session = &session{client}
	return s.session, nil
}

// logoutTimeout bounds the good-byes: a server that does not answer ends an idle session by itself.
const logoutTimeout = 2 * time.Second

// end logs out, and forgets the session. The caller holds s.mu.
func (s *Source) end() error {
	if s.session == nil {
		return nil
	}
	c := s.session.client
	s.session = nil
	defer c.DefaultTransport().CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout) // also when the listing was cancelled
	defer cancel()
	_, err := methods.Logout(ctx, c, &types.Logout{This: *c.ServiceContent.SessionManager})
	if err != nil && !isFault[*types.NotAuthenticated](err) {
		return fmt.Errorf("source %s: log out: %w", s.opts.Name, s.explain(err))
	}
	return nil
}

// Close ends the session at the server.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end()
}

// A passwordError is a password that could not be had.
type passwordError struct{ err error }

func (e *passwordError) Error() string { return "get the password: " + e.err.Error() }
func (e *passwordError) Unwrap() error { return e.err }

// without returns err, or, if the server was so unkind as to repeat the password in
// it, its text without.
func without(password string, err error) error {
	if password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, "[password]"))
}
