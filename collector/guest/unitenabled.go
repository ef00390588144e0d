package guest

import (
	"path"
	"slices"
	"strings"
)

// resolve finds the file that stands behind a unit's name, as systemd does: the
// first in the search path, links followed. The name it returns is the unit's own:
// another one than asked for means that name is an alias. No file means that the
// unit cannot be loaded.
func (u *unitFiles) resolve(name string) (f *unitFile, own string) {
	own = name
	for range 16 {
		found := u.files[own]
		if len(found) == 0 {
			found = u.files[templateOf(own)]
		}
		if len(found) == 0 {
			return nil, own
		}
		f = found[0]
		if !f.link || f.masked {
			return f, own
		}
		base := path.Base(f.target)
		if isTemplate(base) && templateOf(own) != "" {
			base = withInstance(base, own)
		}
		if base == own || u.outside(f) {
			return u.behind(f), base
		}
		own = base
	}
	return nil, own
}

// outside reports whether a link points to a file that is in no unit folder.
func (u *unitFiles) outside(f *unitFile) bool {
	return f.link && u.byPath[f.destination()] == nil && !slices.Contains(searchPath, path.Dir(f.destination()))
}

// behind returns the file in the unit folders that the link f points to, and f
// itself if it points to elsewhere: grep has read that file by the link's name.
func (u *unitFiles) behind(f *unitFile) *unitFile {
	if g := u.byPath[f.destination()]; g != nil {
		return g
	}
	return f
}

// destination returns the path that the link f points to.
func (f *unitFile) destination() string {
	if path.IsAbs(f.target) {
		return path.Clean(f.target)
	}
	return path.Join(f.dir, f.target)
}

// withInstance returns foo@bar.service for the template foo@.service and the instance x@bar.service.
func withInstance(template, instance string) string {
	at, dot := strings.IndexByte(instance, '@'), strings.LastIndexByte(instance, '.')
	return strings.Replace(template, "@.", instance[at:dot]+".", 1)
}

// keysOf returns the contents of a unit's file with its drop-ins.
func (u *unitFiles) keysOf(f *unitFile, name string) unitKeys {
	k := f.keys
	for _, of := range []string{templateOf(name), name} {
		drop := u.dropIns[of]
		for i, d := range drop {
			if i == 0 || drop[i-1].name != d.name { // of the same name, the first folder's counts
				k = k.with(d.keys)
			}
		}
	}
	return k
}

// enabled returns what `systemctl list-unit-files` says of a unit: enabled, static,
// masked… "alias" and "transient" among them; and false if that hangs on a file that
// the login may not read. There must be a unit file of that name, or of its template.
//
// It follows unit_file_lookup_state in systemd's install.c, as of version 252.
func (u *unitFiles) enabled(name string, root bool) (state string, known bool) {
	f, own := u.resolve(name)
	switch {
	case f == nil:
		return "bad", true
	case f.link && !f.masked && !f.read && root: // it points to nothing
		return "bad", true
	case f.masked || !f.read && root: // an empty file masks as well
		return orRuntime("masked", f.dir), true
	case own != name:
		return "alias", true
	case u.sameNameInside(name):
		return "bad", true
	case strings.HasPrefix(f.dir, "/run/systemd/generator"):
		return "generated", true
	case f.dir == "/run/systemd/transient":
		return "transient", true
	}
	keys := u.keysOf(f, name)
	if state := u.linked(f, name, keys, true); state != "" {
		return state, true
	}
	switch {
	case !f.read && !root:
		return "", false
	case u.linked(f, name, keys, false) != "":
		return "indirect", true
	case len(keys.wanted)+len(keys.aliases) > 0:
		return "disabled", true
	case len(keys.also) > 0:
		return "indirect", true
	}
	return "static", true
}

// sameNameInside reports whether the administrator linked a unit to a file of the
// same name in another unit folder, which systemd follows and systemctl calls bad.
func (u *unitFiles) sameNameInside(name string) bool {
	found := u.files[name]
	if len(found) == 0 {
		return false
	}
	f := found[0]
	return f.link && path.Base(f.target) == name && !u.outside(f) &&
		(f.dir == persistentConfig || f.dir == "/run/systemd/system")
}

// linked looks for links that enable a unit: in .wants and its like, by an alias, or
// from the folder of the administrator to a file elsewhere. With byName, only links
// count whose name the unit file itself could have asked for.
func (u *unitFiles) linked(f *unitFile, name string, keys unitKeys, byName bool) string {
	known := func(link string) bool {
		return !byName || link == name || slices.Contains(keys.aliases, link) || keys.defaultInstance != "" &&
			isTemplate(name) && link == strings.Replace(name, "@.", "@"+keys.defaultInstance+".", 1)
	}
	fileAt := slices.Index(searchPath, f.dir)
	var runtime, elsewhere bool
	var sameName [2]bool // in the administrator's folder, in /run
	for _, l := range u.links[name] {
		at := slices.Index(searchPath, l.dir)
		foundDest := path.Base(l.target) == name
		foundPath := l.name == name && at <= fileAt // below the file itself, a same name means nothing
		if foundPath && foundDest && l.folder == "" {
			sameName[0] = sameName[0] || l.dir == persistentConfig
			sameName[1] = sameName[1] || strings.HasPrefix(l.dir, "/run/")
			continue
		}
		if !foundPath && !foundDest || !known(l.name) {
			continue
		}
		switch {
		case l.dir == persistentConfig:
			return "enabled"
		case strings.HasPrefix(l.dir, "/run/"):
			runtime = true
		default:
			elsewhere = true
		}
	}
	switch {
	case runtime:
		return "enabled-runtime"
	case elsewhere && templateOf(name) != "":
		return "static"
	case sameName[0]:
		return "linked"
	case sameName[1]:
		return "linked-runtime"
	}
	return ""
}

func orRuntime(state, dir string) string {
	if strings.HasPrefix(dir, "/run/") {
		return state + "-runtime"
	}
	return state
}
