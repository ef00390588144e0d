package guest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// Bodies of the size that a machine of 2,000 packages, 500 sockets and 1,000 users has.

func benchDpkg() []byte {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "ii \tlibexample%04d-dev\tamd64\t1:2.%d.3-4+deb12u%d\texample-source\n", i, i, i%7)
	}
	return b.Bytes()
}

func benchStatus() []byte {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "Package: libexample%04d-dev\nStatus: install ok installed\nArchitecture: amd64\nSource: example-source (2.%d)\nVersion: 1:2.%d.3-4+deb12u%d\n\n", i, i, i, i%7)
	}
	return b.Bytes()
}

func benchRPM() []byte {
	var b bytes.Buffer
	for i := range 2000 { // in the order of a database, not of names
		fmt.Fprintf(&b, "libexample%04d-devel\tx86_64\t0\t2.%d.3\t4.el9_6.%d\texample-2.%d.3-4.el9_6.src.rpm\n", i*7919%2000, i, i%7, i)
	}
	return b.Bytes()
}

func benchSS() []byte {
	var b bytes.Buffer
	b.WriteString(ssHeading)
	for i := range 500 {
		fmt.Fprintf(&b, "tcp   LISTEN 0      4096     10.0.%d.%d:%d       0.0.0.0:*    users:((\"nginx\",pid=%d,fd=6),(\"nginx\",pid=6,fd=6)) uid:33 ino:%d sk:10%d cgroup:/system.slice/nginx.service <->\n", i/250, i%250, 1000+i, i, 954586+i, i)
	}
	return b.Bytes()
}

func benchAccounts() []byte {
	var b bytes.Buffer
	b.WriteString("=32768 60999\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "user%04d:X:%d:%d:/home/user%04d:/bin/bash\n", i, i, i, i)
	}
	b.WriteString("=\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "user%04d:X:%d:\n", i, i)
	}
	b.WriteString("developers:X:5000:user0001,user0002,user0003\n=\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "user%04d:S:20780:0:99999:7:::\n", i)
	}
	return b.Bytes()
}

func benchPackages(b *testing.B, body []byte, parse func(*inventory.Builder, []byte) (int, error)) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(inventory.NewBuilder(inventory.Packages), body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDpkg(b *testing.B)       { benchPackages(b, benchDpkg(), parseDpkg) }
func BenchmarkParseDpkgStatus(b *testing.B) { benchPackages(b, benchStatus(), parseDpkgStatus) }
func BenchmarkParseRPM(b *testing.B)        { benchPackages(b, benchRPM(), parseRPM) }

func BenchmarkParseSS(b *testing.B) {
	body := benchSS()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseSS(body, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAccounts(b *testing.B) {
	body := benchAccounts()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if a := parseAccounts(body); len(a.users) != 1000 {
			b.Fatal(len(a.users))
		}
	}
}

// BenchmarkObserve is all that happens to one machine's answer: frame, parse, sort, hash.
func BenchmarkObserve(b *testing.B) {
	answer := capture(b, "debian12.answer")
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		observe(readFrame(answer, capturedNonce), time.Unix(1e9, 0), nil)
	}
}
