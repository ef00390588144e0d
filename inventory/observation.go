package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Status says how much of a facet a scan could read.
type Status string

const (
	Complete    Status = "complete"    // all items, all fields
	Partial     Status = "partial"     // some fields, or some items, could not be read
	Denied      Status = "denied"      // the machine refused: nothing was read
	Failed      Status = "failed"      // the attempt went wrong: nothing was read
	Unsupported Status = "unsupported" // the machine has no such thing: nothing to read
)

// Observed reports whether an observation with this status carries a state.
func (s Status) Observed() bool { return s == Complete || s == Partial }

// Valid reports whether s is one of the five statuses.
func (s Status) Valid() bool {
	return slices.Contains([]Status{Complete, Partial, Denied, Failed, Unsupported}, s)
}

// An Observation is what a scan learnt of one facet.
type Observation struct {
	Facet  Facet
	Status Status
	// Reason says, in one sentence for a human, why the status is not Complete. Canonical text.
	Reason string
	// Missing names the fields that could not be read on some or all items, sorted.
	// Items simply lack a field that could not be read.
	Missing []string
	// ItemsComplete says that every item there is, is in State: an item that is not
	// there is absent from the machine. Always true when Complete; a Partial
	// observation has it when only fields are missing (the ports of a scan without
	// root, say). Without it nothing is removed and no finding closes.
	ItemsComplete bool
	// State is nil unless Status.Observed().
	State *State
}

// Observe returns a complete observation of s.
func Observe(s *State) Observation {
	return Observation{Facet: s.Facet(), Status: Complete, ItemsComplete: true, State: s}
}

// Validate reports the first contradiction in o.
func (o Observation) Validate() error {
	switch {
	case !o.Status.Valid():
		return fmt.Errorf("%s: status %.40q is not one of complete, partial, denied, failed, unsupported", o.Facet, o.Status)
	case o.Status.Observed() && o.State == nil:
		return fmt.Errorf("%s is %s and has no items", o.Facet, o.Status)
	case !o.Status.Observed() && (o.State != nil || o.ItemsComplete):
		return fmt.Errorf("%s is %s and yet has items", o.Facet, o.Status)
	case o.State != nil && o.State.Facet() != o.Facet:
		return fmt.Errorf("%s has the items of %s", o.Facet, o.State.Facet())
	case o.Status == Complete && (!o.ItemsComplete || len(o.Missing) > 0):
		return fmt.Errorf("%s is complete and yet something is missing", o.Facet)
	case !IsCanonical(o.Reason):
		return fmt.Errorf("%s: the reason is not canonical", o.Facet)
	}
	return nil
}

// A Snapshot is what one scan learnt of one machine.
type Snapshot struct {
	Machine Machine
	TakenAt time.Time // UTC
	// Probe is the digest of the script that ran, for guests. Empty otherwise.
	Probe string
	// Privilege is how the facets were read: "root", "sudo" or "user". Empty where it has no meaning.
	Privilege string
	// Identity is how the guest can be told in another place. Not in the JSON form.
	Identity Identity
	// Observations has at most one entry per facet, sorted by facet.
	Observations []Observation
}

// Observation returns the observation of f.
func (s *Snapshot) Observation(f Facet) (Observation, bool) {
	i, ok := slices.BinarySearchFunc(s.Observations, f, func(o Observation, f Facet) int {
		return bytes.Compare([]byte(o.Facet), []byte(f))
	})
	if !ok {
		return Observation{}, false
	}
	return s.Observations[i], true
}

// SnapshotSchema names version 1 of a snapshot's JSON form; docs/json.md describes it.
const SnapshotSchema = "vmdrift.snapshot/v1"

type snapshotJSON struct {
	Schema       string                     `json:"schema"`
	Machine      Machine                    `json:"machine"`
	TakenAt      time.Time                  `json:"taken_at"`
	Probe        string                     `json:"probe,omitempty"`
	Privilege    string                     `json:"privilege,omitempty"`
	Observations map[Facet]*observationJSON `json:"observations"`
}

type observationJSON struct {
	Status        Status   `json:"status"`
	Reason        string   `json:"reason,omitempty"`
	Missing       []string `json:"missing,omitempty"`
	ItemsComplete bool     `json:"items_complete"`
	Digest        *Digest  `json:"digest,omitempty"`
	// Items is nil where nothing was observed. An empty list is written too: that it is not there says nothing.
	Items *map[string]map[string]string `json:"items,omitempty"`
}

// MarshalJSON writes the form that SnapshotSchema names.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	out := snapshotJSON{
		Schema: SnapshotSchema, Machine: s.Machine, TakenAt: s.TakenAt, Probe: s.Probe, Privilege: s.Privilege,
		Observations: make(map[Facet]*observationJSON, len(s.Observations)),
	}
	for _, o := range s.Observations {
		j := &observationJSON{Status: o.Status, Reason: o.Reason, Missing: o.Missing, ItemsComplete: o.ItemsComplete}
		if o.State != nil {
			d, items := o.State.Digest(), make(map[string]map[string]string, o.State.Len())
			j.Digest, j.Items = &d, &items
			for _, it := range o.State.Items() {
				fields := make(map[string]string)
				for f := range it.Fields() {
					fields[f.Name] = f.Value
				}
				items[it.Key()] = fields
			}
		}
		out.Observations[o.Facet] = j
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the form that SnapshotSchema names, and refuses what is not valid in it.
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	var in snapshotJSON
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the snapshot")
	}
	if in.Schema != SnapshotSchema {
		return fmt.Errorf("schema is %.60q, want %q", in.Schema, SnapshotSchema)
	}
	if err := in.check(); err != nil {
		return err
	}
	*s = Snapshot{Machine: in.Machine, TakenAt: in.TakenAt, Probe: in.Probe, Privilege: in.Privilege}
	for facet, j := range in.Observations {
		if j == nil {
			return fmt.Errorf("observations: %s is null", facet)
		}
		o := Observation{Facet: facet, Status: j.Status, Reason: j.Reason, Missing: j.Missing, ItemsComplete: j.ItemsComplete}
		if j.Status.Observed() {
			if j.Items == nil {
				return fmt.Errorf("observations: %s is %s and has no items; where there are none it has an empty list, {}", facet, j.Status)
			}
			items := make([]Item, 0, len(*j.Items))
			for key, fields := range *j.Items {
				it, err := itemOf(key, fields)
				if err != nil {
					return fmt.Errorf("observations: %s: %w", facet, err)
				}
				items = append(items, it)
			}
			st, err := NewState(facet, items...)
			if err != nil {
				return fmt.Errorf("observations: %w", err)
			}
			o.State = st
		}
		if err := o.Validate(); err != nil {
			return fmt.Errorf("observations: %w", err)
		}
		s.Observations = append(s.Observations, o)
	}
	slices.SortFunc(s.Observations, func(a, b Observation) int {
		return bytes.Compare([]byte(a.Facet), []byte(b.Facet))
	})
	return nil
}

// check refuses names that could not be shown as they are: a snapshot comes from
// anywhere, and its names go to terminals.
func (in *snapshotJSON) check() error {
	m := in.Machine
	texts := []string{m.ID.Source, m.ID.NativeID, m.Name, m.Address, in.Probe, in.Privilege}
	for k, v := range m.Labels {
		texts = append(texts, k, v)
	}
	for _, text := range texts {
		if Escape(text) != strings.ReplaceAll(text, `\`, `\\`) {
			return fmt.Errorf("%.80q has characters that can't be shown", text)
		}
	}
	for facet, j := range in.Observations {
		if !validName(string(facet)) {
			return fmt.Errorf("observations: %.80q is not the name of a facet", facet)
		}
		if j == nil {
			continue
		}
		for _, field := range j.Missing {
			if !validName(field) {
				return fmt.Errorf("observations: %s: missing: %.80q is not a field name", facet, field)
			}
		}
	}
	return nil
}

func itemOf(key string, fields map[string]string) (Item, error) {
	list := make([]Field, 0, len(fields))
	for name, value := range fields {
		list = append(list, Field{name, value})
	}
	return NewItem(key, list...)
}
