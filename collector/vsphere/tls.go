package vsphere

import (
	"crypto/sha1" //nolint:gosec // vCenter's own pages show thumbprints in SHA-1
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// tlsConfig returns how the server's certificate is checked. There is no way to leave it unchecked.
func tlsConfig(o Options) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Time: o.Now}
	if o.CAFile != "" && o.Thumbprint != "" {
		return nil, errors.New("ca_file and thumbprint are both given: a pinned certificate needs no authority")
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s has no certificate in PEM form", o.CAFile)
		}
	}
	if o.Thumbprint != "" {
		pin, err := parseThumbprint(o.Thumbprint)
		if err != nil {
			return nil, err
		}
		// The pin stands in for the chain, the name and the dates; the handshake still
		// proves that the server has the certificate's key.
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(st tls.ConnectionState) error {
			if len(st.PeerCertificates) == 0 {
				return errors.New("the server showed no certificate")
			}
			leaf := st.PeerCertificates[0]
			if !pin.matches(leaf) {
				return &pinError{shown: thumbprint(leaf)}
			}
			return nil
		}
	}
	return conf, nil
}

// A pinError is a certificate that is not the pinned one.
type pinError struct{ shown string }

func (e *pinError) Error() string {
	return "the server's certificate is not the pinned one: its SHA-256 thumbprint is " + e.shown
}

// A pin is the SHA-256 or SHA-1 of a certificate.
type pin []byte

// parseThumbprint reads B0:A9:… or b0a9…: 32 bytes of SHA-256, or 20 of SHA-1.
func parseThumbprint(text string) (pin, error) {
	sum, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), ":", ""))
	if err != nil || len(sum) != sha256.Size && len(sum) != sha1.Size {
		return nil, fmt.Errorf("thumbprint %.100q is neither a SHA-256 nor a SHA-1 in hexadecimal", text)
	}
	return sum, nil
}

func (p pin) matches(c *x509.Certificate) bool {
	if len(p) == sha1.Size {
		sum := sha1.Sum(c.Raw) //nolint:gosec // see above
		return subtle.ConstantTimeCompare(p, sum[:]) == 1
	}
	sum := sha256.Sum256(c.Raw)
	return subtle.ConstantTimeCompare(p, sum[:]) == 1
}

// thumbprint returns the SHA-256 of a certificate in the form that can be pinned.
func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
