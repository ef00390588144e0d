package simvm

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A unitRow is a line of systemctl list-units.
type unitRow struct{ name, load, active, sub, description string }

// systemctl list-units, with the options that make it readable to a script
func systemctl(p *process) int {
	var kinds []string
	listing := false
	for _, a := range p.args[1:] {
		switch {
		case a == "list-units":
			listing = true
		case strings.HasPrefix(a, "--type="):
			kinds = strings.Split(a[len("--type="):], ",")
		case slices.Contains([]string{"--all", "--plain", "--full", "--no-legend", "--no-pager"}, a):
		default:
			return p.unsimulated(a)
		}
	}
	if !listing {
		return p.unsimulated("anything but list-units")
	}
	rows := slices.DeleteFunc(p.unitRows(), func(r unitRow) bool {
		return kinds != nil && !slices.Contains(kinds, strings.TrimPrefix(path.Ext(r.name), "."))
	})
	slices.SortFunc(rows, func(a, b unitRow) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&out, "%-42s %-9s %-8s %-9s %s\n", r.name, r.load, r.active, r.sub, r.description)
	}
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}

// unitRows is what the manager has in memory: the model's units, and what comes and
// goes beside them, of which no scan must take notice.
func (p *process) unitRows() []unitRow {
	uid := p.uid
	rows := []unitRow{
		{fmt.Sprintf("user@%d.service", uid), "loaded", "active", "running", "User Manager"},
		{fmt.Sprintf("user-runtime-dir@%d.service", uid), "loaded", "active", "exited", "User Runtime Directory"},
		{fmt.Sprintf("session-%d.scope", p.number), "loaded", "active", "running", "Session of User " + p.user},
		{fmt.Sprintf("run-u%d.service", p.number), "loaded", "active", "running", "a transient unit, of this moment"},
		{"-.mount", "loaded", "active", "mounted", "Root Mount"},
		{"system.slice", "loaded", "active", "active", "System Slice"},
		{"multi-user.target", "loaded", "active", "active", "Multi-User System"},
	}
	if p.number%3 == 0 {
		rows = append(rows, unitRow{"plymouth.service", "not-found", "inactive", "dead", "plymouth.service"})
	}
	for _, v := range p.image.state.services {
		name := v.Name
		if strings.Contains(name, "@.") {
			if v.Instance == "" {
				continue
			}
			name = strings.Replace(name, "@.", "@"+v.Instance+".", 1)
		}
		r := unitRow{name, "loaded", "inactive", "dead", description(v)}
		if v.Masked {
			r.load = "masked"
		}
		switch v.State {
		case Running:
			r.active, r.sub = "active", map[string]string{".socket": "listening", ".timer": "waiting", ".path": "waiting"}[path.Ext(name)]
			if r.sub == "" {
				r.sub = "running"
			}
		case Exited:
			r.active, r.sub = "active", "exited"
		case Failed:
			r.active, r.sub = "failed", "failed"
		default:
			switch {
			case v.Masked || v.WantedBy != "" && !v.Enabled:
				continue // nothing asks for it, so it is not in memory
			case v.Type == "oneshot" && !v.Remains && p.number%2 == 1:
				r.active, r.sub = "activating", "start" // a timer has just started it
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// rcStatus is rc-status -a -f ini:
//
//	[default]
//	sshd =  started
func rcStatus(p *process) int {
	if strings.Join(p.args[1:], " ") != "-a -f ini" {
		return p.unsimulated(strings.Join(p.args[1:], " "))
	}
	var out bytes.Buffer
	section := func(title string, in func(Service) bool) {
		fmt.Fprintf(&out, "[%s]\n", title)
		for _, v := range p.image.state.services {
			if in(v) {
				fmt.Fprintf(&out, "%s = %s\n", v.Name, map[ServiceState]string{
					Running: " started ", Exited: " started ", Stopped: " stopped ", Failed: " crashed ",
				}[v.State])
			}
		}
	}
	for _, level := range []string{"sysinit", "boot", "default", "nonetwork", "shutdown"} {
		section(level, func(v Service) bool { return v.Enabled && v.WantedBy == level })
	}
	section("hotplugged", func(Service) bool { return false })
	section("needed/wanted", func(Service) bool { return false })
	section("manual", func(v Service) bool { return !v.Enabled && v.State != Stopped })
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}
