// Package notify tells people what a run found: by webhooks of several forms, by Alertmanager's API, and by e-mail. Only
// what is new is told, and only once: every notice has an id, which stays the same when it has to be sent again.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
)

// When a channel is used.
const (
	OnNews  = "news"   // something is new, or a run saw too little
	OnAlarm = "alarm"  // a run saw too little
	Always  = "always" // a run ended
)

// A Channel is somebody who is told. Secrets are read when they are needed, so that they can be changed.
type Channel struct {
	Name, Type  string
	When        string
	MinSeverity baseline.Severity
	Schedules   []string // names; none are all

	URL, Secret, Token, Password func() (string, error) // nil where there is none
	CAFile                       string
	Link                         string // beginning of links to the dashboard; empty for no links

	Server, TLS, User, From string
	To                      []string

	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Wants reports whether the channel is told of a run.
func (c Channel) Wants(r drift.Report) bool {
	if len(c.Schedules) > 0 && !slices.Contains(c.Schedules, r.Run.Schedule) {
		return false
	}
	switch alarm := r.Run.Alarm() != ""; c.When {
	case Always:
		return true
	case OnAlarm:
		return alarm
	default:
		return alarm || len(c.news(r.Opened)) > 0
	}
}

// news are the drifts that are severe enough.
func (c Channel) news(all []drift.Drift) []drift.Drift {
	var out []drift.Drift
	for _, d := range all {
		if d.Change.Severity >= c.MinSeverity {
			out = append(out, d)
		}
	}
	return out
}

// Send sends a notice of what is new, and returns when the receiver has taken it. Its errors hold neither
// secrets nor URLs, in which some receivers keep one.
func (c Channel) Send(ctx context.Context, n drift.Notice, r drift.Report) error {
	if !c.Wants(r) {
		return nil
	}
	m := c.message(n, r)
	var body any
	switch c.Type {
	case "webhook":
		body = m
	case "slack":
		body = slack(m)
	case "teams":
		body = teams(m)
	case "alertmanager":
		body = alerts(m)
	case "email":
		return c.email(ctx, m)
	default:
		return fmt.Errorf("there is no channel of type %q", c.Type)
	}
	return c.post(ctx, m, body)
}

// patience is how long a receiver may take.
const patience = 15 * time.Second

// post sends a body as JSON, signed as Standard Webhooks says (standardwebhooks.com) where there is a secret.
func (c Channel) post(ctx context.Context, m Message, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	address, err := c.address()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return errors.New("the channel's url is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "vmdrift")
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Idempotency-Key", m.ID)
	if c.Token != nil {
		token, err := c.Token()
		if err != nil {
			return fmt.Errorf("read the token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if c.Secret != nil {
		secret, err := c.Secret()
		if err != nil {
			return fmt.Errorf("read the secret: %w", err)
		}
		at := strconv.FormatInt(c.now().Unix(), 10)
		req.Header.Set("Webhook-Timestamp", at)
		req.Header.Set("Webhook-Signature", "v1,"+sign(secret, m.ID, at, text))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // without the URL
			err = u.Err
		}
		return fmt.Errorf("the receiver cannot be reached: %w", err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver refused it: %s: %s", resp.Status, strings.TrimSpace(string(said)))
	}
	return nil
}

func (c Channel) address() (string, error) {
	address, err := c.URL()
	if err != nil {
		return "", fmt.Errorf("read the url: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("the channel's url is no http or https URL")
	}
	if c.Type == "alertmanager" {
		u = u.JoinPath("api", "v2", "alerts")
	}
	return u.String(), nil
}

func (c Channel) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// client follows no redirect: a body that is meant for one receiver is not carried to another.
func (c Channel) client() (*http.Client, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
	}
	if c.CAFile != "" {
		conf, err := c.tlsConfig()
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = conf
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

func (c Channel) tlsConfig() (*tls.Config, error) {
	if c.CAFile == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate", c.CAFile)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// sign returns the signature of Standard Webhooks. A secret in its form, whsec_ and base64, is decoded; any other is taken as it is.
func sign(secret, id, at string, body []byte) string {
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			key = raw
		}
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
