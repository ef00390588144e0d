package vsphere

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmware/govmomi/vim25/soap"
)

// Options say which vCenter a Source lists, and as whom.
type Options struct {
	Name string // of the source, in the configuration
	// URL is the server's name, name:port, or https://name[:port][/sdk]. It has no user in it.
	URL  string
	User string // such as vmdrift@vsphere.local; a role that only reads is enough
	// Password returns the password. It is asked at every login, so that a changed one is taken up.
	Password func() (string, error)

	// The server's certificate is always checked: against the system's authorities, or those
	// of CAFile (PEM), or, instead of any authority, against the Thumbprint that is pinned here
	// (SHA-256 or SHA-1, in hexadecimal, with or without colons).
	CAFile     string
	Thumbprint string

	Templates  bool // list templates too
	Acceptance bool // ask each host for its acceptance level: a call per host

	OldSnapshot time.Duration    // the age at which a VM's snapshot counts as forgotten; 0 is a week
	Timeout     time.Duration    // of one listing; 0 is 10 minutes
	Now         func() time.Time // nil is time.Now; certificates and the age of snapshots are held against it
}

const (
	defaultTimeout     = 10 * time.Minute
	defaultOldSnapshot = 7 * 24 * time.Hour
	expiresSoon        = 30 * 24 * time.Hour // time to renew a certificate by hand
)

// A Source lists a vCenter. It keeps its session between listings, and logs in
// again when the session has expired. It is safe for concurrent use; listings
// come one after the other.
type Source struct {
	opts Options
	url  *url.URL
	tls  *tls.Config
	page int32 // how many objects an answer has at most

	mu      sync.Mutex
	session *session // nil before the first login and after one was lost
}

var _ collector.Source = (*Source)(nil)

// New returns the source that o describes. It contacts nothing. Close it.
func New(o Options) (*Source, error) {
	switch {
	case o.Name == "":
		return nil, errors.New("vsphere: the source has no name")
	case o.URL == "":
		return nil, fmt.Errorf("source %s: there is no url", o.Name)
	case o.User == "" || o.Password == nil:
		return nil, fmt.Errorf("source %s: there is no user or no password", o.Name)
	}
	u, err := parseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", o.Name, err)
	}
	conf, err := tlsConfig(o)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", o.Name, err)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.OldSnapshot <= 0 {
		o.OldSnapshot = defaultOldSnapshot
	}
	return &Source{opts: o, url: u, tls: conf, page: pageSize}, nil
}

// parseURL reads where the server is. Its errors do not quote the text: there may be
// a password in it.
func parseURL(text string) (*url.URL, error) {
	u, err := soap.ParseURL(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("url is not that of a server: want its name, name:port or https://name/sdk")
	case u.Scheme != "https":
		return nil, errors.New("url is not https: the password would go over the network in the clear")
	case u.User != nil && u.User.String() != ":":
		return nil, errors.New("url has a user in it: give user and password by themselves")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("url has a query: want https://name/sdk")
	}
	u.User = nil
	return u, nil
}

// Name implements collector.Source.
func (s *Source) Name() string { return s.opts.Name }

func (s *Source) now() time.Time {
	if s.opts.Now != nil {
		return s.opts.Now()
	}
	return time.Now()
}
