package guest

import (
	"slices"

	"github.com/vmdrift/vmdrift/inventory"
)

// Advice returns the one line that says how to read what an observation could not
// read, or "" where there is nothing to fix.
func Advice(o inventory.Observation) string {
	switch o.Status {
	case inventory.Complete, inventory.Unsupported:
		return ""
	}
	privilege := slices.Contains(o.Missing, "process") || slices.Contains(o.Missing, "password") || slices.Contains(o.Missing, "enabled") || o.Facet == inventory.OS && len(o.Missing) > 0
	switch {
	case o.Status == inventory.Denied, privilege:
		return "let the login read it as root: install the pinned probe (`vmdrift probe --install USER` prints the lines), " +
			"or allow it sudo without a password"
	case o.Facet == inventory.Packages:
		return "run the package manager's own check on the machine (dpkg --audit, rpm --verifydb, apk verify, pacman -Dk)"
	case o.Facet == inventory.Services && slices.Contains(o.Missing, "active"):
		return "nothing to do in a container or chroot; elsewhere look at `systemctl is-system-running`"
	case o.Facet == inventory.Services:
		return "look at what `systemctl list-units` says on the machine"
	case o.Facet == inventory.Ports:
		return "install iproute2 (ss) on the machine"
	case o.Facet == inventory.Users, o.Facet == inventory.Groups:
		return "look at /etc/passwd and /etc/group with `pwck -r` and `grpck -r`; for a directory service, at `getent passwd`"
	}
	return "scan again; if it stays so, run `vmdrift probe` by hand on the machine"
}
