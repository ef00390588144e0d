package main

import (
	"crypto/x509"
	"testing"
)

func TestAuthoritiesAreBroughtWhereThereAreNone(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", "")
	if needRoots([]string{t.TempDir()}) {
		t.Error("they are brought to a system that has its own")
	}
	if !needRoots([]string{"/nowhere"}) { // sets them for the process; those of the system go before
		t.Error("they are not brought to a system that has none")
	}
	pool, err := x509.SystemCertPool()
	if err != nil || pool == nil {
		t.Errorf("%v, %v", pool, err)
	}
}
