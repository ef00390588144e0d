package guest

import (
	"maps"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// systemdState joins what the manager has in memory with what the unit folders
// hold. units is nil where no manager answered: active and sub are then unknown.
func systemdState(units map[string]unit, files *unitFiles, root bool) (*inventory.State, []string, error) {
	b := inventory.NewBuilder(inventory.Services)
	missing := map[string]bool{}
	field := func(known bool, name, value string) {
		if known {
			b.Field(name, value)
		} else {
			missing[name] = true
		}
	}
	all := units
	if all == nil {
		all = map[string]unit{}
	}
	starters := files.starters()
	for _, name := range unitNames(all, files) {
		enabled, known := files.enabled(name, root)
		u, loaded := all[name]
		if !files.isItem(name, enabled, u) {
			continue
		}
		if !loaded {
			u.active, u.sub = "inactive", "dead"
		}
		b.Key(name)
		active, sub := files.steady(name, enabled, u, starters[name], all)
		runs := !isTemplate(name) // a template does not
		if runs {
			field(units != nil, "active", active)
		}
		field(known, "enabled", enabled)
		if runs {
			field(units != nil, "sub", sub)
		}
	}
	s, err := b.State()
	return s, sorted(missing), err
}

// unitNames returns every unit that may be an item: unit files, instances that a
// link asks for, and instances that run.
func unitNames(units map[string]unit, files *unitFiles) []string {
	names := make(map[string]bool, len(files.files)+len(units))
	for name := range files.files {
		names[name] = true
	}
	for name, links := range files.links {
		for _, l := range links {
			if l.folder != "" && l.name == name && unitKind(name) != "" && templateOf(name) != "" {
				names[name] = true
			}
		}
	}
	for name := range units {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// isItem reports whether a unit is part of the machine's state. Not so: another name
// for a unit, what only exists while it runs, a login's own units, one instance per
// connection, and an instance that nobody enabled and that does not run.
func (u *unitFiles) isItem(name, enabled string, loaded unit) bool {
	template := templateOf(name)
	if len(u.files[name]) == 0 && len(u.files[template]) == 0 {
		return false // also where the file is gone and the unit is still loaded
	}
	switch enabled {
	case "alias":
		_, own := u.resolve(name)
		return len(u.files[own]) == 0 && len(u.files[templateOf(own)]) == 0 // of a file that is no unit by itself
	case "transient":
		return false
	}
	if template == "" {
		return true
	}
	if strings.HasPrefix(name, "user@") || strings.HasPrefix(name, "user-runtime-dir@") {
		return false
	}
	if s, _ := u.resolve(strings.Replace(template, "@.service", ".socket", 1)); s != nil && s.keys.accept {
		return false
	}
	for _, l := range u.links[name] {
		if l.name == name {
			return true
		}
	}
	if loaded.active == "failed" {
		return true
	}
	f, _ := u.resolve(name)
	if f == nil || loaded.active != "active" {
		return false
	}
	keys := u.keysOf(f, name)
	return keys.kind != "oneshot" || keys.remains
}

// starters returns, for each service, the sockets, timers and paths that start it.
func (u *unitFiles) starters() map[string][]string {
	starters := make(map[string][]string)
	for name := range u.files {
		kind := unitKind(name)
		if kind == "service" || isTemplate(name) {
			continue
		}
		f, own := u.resolve(name)
		if f == nil || own != name || f.masked {
			continue
		}
		keys := u.keysOf(f, name)
		if keys.accept {
			continue
		}
		service := keys.starts
		if service == "" {
			service = strings.TrimSuffix(name, kind) + "service"
		}
		_, service = u.resolve(service)
		starters[service] = append(starters[service], name)
	}
	return starters
}
