package guest

import (
	"bytes"
	"fmt"
	"path"

	"github.com/vmdrift/vmdrift/inventory"
)

// parsePacman reads the selection of /var/lib/pacman/local/*/desc that the probe makes:
//
//	%NAME%
//	zlib
//	--
//	%VERSION%
//	1:1.3.1-2
//	--
//	%BASE%
//	zlib
//	--
//	%ARCH%
//	x86_64
//
// ignored are the patterns of IgnorePkg, nil if they are not known. It returns how many packages there are.
func parsePacman(b *inventory.Builder, body []byte, ignored []string) (int, error) {
	var name, version, base, arch []byte
	n := 0
	flush := func() error {
		if len(name) == 0 || len(version) == 0 || len(arch) == 0 {
			return fmt.Errorf("pacman: the entry of %.80q is %w", name, errShape)
		}
		b.KeyBytes("pacman/", name, ":", arch)
		if ignored != nil {
			b.Field("hold", yesNo(matchAny(ignored, string(name))))
		}
		if base == nil {
			base = name
		}
		b.FieldBytes("source", base)
		b.Field("state", "installed")
		b.FieldBytes("version", version)
		version, base, arch = nil, nil, nil
		n++
		return nil
	}
	var to *[]byte
	var err error
	lines(body, func(line []byte) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch string(line) {
		case "%NAME%":
			if name != nil && err == nil {
				err = flush()
			}
			name, to = nil, &name
			return
		case "%VERSION%":
			to = &version
			return
		case "%BASE%":
			to = &base
			return
		case "%ARCH%":
			to = &arch
			return
		case "--", "":
			return
		}
		if to == nil {
			err = fmt.Errorf("pacman: a line is %w: %.80q", errShape, line)
			return
		}
		*to, to = line, nil
	})
	if err == nil && name != nil {
		err = flush()
	}
	return n, err
}

// parseIgnorePkg returns the patterns of pacman.conf's IgnorePkg lines:
//
//	IgnorePkg   = linux linux-headers
func parseIgnorePkg(body []byte) []string {
	patterns := []string{}
	lines(body, func(line []byte) {
		_, list, _ := bytes.Cut(line, []byte("="))
		for word := range bytes.FieldsSeq(list) {
			patterns = append(patterns, string(word))
		}
	})
	return patterns
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}
