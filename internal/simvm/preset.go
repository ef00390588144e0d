package simvm

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed presets
var presets embed.FS

// A preset is the contents of a file in presets/: what is there after installation.
type preset struct {
	osRelease string
	files     map[string]string
	packages  []Package
	users     []User
	groups    []Group
	services  []Service
	ports     []Port
}

// readPreset reads the distribution's file, and before it the one it shares with others.
func readPreset(d *distribution) *preset {
	p := &preset{files: map[string]string{}}
	names := []string{string(d.name)}
	if d.manager == dpkg {
		names = []string{"deb-common", string(d.name)}
	}
	for _, name := range names {
		data, err := presets.ReadFile("presets/" + name + ".txt")
		if err != nil {
			panic("simvm: " + err.Error())
		}
		section := ""
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case line == "" || line[0] == '#':
			case line[0] == '[':
				section = strings.Trim(line, "[]")
			default:
				if err := p.read(d, section, line); err != nil {
					panic(fmt.Sprintf("simvm: preset %s: %q: %v", name, line, err))
				}
			}
		}
	}
	sortPackages(p.packages)
	return p
}

func (p *preset) read(d *distribution, section, line string) error {
	switch section {
	case "os-release":
		p.osRelease += line + "\n"
	case "files":
		name, content, _ := strings.Cut(line, " ")
		p.files[name] = content + "\n"
	case "packages":
		for word := range strings.FieldsSeq(line) {
			p.addPackage(d, word)
		}
	case "users":
		return p.readUser(line)
	case "groups":
		for word := range strings.FieldsSeq(line) {
			f := strings.Split(word, ":")
			g := Group{Name: f[0]}
			var err error
			if g.GID, err = strconv.Atoi(f[1]); err != nil {
				return err
			}
			if f[2] != "" {
				g.Members = strings.Split(f[2], ",")
			}
			p.groups = append(p.groups, g)
		}
	case "services":
		v, err := readService(d, line)
		p.services = append(p.services, v)
		return err
	case "ports":
		f := strings.Fields(line)
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		p.ports = append(p.ports, Port{Proto: f[0], Addr: f[1], Port: n, Process: strings.TrimPrefix(f[3], "-"), User: f[4]})
	default:
		return fmt.Errorf("there is no section %q", section)
	}
	return nil
}

// addPackage reads name[:arch][=version][<source][!|?]: ! is held, ? removed but for
// its configuration. One that is there already, from the shared file, is replaced.
func (p *preset) addPackage(d *distribution, word string) {
	var k Package
	if k.Held = strings.HasSuffix(word, "!"); k.Held {
		word = strings.TrimSuffix(word, "!")
	}
	if k.Removed = strings.HasSuffix(word, "?"); k.Removed {
		word = strings.TrimSuffix(word, "?")
	}
	word, k.Source, _ = strings.Cut(word, "<")
	word, k.Version, _ = strings.Cut(word, "=")
	k.Name, k.Arch, _ = strings.Cut(word, ":")
	if k.Name == "gpg-pubkey" {
		k.Arch = "(none)"
	}
	k = d.complete(k)
	same := func(have Package) bool {
		return have.Name == k.Name && have.Arch == k.Arch && (d.manager != rpm || have.Version == k.Version)
	}
	if i := slices.IndexFunc(p.packages, same); i >= 0 {
		p.packages[i] = k
		return
	}
	p.packages = append(p.packages, k)
}

// readUser reads name:uid:gid:comment:home:shell[:password].
func (p *preset) readUser(line string) error {
	f := strings.Split(line, ":")
	u := User{Name: f[0], Comment: f[3], Home: f[4], Shell: f[5], Password: PasswordLocked}
	var err1, err2 error
	u.UID, err1 = strconv.Atoi(f[1])
	u.GID, err2 = strconv.Atoi(f[2])
	if len(f) > 6 {
		u.Password = PasswordState(f[6])
	}
	p.users = append(p.users, u)
	if err1 != nil {
		return err1
	}
	return err2
}

// readService reads NAME HOW [TARGET] [WORD…]. HOW is on or off (with the target or
// runlevel that wants it), static, masked, enabled-runtime, or a template in one of
// these ways. Words are what Service and its state have to say.
func readService(d *distribution, line string) (Service, error) {
	f := strings.Fields(line)
	v := Service{Name: f[0]}
	words := f[2:]
	switch f[1] {
	case "on", "off", "template", "disabled-template":
		v.WantedBy, words = f[2], f[3:]
		v.Enabled = f[1] == "on" || f[1] == "template"
	case "static", "static-template":
	case "masked":
		v.Masked = true
	case "enabled-runtime":
		v.Runtime = true
	default:
		return v, fmt.Errorf("a service is not %q", f[1])
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "type":
			v.Type = value
		case "bus":
			v.BusName = value
		case "alias":
			v.Aliases = append(v.Aliases, value)
		case "pull":
			v.PulledBy = value
		case "instance":
			v.Instance = value
		case "remains":
			v.Remains = true
		case "running", "exited", "stopped", "failed":
			v.State = ServiceState(key)
		default:
			return v, fmt.Errorf("a service has no %q", key)
		}
	}
	if v.State == "" {
		switch {
		case !v.Enabled || v.Type == "oneshot" && !v.Remains:
			v.State = Stopped
		case v.Type == "oneshot":
			v.State = Exited
		default:
			v.State = Running
		}
	}
	return v, nil
}
