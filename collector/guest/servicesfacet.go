package guest

import (
	"bytes"

	"github.com/vmdrift/vmdrift/inventory"
)

// servicesFacet reads the services of the init system that runs, or of systemd's
// unit files where it is installed and nothing runs it, as in a container.
func (a *answer) servicesFacet() inventory.Observation {
	const f = inventory.Services
	_, systemd := a.sections["units"]
	rc, openrc := a.sections["openrc"]
	sysv, scripts := a.sections["sysv"]
	switch {
	case !a.read["services"] && (systemd || openrc || scripts):
		return failed(f, "the list of services was cut short")
	case !a.read["services"]:
		return failed(f, a.cut)
	case systemd:
		return a.systemdFacet()
	case openrc && rc.ran():
		s, err := openRCState(rc.body, a.sections["openrc.status"].body)
		return nonEmpty(observed(f, s, nil, err, ""), "OpenRC lists no services")
	case scripts && sysv.ran():
		s, err := sysvState(sysv.body)
		return nonEmpty(observed(f, s, []string{"active", "sub"}, err, "an init script does not say whether its service runs"), "there are no init scripts")
	case openrc || scripts:
		return failed(f, "the list of services could not be read")
	}
	return inventory.Observation{Facet: f, Status: inventory.Unsupported, Reason: "there is no systemd, OpenRC or init scripts"}
}

func (a *answer) systemdFacet() inventory.Observation {
	loaded, keys := a.sections["units"], a.sections["unitkeys"]
	switch {
	case !loaded.whole || !keys.whole || a.units == nil:
		return failed(inventory.Services, "the unit folders could not be read")
	case !keys.ran() || keys.status > 2:
		return failed(inventory.Services, "the unit files could not be read")
	case len(a.units.files) == 0:
		return failed(inventory.Services, "there are no unit files")
	}
	a.units.parseUnitKeys(keys.body)
	var units map[string]unit
	reason := "systemd does not run here" + a.why("units")
	if loaded.status == 0 {
		if units = parseUnits(loaded.body); len(units) == 0 {
			return failed(inventory.Services, "systemd lists no units")
		}
	} else if why := a.sections["units.why"]; !bytes.Contains(why.body, []byte("not been booted")) {
		reason = "systemd did not list its units" + a.why("units")
	}
	s, missing, err := systemdState(units, a.units, a.root)
	if units != nil {
		reason = a.unreadable(missing) + " for some units"
	}
	return observed(inventory.Services, s, missing, err, reason)
}

// nonEmpty refuses an empty state: there is always something where there is an init system.
func nonEmpty(o inventory.Observation, reason string) inventory.Observation {
	if o.State != nil && o.State.Len() == 0 {
		return failed(o.Facet, reason)
	}
	return o
}
