package guest

import (
	"bytes"
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

// parseAPK reads the selection of /lib/apk/db/installed that the probe makes: name,
// version, architecture and origin, with an empty line after each package.
//
//	P:busybox
//	V:1.36.1-r20
//	A:x86_64
//	o:busybox
//
// held has the names that /etc/apk/world pins, nil if it could not be read. It
// returns how many packages there are.
func parseAPK(b *inventory.Builder, body []byte, held map[string]bool) (int, error) {
	var name, version, arch, origin []byte
	n, number := 0, 0
	var err error
	flush := func() {
		if name == nil && version == nil && arch == nil {
			return
		}
		if len(name) == 0 || len(version) == 0 || len(arch) == 0 {
			if err == nil {
				err = fmt.Errorf("apk: the package that ends at line %d is %w: %.80q", number, errShape, name)
			}
			return
		}
		b.KeyBytes("apk/", name, ":", arch)
		if held != nil {
			b.Field("hold", yesNo(held[string(name)]))
		}
		if origin != nil {
			b.FieldBytes("source", origin)
		} else {
			b.FieldBytes("source", name)
		}
		b.Field("state", "installed")
		b.FieldBytes("version", version)
		name, version, arch, origin = nil, nil, nil, nil
		n++
	}
	lines(body, func(line []byte) {
		number++
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			flush()
			return
		}
		to := map[byte]*[]byte{'P': &name, 'V': &version, 'A': &arch, 'o': &origin}[line[0]]
		if to == nil || len(line) < 2 || line[1] != ':' {
			err = fmt.Errorf("apk: line %d is %w: %.80q", number, errShape, line)
			return
		}
		if *to != nil && err == nil {
			err = fmt.Errorf("apk: line %d is %w: %.80q", number, errShape, line)
		}
		*to = line[2:]
	})
	flush()
	return n, err
}

// parseWorld returns the packages that /etc/apk/world binds to a version:
//
//	alpine-base
//	busybox=1.36.1-r20
//	nginx<1.27
//	tool@edge
func parseWorld(body []byte) map[string]bool {
	held := make(map[string]bool)
	for word := range bytes.FieldsSeq(body) {
		if i := bytes.IndexAny(word, "=<>~"); i > 0 && word[0] != '!' {
			name, _, _ := bytes.Cut(word[:i], []byte("@"))
			held[string(name)] = true
		}
	}
	return held
}
