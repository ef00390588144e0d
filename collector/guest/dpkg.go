package guest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

var errShape = errors.New("not in the expected form")

// parseDpkg reads dpkg-query's answer: status, name, architecture, version, source.
//
//	ii 	adduser	all	3.134	adduser
//	hi 	linux-image-amd64	amd64	6.1.140-1	linux-signed-amd64
//	rc 	nginx	amd64	1.22.1-9+deb12u2	nginx
//	iF 	postfix	amd64	3.7.11-0+deb12u1	postfix
//
// A package that is not installed, configuration files or not, is not there. It returns how many are installed.
func parseDpkg(b *inventory.Builder, body []byte) (int, error) {
	installed := 0
	b.Grow(bytes.Count(body, []byte{'\n'}), len(body)+len(body)/2)
	for n := 1; len(body) > 0; n++ {
		end := bytes.IndexByte(body, '\n')
		if end < 0 {
			return 0, fmt.Errorf("dpkg-query: line %d is cut", n)
		}
		line := body[:end]
		body = body[end+1:]
		status, rest, ok1 := cutTab(line)
		name, rest, ok2 := cutTab(rest)
		arch, rest, ok3 := cutTab(rest)
		version, source, ok4 := cutTab(rest)
		if !ok1 || !ok2 || !ok3 || !ok4 || len(status) < 2 || len(name) == 0 || bytes.IndexByte(source, '\t') >= 0 {
			return 0, fmt.Errorf("dpkg-query: line %d is %w: %.80q", n, errShape, line)
		}
		state := dpkgState(status)
		if state == "" {
			continue
		}
		installed++
		b.KeyBytes("deb/", name, ":", arch)
		if status[0] == 'h' {
			b.Field("hold", "yes")
		} else {
			b.Field("hold", "no")
		}
		b.FieldBytes("source", source)
		b.Field("state", state)
		b.FieldBytes("version", version)
	}
	return installed, nil
}

// dpkgState says a package's state in a word; "" is not installed. Waiting triggers
// pass by themselves, and are installed as far as anyone cares.
func dpkgState(abbrev []byte) string {
	if len(abbrev) > 2 && abbrev[2] == 'R' {
		return "reinst-required"
	}
	switch abbrev[1] {
	case 'i', 'W', 't':
		return "installed"
	case 'U':
		return "unpacked"
	case 'F':
		return "half-configured"
	case 'H':
		return "half-installed"
	}
	return ""
}

func cutTab(line []byte) (before, after []byte, found bool) {
	i := bytes.IndexByte(line, '\t')
	if i < 0 {
		return line, nil, false
	}
	return line[:i], line[i+1:], true
}
