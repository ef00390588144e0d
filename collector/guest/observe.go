package guest

import (
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// An answer is a frame with the parts that more than one facet needs.
type answer struct {
	frame
	root      bool
	cut       string // why a section is not there
	facts     facts
	accounts  accountFiles
	directory string // what went wrong with the directory service; empty if nothing, or not asked
	units     *unitFiles
	today     int // the machine's date, in days since 1970
}

// observe makes the observations of all guest facets, sorted by facet, and says whose they are.
func observe(f frame, now time.Time, runErr error) ([]inventory.Observation, inventory.Identity) {
	a := answer{frame: f, root: f.how == "root" || f.how == "sudo", cut: "the probe's answer ended before this"}
	switch {
	case f.how == "" && runErr != nil:
		a.cut = "the machine was not reached"
	case f.how == "":
		a.cut = "the machine did not run the probe"
	}
	if s := f.sections["os"]; s.whole {
		a.facts = parseFacts(s.body)
	}
	if s := f.sections["accounts"]; s.ran() {
		a.accounts = parseAccounts(s.body)
		if d, asked := f.sections["directory"]; asked {
			a.directory = a.accounts.addDirectory(d.body)
		}
	}
	a.today = int(now.Unix() / 86400)
	if s := f.sections["unitfiles"]; s.ran() {
		a.units = parseUnitFiles(s.body)
		if a.units.now > 0 {
			a.today = int(a.units.now / 86400)
		}
	}
	return []inventory.Observation{a.groupsFacet(), a.osFacet(), a.packagesFacet(), a.portsFacet(), a.servicesFacet(), a.usersFacet()}, a.facts.identity()
}

// observed makes the observation of a state in which the fields missing are, on
// some items, unknown for that reason.
func observed(f inventory.Facet, s *inventory.State, missing []string, err error, reason string) inventory.Observation {
	if err != nil {
		return failed(f, err.Error())
	}
	o := inventory.Observe(s)
	if missing = slices.Compact(slices.Sorted(slices.Values(missing))); len(missing) > 0 {
		o.Status, o.Missing, o.Reason = inventory.Partial, missing, inventory.Escape(reason)
	}
	return o
}

func failed(f inventory.Facet, reason string) inventory.Observation {
	return inventory.Observation{Facet: f, Status: inventory.Failed, Reason: inventory.Escape(reason)}
}

// incomplete marks o as one that may lack items.
func incomplete(o inventory.Observation, reason string) inventory.Observation {
	if o.State == nil {
		return o
	}
	o.Status, o.ItemsComplete = inventory.Partial, false
	if o.Reason != "" {
		reason = o.Reason + "; " + reason
	}
	o.Reason = inventory.Escape(reason)
	return o
}

// unreadable is the reason for fields that could not be read.
func (a *answer) unreadable(what []string) string {
	reason := strings.Join(what, ", ") + " could not be read"
	if a.root {
		return reason
	}
	reason += " without root"
	if s := a.sections["sudo"]; s.whole {
		text := strings.TrimSpace(string(s.body))
		if text = text[strings.LastIndexByte(text, '\n')+1:]; text != "" { // what comes before are warnings
			return reason + ", and sudo refused: " + quote([]byte(text))
		}
		return reason + ", and there is no sudo"
	}
	return reason
}

// why returns what a command had to say about its failure.
func (a *answer) why(section string) string {
	s := a.sections[section+".why"]
	text := strings.TrimSpace(string(s.body))
	if !s.whole || text == "" {
		return ""
	}
	return ": " + quote([]byte(text))
}

func (a *answer) osFacet() inventory.Observation {
	if a.facts == nil {
		return failed(inventory.OS, a.cut)
	}
	s, unknown, err := osState(a.facts, a.root)
	var missing []string
	if len(unknown) > 0 {
		missing = []string{"value"}
	}
	return observed(inventory.OS, s, missing, err, a.unreadable(unknown))
}

func (a *answer) usersFacet() inventory.Observation {
	if reason := a.accountsReason(); reason != "" {
		return failed(inventory.Users, reason)
	}
	s, missing, err := usersState(a.accounts, a.today)
	o := observed(inventory.Users, s, missing, err, a.accountsUnreadable(missing))
	if a.directory != "" {
		return incomplete(o, a.directory)
	}
	return o
}

func (a *answer) groupsFacet() inventory.Observation {
	if reason := a.accountsReason(); reason != "" {
		return failed(inventory.Groups, reason)
	}
	if a.accounts.noGroups {
		return failed(inventory.Groups, noGroups)
	}
	s, missing, err := groupsState(a.accounts)
	o := observed(inventory.Groups, s, missing, err, a.accountsUnreadable(missing))
	if a.directory != "" {
		return incomplete(o, a.directory)
	}
	return o
}

// accountsUnreadable is unreadable for the facets of accounts, where not all that is missing
// takes root to read: what a directory did not tell is said beside it.
func (a *answer) accountsUnreadable(missing []string) string {
	of := func(name string) bool { return name == "groups" || name == "other_members" }
	switch rest := slices.DeleteFunc(slices.Clone(missing), of); {
	case len(rest) > 0:
		return a.unreadable(rest)
	case a.accounts.noGroups:
		return noGroups
	}
	return ""
}

const noGroups = "no group could be read from /etc/group"

func (a *answer) accountsReason() string {
	s, ok := a.sections["accounts"]
	switch {
	case !ok:
		return a.cut
	case !s.whole, !a.read["accounts"]: // without the latter the directory's may be missing
		return "the list of accounts was cut short"
	case s.status == 126, s.status == 127:
		return "the machine has no sed to read its accounts with"
	case !s.ran(), s.status == 4: // 4 is sed's for a file that it could not read to its end
		return "the list of accounts was cut short"
	case a.accounts.mixed:
		return `a line of /etc/passwd, /etc/group or /etc/shadow is only "Linux", which is how the probe tells the files apart`
	case !a.accounts.hasGroups:
		return "/etc/passwd and /etc/group could not be told apart: /proc is not mounted"
	case len(a.accounts.users) == 0:
		return "no user could be read from /etc/passwd"
	}
	return ""
}
