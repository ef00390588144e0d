package guest

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// openRCState returns the services of a machine that OpenRC runs. paths is a find:
//
//	/etc/init.d/sshd
//	/etc/runlevels/default/sshd
//	/run/openrc/started/sshd
//
// and status what rc-status says, which also knows of services that crashed; nil
// where it could not be run:
//
//	[default]
//	sshd =  started
//	nginx =  crashed
func openRCState(paths, status []byte) (*inventory.State, error) {
	levels := make(map[string][]string)
	active := make(map[string]string)
	services := make(map[string]bool)
	lines(paths, func(line []byte) {
		p := strings.Split(strings.TrimPrefix(string(line), "/"), "/")
		switch {
		case len(p) == 3 && p[0] == "etc" && p[1] == "init.d" && !strings.HasPrefix(p[2], ".") && !strings.HasSuffix(p[2], ".sh"):
			services[p[2]] = true
		case len(p) == 4 && p[0] == "etc" && p[1] == "runlevels":
			levels[p[3]] = append(levels[p[3]], p[2])
			services[p[3]] = true
		case len(p) == 4 && p[0] == "run" && p[1] == "openrc" && (p[2] == "started" || p[2] == "starting"):
			active[p[3]] = "started"
		}
	})
	lines(status, func(line []byte) {
		name, state, ok := bytes.Cut(line, []byte("="))
		if !ok {
			return
		}
		switch s := strings.TrimSpace(string(state)); s {
		case "crashed", "started", "stopped":
			active[strings.TrimSpace(string(name))] = s
		case "starting", "inactive", "scheduled": // on their way up, or waiting for hardware
			active[strings.TrimSpace(string(name))] = "started"
		}
	})
	b := inventory.NewBuilder(inventory.Services)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		b.Key("openrc/", name)
		if state := active[name]; state != "" {
			b.Field("active", state)
		} else {
			b.Field("active", "stopped")
		}
		b.Field("enabled", joinNames(levels[name]))
	}
	return b.State()
}
