package guest

import (
	"bytes"
)

// A unit is a row of list-units: what the manager has in memory.
type unit struct {
	name, load, active, sub string
}

// parseUnits reads `systemctl list-units --all --plain --full --no-legend`:
//
//	cron.service               loaded    active   running Regular background program processing daemon
//	auditd.service             not-found inactive dead    auditd.service
//	apt-daily.timer            loaded    active   waiting Daily apt download activities
//
// The description is the unit's own, raw; only the first four words are read.
func parseUnits(body []byte) map[string]unit {
	units := make(map[string]unit, bytes.Count(body, []byte{'\n'}))
	lines(body, func(line []byte) {
		var word [4][]byte
		for i := range word {
			line = bytes.TrimLeft(line, " ")
			end := bytes.IndexByte(line, ' ')
			if end < 0 {
				end = len(line)
			}
			word[i], line = line[:end], line[end:]
		}
		u := unit{string(word[0]), string(word[1]), string(word[2]), string(word[3])}
		if _, twice := units[u.name]; twice || unitKind(u.name) == "" || !loadStates[u.load] || !activeStates[u.active] || !isWord(u.sub) {
			return
		}
		units[u.name] = u
	})
	return units
}

var (
	loadStates = map[string]bool{
		"stub": true, "loaded": true, "not-found": true, "bad-setting": true, "error": true, "merged": true, "masked": true,
	}
	activeStates = map[string]bool{
		"active": true, "reloading": true, "inactive": true, "failed": true, "activating": true,
		"deactivating": true, "maintenance": true, "refreshing": true,
	}
)

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return s != ""
}
