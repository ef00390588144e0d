package guest

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// sysvState returns the init scripts of a machine, and the runlevels in which each
// is started. Whether one runs, only the script itself could say, by being run.
//
//	/etc/init.d/cron
//	/etc/rc2.d/S01cron
//	/etc/rc6.d/K01cron
func sysvState(paths []byte) (*inventory.State, error) {
	levels := make(map[string][]string)
	services := make(map[string]bool)
	lines(paths, func(line []byte) {
		dir, name := path.Split(string(line))
		folder := path.Base(dir)
		switch {
		case folder == "init.d" && name != "README" && name != "skeleton" && name != "functions" && name != "" && !strings.HasPrefix(name, "rc"):
			services[name] = true
		case len(folder) == 5 && strings.HasPrefix(folder, "rc") && strings.HasSuffix(folder, ".d") &&
			len(name) > 3 && name[0] == 'S' && digits([]byte(name[1:3])):
			levels[name[3:]] = append(levels[name[3:]], folder[2:3])
		}
	})
	b := inventory.NewBuilder(inventory.Services)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		in := levels[name]
		slices.Sort(in)
		b.Key("sysv/", name)
		b.Field("enabled", strings.Join(slices.Compact(in), ","))
	}
	return b.State()
}
