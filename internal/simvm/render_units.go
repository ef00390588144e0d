package simvm

import (
	"fmt"
	"path"
	"strings"
)

const (
	vendorUnits = "/usr/lib/systemd/system"
	adminUnits  = "/etc/systemd/system"
)

// units makes the unit files and the links that enable them.
func (i *image) units(t *node) {
	// As the package's scripts write links: Debian 12 still goes by /lib.
	written := vendorUnits
	if i.dist.name == Debian12 {
		written = "/lib/systemd/system"
	}
	for _, name := range []string{
		"basic.target", "default.target.wants/README", "graphical.target", "local-fs.target", "multi-user.target", "network.target",
		"network-online.target", "sockets.target", "sysinit.target", "timers.target", "user.slice", "system.slice", "tmp.mount",
	} {
		t.file(path.Join(vendorUnits, name), "[Unit]\nDescription="+name+"\n")
	}
	t.file(vendorUnits+"/user@.service.d/10-login-barrier.conf", "[Unit]\nAfter=systemd-user-sessions.service\n")
	for _, v := range i.state.services {
		file := path.Join(vendorUnits, v.Name)
		t.file(file, unitFile(v))
		link := func(dir, name string) { t.link(path.Join(dir, name), path.Join(written, v.Name)) }
		if v.Enabled {
			name := v.Name
			if v.Instance != "" {
				name = strings.Replace(name, "@.", "@"+v.Instance+".", 1)
			}
			link(path.Join(adminUnits, v.WantedBy+".wants"), name)
			for _, alias := range v.Aliases {
				link(adminUnits, alias)
			}
		}
		if v.PulledBy != "" {
			t.link(path.Join(vendorUnits, v.PulledBy+".wants", v.Name), "../"+v.Name)
		}
		if v.Runtime {
			link("/run/systemd/generator/local-fs.target.wants", v.Name)
		}
		if v.Masked {
			t.link(path.Join(adminUnits, v.Name), "/dev/null")
		}
	}
	t.file("/dev/null", "").mode = 0o666
}

// unitFile writes the file of a unit.
func unitFile(v Service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s\n\n", description(v))
	switch path.Ext(v.Name) {
	case ".service":
		b.WriteString("[Service]\n")
		if v.Type != "" {
			fmt.Fprintf(&b, "Type=%s\n", v.Type)
		}
		if v.BusName != "" {
			fmt.Fprintf(&b, "BusName=%s\n", v.BusName)
		}
		fmt.Fprintf(&b, "ExecStart=/usr/sbin/%s\n", stem(v.Name))
		if v.Remains {
			b.WriteString("RemainAfterExit=yes\n")
		}
	case ".socket":
		fmt.Fprintf(&b, "[Socket]\nListenStream=/run/%s.sock\n", stem(v.Name))
	case ".timer":
		b.WriteString("[Timer]\nOnCalendar=daily\nPersistent=true\n")
	case ".path":
		fmt.Fprintf(&b, "[Path]\nDirectoryNotEmpty=/run/%s\n", stem(v.Name))
	}
	if v.WantedBy == "" && len(v.Aliases) == 0 {
		return b.String()
	}
	b.WriteString("\n[Install]\n")
	if v.WantedBy != "" {
		fmt.Fprintf(&b, "WantedBy=%s\n", v.WantedBy)
	}
	for _, alias := range v.Aliases {
		fmt.Fprintf(&b, "Alias=%s\n", alias)
	}
	if v.Instance != "" {
		fmt.Fprintf(&b, "DefaultInstance=%s\n", v.Instance)
	}
	return b.String()
}

func stem(unit string) string { return strings.TrimSuffix(unit, path.Ext(unit)) }

func description(v Service) string { return stem(v.Name) + ", simulated" }

// initScripts makes what OpenRC goes by: scripts, runlevels, and a note for each
// service that was started.
func (i *image) initScripts(t *node) {
	for _, level := range []string{"sysinit", "boot", "default", "nonetwork", "shutdown"} {
		t.dir("etc/runlevels/" + level)
	}
	for _, dir := range []string{"started", "failed", "stopping", "daemons", "options", "exclusive"} {
		t.dir("run/openrc/" + dir)
	}
	t.file("/run/openrc/softlevel", "default\n")
	t.file("/etc/init.d/functions.sh", "# simulated\n").mode = 0o755
	for _, v := range i.state.services {
		script := "/etc/init.d/" + v.Name
		t.file(script, "#!/sbin/openrc-run\n").mode = 0o755
		if v.Enabled {
			t.link("/etc/runlevels/"+v.WantedBy+"/"+v.Name, script)
		}
		if v.State != Stopped {
			t.link("/run/openrc/started/"+v.Name, script)
		}
	}
}
