package guest

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/vmdrift/vmdrift/inventory"
)

// parseRPM reads rpm's answer: name, architecture, epoch, version, release, source package.
//
//	bash	x86_64	0	5.1.8	9.el9	bash-5.1.8-9.el9.src.rpm
//	kernel-core	x86_64	0	5.14.0	570.12.1.el9_6	kernel-5.14.0-570.12.1.el9_6.src.rpm
//	kernel-core	x86_64	0	5.14.0	570.21.1.el9_6	kernel-5.14.0-570.21.1.el9_6.src.rpm
//	openssl	x86_64	1	3.2.2	6.el9_5	openssl-3.2.2-6.el9_5.src.rpm
//	gpg-pubkey	(none)	0	5a6340b3	6229229e	(none)
//
// Several versions of one package are one item, as with kernels: its version lists
// them all. Keys that rpm trusts are not packages. It returns how many packages there are.
func parseRPM(b *inventory.Builder, body []byte) (int, error) {
	several, err := severalRPMs(body)
	if err != nil {
		return 0, err
	}
	b.Grow(bytes.Count(body, []byte{'\n'}), len(body)+len(body)/2)
	n := 0
	var evr []byte
	for number := 1; len(body) > 0; number++ {
		end := bytes.IndexByte(body, '\n')
		line := body[:end]
		body = body[end+1:]
		r, ok := cutRPM(line)
		if !ok {
			return 0, fmt.Errorf("rpm: line %d is %w: %.80q", number, errShape, line)
		}
		if string(r.name) == "gpg-pubkey" {
			continue
		}
		n++
		if same, ok := several[string(r.key)]; ok {
			same.versions = append(same.versions, string(appendEVR(nil, r)))
			same.sources = append(same.sources, string(sourceName(r.source)))
			continue
		}
		evr = appendEVR(evr[:0], r)
		b.KeyBytes("rpm/", r.name, ":", r.arch)
		b.FieldBytes("source", sourceName(r.source))
		b.Field("state", "installed")
		b.FieldBytes("version", evr)
	}
	for key, same := range several {
		name, arch, _ := bytes.Cut([]byte(key), []byte("\t"))
		b.KeyBytes("rpm/", name, ":", arch)
		b.Field("source", joinNames(same.sources))
		b.Field("state", "installed")
		b.Field("version", joinNames(same.versions))
	}
	return n, nil
}

// An rpm is one line of rpm's answer. Its key is name and architecture, as they stand there.
type rpm struct{ key, name, arch, epoch, version, release, source []byte }

func cutRPM(line []byte) (r rpm, ok bool) {
	var ok1, ok2, ok3, ok4, ok5 bool
	rest := line
	r.name, rest, ok1 = cutTab(rest)
	r.arch, rest, ok2 = cutTab(rest)
	r.epoch, rest, ok3 = cutTab(rest)
	r.version, rest, ok4 = cutTab(rest)
	r.release, r.source, ok5 = cutTab(rest)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || len(r.name) == 0 || bytes.IndexByte(r.source, '\t') >= 0 {
		return r, false
	}
	r.key = line[:len(r.name)+1+len(r.arch)]
	return r, true
}

// manyRPMs are the versions of one package.
type manyRPMs struct{ versions, sources []string }

// severalRPMs finds the packages that occur more than once, by name and architecture.
func severalRPMs(body []byte) (map[string]*manyRPMs, error) {
	lines := bytes.Count(body, []byte{'\n'})
	if lines > inventory.MaxItems {
		return nil, fmt.Errorf("rpm: %d packages: %w", lines, inventory.ErrTooLarge)
	}
	several := make(map[string]*manyRPMs)
	seen := make(map[string]struct{}, lines)
	for n := 1; len(body) > 0; n++ {
		end := bytes.IndexByte(body, '\n')
		if end < 0 {
			return nil, fmt.Errorf("rpm: line %d is cut", n)
		}
		name, rest, ok1 := cutTab(body[:end])
		arch, _, ok2 := cutTab(rest)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("rpm: line %d is %w: %.80q", n, errShape, body[:end])
		}
		key := body[:len(name)+1+len(arch)]
		text := unsafe.String(unsafe.SliceData(key), len(key)) // no longer than body, which nobody writes to
		before := len(seen)
		if seen[text] = struct{}{}; len(seen) == before && string(name) != "gpg-pubkey" {
			several[string(key)] = new(manyRPMs)
		}
		body = body[end+1:]
	}
	return several, nil
}

// appendEVR writes [epoch:]version-release. No epoch and epoch 0 are the same to rpm.
func appendEVR(dst []byte, r rpm) []byte {
	if len(r.epoch) > 0 && string(r.epoch) != "0" && string(r.epoch) != "(none)" {
		dst = append(append(dst, r.epoch...), ':')
	}
	return append(append(append(dst, r.version...), '-'), r.release...)
}

// sourceName returns kernel for kernel-5.14.0-570.12.1.el9_6.src.rpm.
func sourceName(file []byte) []byte {
	name := file
	for range 2 {
		i := bytes.LastIndexByte(name, '-')
		if i < 1 || !bytes.HasSuffix(file, []byte(".rpm")) {
			return file
		}
		name = name[:i]
	}
	return name
}
