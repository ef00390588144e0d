package aws

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// Items are those of one facet: key → field → value, not yet escaped. A field that is
// not there is unknown.
type items map[string]fields

type fields map[string]string

// text sets a field to what AWS says; nil, where AWS leaves out what is not there, is known to be empty.
func (f fields) text(name string, v *string) {
	f[name] = ""
	if v != nil {
		f[name] = *v
	}
}

// word sets a field to one of AWS's words, unless AWS says none.
func (f fields) word(name, v string) {
	if v != "" {
		f[name] = v
	}
}

// flag and number set a field unless AWS says nothing.
func (f fields) flag(name string, v *bool) {
	if v != nil {
		f[name] = yes(*v)
	}
}

func (f fields) number(name string, v *int32) {
	if v != nil {
		f[name] = strconv.Itoa(int(*v))
	}
}

// list sets a field to words that have no order.
func (f fields) list(name string, words []string) {
	f[name] = strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ",")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// merge adds the items of another task to those of the first: a field that differs
// has both values, as a list.
func (it items) merge(other items) {
	for key, more := range other {
		have, ok := it[key]
		if !ok {
			it[key] = maps.Clone(more)
			continue
		}
		for name, v := range more {
			if old, ok := have[name]; ok && old != v {
				have.list(name, append(words(old), words(v)...))
			} else {
				have[name] = v
			}
		}
	}
}

// words are those of a list; none of the empty one.
func words(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(w string) bool { return w == "" })
}

// observe makes an observation of the items. A lack says what could not be read.
func (it items) observe(f inventory.Facet, l lack) inventory.Observation {
	b := inventory.NewBuilder(f)
	for key, fs := range it {
		b.Key(key)
		for _, name := range slices.Sorted(maps.Keys(fs)) {
			b.Field(name, fs[name])
		}
	}
	state, err := b.State()
	if err != nil {
		return inventory.Observation{Facet: f, Status: inventory.Failed, Reason: inventory.Escape(err.Error())}
	}
	o := inventory.Observe(state)
	if l.reason != "" {
		o.Status, o.Reason, o.ItemsComplete = inventory.Partial, inventory.Escape(l.reason), !l.items
		o.Missing = slices.Compact(slices.Sorted(slices.Values(l.fields)))
	}
	return o
}

// A lack is what is missing from an observation, and why.
type lack struct {
	reason string // one sentence; empty: nothing is missing
	fields []string
	items  bool // items may be missing too
}

func (l *lack) add(reason string, items bool, fields ...string) {
	switch {
	case l.reason == "":
		l.reason = reason
	case !strings.Contains(l.reason, reason):
		l.reason += "; " + reason
	}
	l.items = l.items || items
	l.fields = append(l.fields, fields...)
}
