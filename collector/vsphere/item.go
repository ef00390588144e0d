package vsphere

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// A field is one field of an item, and whether its value is known.
type field struct {
	name, value string
	known       bool
}

func text(name, value string) field { return field{name, value, true} }

// opt is a field that is unknown where the platform says nothing.
func opt(name, value string) field { return field{name, value, value != ""} }

func flag(name string, value bool) field {
	if value {
		return text(name, "yes")
	}
	return text(name, "no")
}

// optFlag is a flag that is unknown where the platform says nothing.
func optFlag(name string, value *bool) field {
	if value == nil {
		return field{name: name}
	}
	return flag(name, *value)
}

// onlyIf makes a field unknown unless cond holds.
func (f field) onlyIf(cond bool) field {
	f.known = f.known && cond
	return f
}

// A list is the items of one facet in the making.
type list struct {
	b *inventory.Builder
	// missing are the properties that the server did not give: what they say is not in the items.
	missing []string
	refusal string // of the first of them
	// unknown are fields that items lack though the items are all there, sorted.
	unknown []string
	whys    []string
}

func newList(f inventory.Facet) *list { return &list{b: inventory.NewBuilder(f)} }

func (l *list) add(key string, fields ...field) {
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	l.b.Key(key)
	for _, f := range fields {
		if f.known {
			l.b.Field(f.name, f.value)
		}
	}
}

// read reports whether o gave those properties, and remembers if not.
func (l *list) read(o object, paths ...string) bool {
	ok := true
	for _, p := range paths {
		if fault, gone := o.missing[p]; gone {
			ok = false
			l.missing = append(l.missing, p)
			if l.refusal == "" {
				l.refusal = faultText(fault)
			}
		}
	}
	return ok
}

// notRunning is why some fields of a machine that is off are unknown.
const notRunning = "the machine is not running"

// lack says that some items lack these fields, and why.
func (l *list) lack(why string, fields ...string) {
	for _, f := range fields {
		if i, found := slices.BinarySearch(l.unknown, f); !found {
			l.unknown = slices.Insert(l.unknown, i, f)
		}
	}
	if !slices.Contains(l.whys, why) {
		l.whys = append(l.whys, why)
	}
}

// observation returns the facet as it was observed.
func (l *list) observation(f inventory.Facet) inventory.Observation {
	whys := l.whys
	if len(l.missing) > 0 {
		whys = append([]string{"the platform did not give " + strings.Join(l.missing, ", ") + l.refusal}, whys...)
	}
	o := inventory.Observation{Facet: f, Reason: sentence(strings.Join(whys, "; "))}
	var err error
	o.State, err = l.b.State()
	switch {
	case err != nil:
		return inventory.Observation{Facet: f, Status: inventory.Failed, Reason: inventory.Escape(err.Error())}
	case len(l.missing) > 0 && o.State.Len() == 0:
		o.Status, o.State = inventory.Denied, nil
	case len(whys) > 0:
		o.Status, o.Missing, o.ItemsComplete = inventory.Partial, l.unknown, len(l.missing) == 0
	default:
		return inventory.Observe(o.State)
	}
	return o
}
