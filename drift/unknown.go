package drift

import (
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// Unknown is a machine of which it is not known whether it has what a query asks for.
type Unknown struct {
	Machine string // name
	Why     string
}

// Unknown returns the machines, of those given, whose silence to the query is no answer: nobody has read
// the facet there, or not the fields asked for, or, with a time, not as early as that. A machine that has
// no such facet is an answer; so is what was seen last of one that cannot be read now.
func (q Query) Unknown(ms []MachineRecord, at time.Time) []Unknown {
	var out []Unknown
	for _, m := range ms {
		if why := q.unknown(m, at); why != "" {
			out = append(out, Unknown{m.Machine.Name, why})
		}
	}
	return out
}

func (q Query) unknown(m MachineRecord, at time.Time) string {
	f := m.facet(q.Facet)
	mayHave := slices.Contains(inventory.GuestFacets(), q.Facet) && collector.Kind(m.Machine.Labels["kind"]).HasGuest()
	switch {
	case m.SameAs != "" || !m.GoneAt.IsZero() && (at.IsZero() || !at.Before(m.GoneAt)):
		return ""
	case m.LastObserved.IsZero() && m.Machine.ID.Source == collector.Typed:
		return "" // perhaps a name mistyped once
	case !at.IsZero() && at.Before(m.FirstSeen):
		return "nothing was recorded of it before " + m.FirstSeen.UTC().Format("2006-01-02 15:04")
	case f.Status == inventory.Unsupported:
		return ""
	case f.State.ID == 0 && f.Status == "" && !mayHave:
		return "" // nobody knows anything of that kind of it
	case f.State.ID == 0 && f.Reason != "":
		return string(q.Facet) + " could not be read: " + f.Reason
	case f.State.ID == 0:
		return "its " + string(q.Facet) + " were never seen"
	}
	var missing []string
	for _, c := range q.conds {
		if slices.Contains(f.Missing, c.name) && !slices.Contains(missing, c.name) {
			missing = append(missing, c.name)
		}
	}
	switch {
	case len(missing) > 0:
		return strings.Join(missing, ", ") + " could not be read of all " + string(q.Facet)
	case f.Status.Observed() && !f.ItemsComplete:
		return "not all of its " + string(q.Facet) + " could be read"
	}
	return ""
}
