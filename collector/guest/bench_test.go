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

// benchParse measures a parser, and, in turns with it, the least that any does: take the body apart into
// lines and fields, and copy them. MB/s depend on the machine and on its neighbours; their ratio does not.
func benchParse(b *testing.B, body []byte, sep string, parse func() error) {
	b.ReportAllocs()
	var parsing, splitting time.Duration
	out := make([]byte, 0, 2*len(body))
	for b.Loop() {
		start := time.Now()
		if err := parse(); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		out = out[:0]
		for line := range bytes.Lines(body) {
			for field := range bytes.SplitSeq(line, []byte(sep)) {
				out = append(append(out, field...), 0)
			}
		}
		parsing, splitting = parsing+between.Sub(start), splitting+time.Since(between)
	}
	b.ReportMetric(float64(len(body))*float64(b.N)/1e6/parsing.Seconds(), "MB/s")
	b.ReportMetric(parsing.Seconds()/splitting.Seconds(), "x-split-and-copy")
}

func benchPackages(b *testing.B, body []byte, sep string, parse func(*inventory.Builder, []byte) (int, error)) {
	benchParse(b, body, sep, func() error {
		_, err := parse(inventory.NewBuilder(inventory.Packages), body)
		return err
	})
}

func BenchmarkParseDpkg(b *testing.B)       { benchPackages(b, benchDpkg(), "\t", parseDpkg) }
func BenchmarkParseDpkgStatus(b *testing.B) { benchPackages(b, benchStatus(), ": ", parseDpkgStatus) }
func BenchmarkParseRPM(b *testing.B)        { benchPackages(b, benchRPM(), "\t", parseRPM) }

func BenchmarkParseSS(b *testing.B) {
	body := benchSS()
	benchParse(b, body, " ", func() error {
		_, err := parseSS(body, true)
		return err
	})
}

func BenchmarkParseAccounts(b *testing.B) {
	body := benchAccounts()
	benchParse(b, body, ":", func() error {
		if a := parseAccounts(body); len(a.users) != 1000 {
			return fmt.Errorf("%d users", len(a.users))
		}
		return nil
	})
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
