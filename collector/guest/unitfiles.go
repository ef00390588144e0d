package guest

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"
)

// searchPath is where systemd looks for units of the system, first found first.
var searchPath = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
	"/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached",
	"/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system",
	"/run/systemd/generator.late",
}

const persistentConfig = "/etc/systemd/system"

// A unitFile is an entry of a unit folder: a file, or a link to one.
type unitFile struct {
	dir    string // one of searchPath
	name   string
	link   bool
	target string // of the link, as it is written there
	masked bool   // a device, or a link to /dev/null: the unit shall not run
	read   bool   // grep found a section heading in it
	keys   unitKeys
}

// A wantLink is a link in a .wants, .requires or .upholds folder.
type wantLink struct {
	dir, folder, name, target string
}

// unitFiles is all that the unit folders hold.
type unitFiles struct {
	files   map[string][]*unitFile // by name, in the order of searchPath
	links   map[string][]wantLink  // by the name of the link, and by the name of its target
	dropIns map[string][]*unitFile // by the name of the unit, in the order of their names
	byPath  map[string]*unitFile
	now     int64 // the machine's time of day, seconds since 1970; 0 if unknown
}

// parseUnitFiles reads the section unitfiles: type, path, and after a tab the target
// of a link; and the machine's time of day.
//
//	f /usr/lib/systemd/system/ssh.service
//	l /etc/systemd/system/multi-user.target.wants/ssh.service	/usr/lib/systemd/system/ssh.service
//	l /etc/systemd/system/rpcbind.service	/dev/null
//	f /etc/systemd/system/ssh.service.d/limits.conf
//	now 1706900001
func parseUnitFiles(body []byte) *unitFiles {
	n := bytes.Count(body, []byte{'\n'})
	u := &unitFiles{
		files: make(map[string][]*unitFile, n), links: make(map[string][]wantLink, n),
		dropIns: make(map[string][]*unitFile), byPath: make(map[string]*unitFile, n),
	}
	lines(body, func(line []byte) {
		kind, rest, ok := bytes.Cut(line, []byte(" "))
		if string(kind) == "now" {
			u.now, _ = strconv.ParseInt(string(rest), 10, 64)
		} else if ok && len(kind) == 1 {
			name, target, _ := bytes.Cut(rest, []byte("\t"))
			u.add(kind[0], string(name), string(target))
		}
	})
	order := func(a, b *unitFile) int { return slices.Index(searchPath, a.dir) - slices.Index(searchPath, b.dir) }
	for _, same := range u.files {
		slices.SortStableFunc(same, order)
	}
	for _, confs := range u.dropIns {
		slices.SortStableFunc(confs, func(a, b *unitFile) int {
			if c := strings.Compare(a.name, b.name); c != 0 {
				return c
			}
			return order(a, b)
		})
	}
	return u
}

func (u *unitFiles) add(kind byte, file, target string) {
	var dir string
	for _, d := range searchPath {
		if strings.HasPrefix(file, d) && len(file) > len(d) && file[len(d)] == '/' {
			dir = d
			break
		}
	}
	if dir == "" {
		return
	}
	folder, name := path.Split(file[len(dir)+1:])
	folder = strings.TrimSuffix(folder, "/")
	link := kind == 'l'
	f := &unitFile{dir: dir, name: name, link: link, target: target}
	f.masked = kind == 'c' || kind == 'b' || link && path.Clean(target) == "/dev/null"
	switch {
	case folder == "":
		if unitKind(name) == "" || kind == 'd' {
			return
		}
		u.files[name] = append(u.files[name], f)
		u.byPath[file] = f
		if link {
			u.link(wantLink{dir, "", name, target})
		}
	case strings.HasSuffix(folder, ".d"):
		if strings.HasSuffix(name, ".conf") && kind != 'd' {
			unit := strings.TrimSuffix(folder, ".d")
			u.dropIns[unit] = append(u.dropIns[unit], f)
			u.byPath[file] = f
		}
	case link && (strings.HasSuffix(folder, ".wants") || strings.HasSuffix(folder, ".requires") || strings.HasSuffix(folder, ".upholds")):
		u.link(wantLink{dir, folder, name, target})
	}
}

func (u *unitFiles) link(l wantLink) {
	u.links[l.name] = append(u.links[l.name], l)
	if base := path.Base(l.target); base != l.name {
		u.links[base] = append(u.links[base], l)
	}
}

// unitKind returns service, socket, timer or path, or "" if name is no unit of these kinds.
func unitKind(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 || len(name) > 255 || name[0] == '@' {
		return ""
	}
	for _, c := range []byte(name[:dot]) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(`:-_.\@`, c) < 0 {
			return ""
		}
	}
	switch kind := name[dot+1:]; kind {
	case "service", "socket", "timer", "path":
		return kind
	}
	return ""
}

// templateOf returns foo@.service for foo@bar.service, and "" for what is no instance.
func templateOf(name string) string {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at < 1 || at+1 >= dot {
		return ""
	}
	return name[:at+1] + name[dot:]
}

func isTemplate(name string) bool {
	at := strings.IndexByte(name, '@')
	return at > 0 && at+1 == strings.LastIndexByte(name, '.')
}
