package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// whole reports whether nothing of the facet is unread.
func whole(f drift.FacetRecord) bool {
	return f.Status == inventory.Complete || f.Status == inventory.Unsupported
}

// gapText says in plain words how much of a facet could be read.
func gapText(f drift.FacetRecord, lastSeen time.Time, now time.Time) string {
	why := ""
	if f.Reason != "" {
		why = ": " + visible(f.Reason)
	}
	before := "; nothing is known of it from before"
	if f.State.ID != 0 {
		before = "; it is shown as it was seen " + at(lastSeen, now).Text
	}
	switch f.Status {
	case inventory.Complete:
		return "read whole"
	case inventory.Unsupported:
		return "the machine has no such thing" + why
	case inventory.Denied:
		return "the machine refused to tell" + why + before
	case inventory.Failed:
		return "reading it went wrong" + why + before
	}
	switch {
	case f.ItemsComplete && len(f.Missing) > 0:
		return "all items were read, but not " + strings.Join(f.Missing, ", ") + " of each" + why
	case len(f.Missing) > 0:
		return "not all items could be read, nor " + strings.Join(f.Missing, ", ") + " of each" + why
	case f.ItemsComplete:
		return "read in part" + why
	}
	return "not all items could be read: what is not shown may be there" + why
}

// An itemTable is the items of one facet, as many as a page has.
type itemTable struct {
	Facet  string
	Text   string // the filter
	Fields []string
	Rows   []itemRow
	Pager  pager
	Total  string
	Shown  string
	Empty  bool // the facet has no items at all
}

type itemRow struct {
	Key      text
	Values   []itemValue // one per field of the table
	Severity string      // of its drift; empty if it has none
	Drift    string      // its address
}

type itemValue struct {
	Known  bool
	Unread bool // it could not be read; else the item has no such field
	Text   text
}

// tableOf shows the items of a state whose text contains ?q=. missing are the fields that could not be read: they have a
// column all the same. drifts leads from keys to the worst drift there.
func tableOf(r *http.Request, clip *clipper, st *inventory.State, missing []string, drifts map[string]drift.FindingRecord) *itemTable {
	t := &itemTable{Facet: string(st.Facet()), Text: typed(r.URL.Query().Get("q")), Total: count(st.Len(), "item", "items"), Empty: st.Len() == 0}
	items := st.Items()
	if t.Text != "" {
		part := strings.ToLower(t.Text)
		items = slices.DeleteFunc(slices.Clone(items), func(it inventory.Item) bool { return !contains(part, it.Line()) })
	}
	t.Shown = number(len(items))
	from, to, pager := pageOf(r, len(items), listSize)
	t.Pager = pager
	items = items[from:to]
	seen := map[string]bool{}
	for _, name := range missing {
		seen[name] = true
		t.Fields = append(t.Fields, name)
	}
	for _, it := range items {
		for f := range it.Fields() {
			if !seen[f.Name] {
				seen[f.Name] = true
				t.Fields = append(t.Fields, f.Name)
			}
		}
	}
	slices.Sort(t.Fields)
	for _, it := range items {
		row := itemRow{Key: clip.text(it.Key(), 80), Values: make([]itemValue, len(t.Fields))}
		for i, name := range t.Fields {
			row.Values[i].Unread = slices.Contains(missing, name)
		}
		for f := range it.Fields() {
			i, _ := slices.BinarySearch(t.Fields, f.Name)
			row.Values[i] = itemValue{Known: true, Text: clip.text(f.Value, 60)}
		}
		if f, ok := drifts[it.Key()]; ok {
			row.Severity, row.Drift = f.Change.Severity.String(), driftURL(f.Change.ID())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// An itemsPart is what the template of an item table takes.
type itemsPart struct {
	Table        *itemTable
	Here         string // the page that it is on
	At, Revision string
	Drifts       bool // it has a column for drift
}
