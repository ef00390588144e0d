package guest

import (
	"bytes"
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

// parseDpkgStatus reads the lines that matter of dpkg's database, a paragraph per
// package, and says the same of it as parseDpkg of dpkg-query's answer:
//
//	Package: libssl3
//	Status: install ok installed
//	Architecture: amd64
//	Source: openssl (3.0.16-1)
//	Version: 3.0.16-1~deb12u1
//
//	Package: nginx
//	Status: deinstall ok config-files
//	…
//
// Lines that continue a field begin with a space, and so are not among these.
func parseDpkgStatus(b *inventory.Builder, body []byte) (int, error) {
	b.Grow(bytes.Count(body, []byte("\n\n")), len(body))
	var p dpkgParagraph
	installed := 0
	for n := 1; ; n++ {
		end := bytes.IndexByte(body, '\n')
		if end > 0 { // a line of a paragraph
			if !p.set(body[:end]) {
				return 0, fmt.Errorf("dpkg's database: line %d is %w: %.80q", n, errShape, body[:end])
			}
			body = body[end+1:]
			continue
		}
		if end < 0 && len(body) > 0 {
			return 0, fmt.Errorf("dpkg's database: line %d is cut", n)
		}
		if p.begun {
			switch here, ok := p.add(b); {
			case !ok:
				return 0, fmt.Errorf("dpkg's database: the package that ends at line %d is %w: %.80q", n, errShape, p.name)
			case here:
				installed++
			}
			p = dpkgParagraph{}
		}
		if end < 0 {
			return installed, nil
		}
		body = body[end+1:]
	}
}

// A dpkgParagraph is one package. A field that is not there is nil.
type dpkgParagraph struct {
	begun                               bool
	name, status, arch, version, source []byte
}

// set takes one line, and reports whether it is a field that was not there before.
func (p *dpkgParagraph) set(line []byte) bool {
	p.begun = true
	var to *[]byte
	var name string
	switch line[0] {
	case 'P':
		to, name = &p.name, "Package: "
	case 'A':
		to, name = &p.arch, "Architecture: "
	case 'V':
		to, name = &p.version, "Version: "
	case 'S':
		if to, name = &p.source, "Source: "; len(line) > 1 && line[1] == 't' {
			to, name = &p.status, "Status: "
		}
	}
	if to == nil || *to != nil || len(line) <= len(name) || string(line[:len(name)]) != name {
		return false
	}
	*to = line[len(name):]
	return true
}

// add adds the package if any of it is installed. It reports whether it is, and
// whether the paragraph is one.
func (p *dpkgParagraph) add(b *inventory.Builder) (installed, ok bool) {
	// Wanted, whether to be installed again, state.
	want, rest, ok1 := bytes.Cut(p.status, []byte(" "))
	flag, now, ok2 := bytes.Cut(rest, []byte(" "))
	if len(p.name) == 0 || !ok1 || !ok2 {
		return false, false
	}
	state := "installed"
	switch string(now) {
	case "installed", "triggers-awaited", "triggers-pending":
	case "unpacked", "half-configured", "half-installed":
		state = string(now)
	case "not-installed", "config-files":
		return false, true
	default:
		return false, false
	}
	if string(flag) == "reinstreq" {
		state = "reinst-required"
	}
	source := p.name
	if p.source != nil { // with its version in brackets if that is another
		if i := bytes.IndexByte(p.source, ' '); i > 0 {
			p.source = p.source[:i]
		}
		source = p.source
	}
	b.KeyBytes("deb/", p.name, ":", p.arch)
	b.Field("hold", yesNo(string(want) == "hold"))
	b.FieldBytes("source", source)
	b.Field("state", state)
	b.FieldBytes("version", p.version)
	return true, true
}
