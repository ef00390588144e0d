package guest

import (
	"bytes"
	"slices"
	"strings"
)

// unitKeys is what matters here of a unit file's contents.
type unitKeys struct {
	wanted          []string // WantedBy, RequiredBy, UpheldBy
	aliases, also   []string
	defaultInstance string
	kind            string // Type
	busName         string
	remains         bool   // RemainAfterExit
	accept          bool   // a socket: one instance per connection
	starts          string // what a socket, timer or path starts, if it says so
}

// parseUnitKeys reads the section unitkeys, grep's selection of the unit files,
// into the files of u:
//
//	/usr/lib/systemd/system/ssh.service:[Unit]
//	/usr/lib/systemd/system/ssh.service:[Service]
//	/usr/lib/systemd/system/ssh.service:Type=notify
//	/usr/lib/systemd/system/ssh.service:[Install]
//	/usr/lib/systemd/system/ssh.service:WantedBy=multi-user.target
//	/usr/lib/systemd/system/ssh.service:Alias=sshd.service
//
// The name of a unit may hold a colon, so the file is the shortest that is known.
func (u *unitFiles) parseUnitKeys(body []byte) {
	var file *unitFile
	var prefix []byte // of the lines of file, with the colon
	var section string
	lines(body, func(line []byte) {
		if file == nil || !bytes.HasPrefix(line, prefix) {
			file, prefix = nil, nil
			for i, c := range line {
				if c != ':' {
					continue
				}
				if f := u.byPath[string(line[:i])]; f != nil {
					file, prefix, section = f, line[:i+1], ""
					break
				}
			}
			if file == nil {
				return
			}
			file.read = true
		}
		text := strings.TrimSpace(string(line[len(prefix):]))
		if strings.HasPrefix(text, "[") {
			section = strings.Trim(text, "[]")
			return
		}
		key, value, ok := strings.Cut(text, "=")
		if ok {
			file.keys.set(section, strings.TrimSpace(key), strings.TrimSpace(value))
		}
	})
}

func (k *unitKeys) set(section, key, value string) {
	words := strings.Fields(value) // a backslash at the end stands for what the next line holds
	list := func(l *[]string) {
		if *l = append(*l, words...); value == "" {
			*l = nil
		}
	}
	switch section + "." + key {
	case "Install.WantedBy", "Install.RequiredBy", "Install.UpheldBy":
		list(&k.wanted)
	case "Install.Alias":
		list(&k.aliases)
	case "Install.Also":
		list(&k.also)
	case "Install.DefaultInstance":
		k.defaultInstance = value
	case "Service.Type":
		k.kind = value
	case "Service.BusName":
		k.busName = value
	case "Service.RemainAfterExit":
		k.remains = isTrue(value)
	case "Socket.Accept":
		k.accept = isTrue(value)
	case "Socket.Service", "Timer.Unit", "Path.Unit":
		k.starts = value
	}
}

func isTrue(value string) bool {
	return slices.Contains([]string{"1", "yes", "y", "true", "t", "on"}, strings.ToLower(value))
}

// with returns k as the drop-in d changes it.
func (k unitKeys) with(d unitKeys) unitKeys {
	k.wanted = slices.Concat(k.wanted, d.wanted)
	k.aliases = slices.Concat(k.aliases, d.aliases)
	k.also = slices.Concat(k.also, d.also)
	for _, s := range []struct{ to, from *string }{
		{&k.defaultInstance, &d.defaultInstance}, {&k.kind, &d.kind}, {&k.busName, &d.busName}, {&k.starts, &d.starts},
	} {
		if *s.from != "" {
			*s.to = *s.from
		}
	}
	k.remains = k.remains || d.remains
	k.accept = k.accept || d.accept
	return k
}
