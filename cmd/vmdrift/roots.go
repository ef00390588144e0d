package main

import (
	"crypto/x509"
	"os"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// systemRoots are where the standard library looks for certificate authorities.
var systemRoots = []string{
	"/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
}

var fallbackRoots sync.Once

// needRoots brings authorities along where the system has none: in a container of nothing but vmdrift. Elsewhere it costs nothing.
func needRoots(system []string) bool {
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR")}, system...) {
		if _, err := os.Stat(path); path != "" && err == nil {
			return false
		}
	}
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one that this Go cannot read vouches for nobody
		}
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	fallbackRoots.Do(func() { x509.SetFallbackRoots(pool) }) // may be called once only
	return true
}
