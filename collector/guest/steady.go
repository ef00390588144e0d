package guest

import (
	"slices"
	"strings"
)

// steady turns what a unit does at this moment into what it does on a machine that
// nobody touches, so that the moment of a scan makes no difference:
//
//   - failed stays failed, whatever the unit is, and so is one that systemd keeps restarting;
//   - a unit on its way is taken to be where it goes: systemd itself bounds the time,
//     and calls the unit failed if it does not get there;
//   - a oneshot service that keeps no state is inactive, also while it runs;
//   - a service that something starts when it is needed, and nothing else, is on-demand;
//   - sockets, timers and paths only wait.
func (u *unitFiles) steady(name, enabled string, now unit, starters []string, units map[string]unit) (active, sub string) {
	if now.active == "failed" || strings.HasPrefix(now.sub, "auto-restart") {
		return "failed", "failed"
	}
	up := now.active == "active" || now.active == "activating" || now.active == "reloading" || now.active == "refreshing"
	switch kind := unitKind(name); {
	case kind != "service" && !up:
		return "inactive", "dead"
	case kind == "socket":
		return "active", "listening"
	case kind != "service":
		return "active", "waiting"
	}
	f, _ := u.resolve(name)
	if f == nil {
		return now.active, now.sub
	}
	keys := u.keysOf(f, name)
	switch {
	case keys.kind == "oneshot" && !keys.remains:
		return "inactive", "dead"
	case u.onDemand(name, enabled, keys, starters, units):
		return "on-demand", "on-demand"
	case now.active == "active":
		return now.active, now.sub
	case up && keys.kind == "oneshot":
		return "active", "exited"
	case up:
		return "active", "running"
	}
	return "inactive", "dead"
}

// onDemand reports whether a service runs only when something asks for it: a timer, or no link
// pulls it in at boot, and a bus name, a socket or a path starts it. Where
// the unit could be enabled and is not, the starter must itself be in use, so that
// disabling ssh.service does not turn it over to a ssh.socket that nobody enabled.
func (u *unitFiles) onDemand(name, enabled string, keys unitKeys, starters []string, units map[string]unit) bool {
	inUse := func(starter string) bool {
		state, _ := u.enabled(starter, true)
		return units[starter].active == "active" || strings.HasPrefix(state, "enabled")
	}
	if slices.ContainsFunc(starters, func(s string) bool { return unitKind(s) == "timer" && inUse(s) }) {
		return true // a job, which ends: anacron is even enabled besides
	}
	switch enabled {
	case "static", "disabled", "indirect", "generated":
	default:
		return false
	}
	for _, l := range u.links[name] {
		if l.folder != "" {
			return false
		}
	}
	if len(keys.wanted) == 0 {
		return keys.busName != "" || len(starters) > 0
	}
	return slices.ContainsFunc(starters, inUse)
}
