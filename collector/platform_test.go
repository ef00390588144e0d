package collector

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// inside is a guest that answers with one facet, or with an error.
type inside struct{ err error }

func (inside) Machine() inventory.Machine {
	return inventory.Machine{Name: "vm", Address: "root@vm:22"}
}

func (i inside) Collect(context.Context) (inventory.Snapshot, error) {
	s := inventory.Snapshot{TakenAt: time.Unix(2, 0)}
	if i.err == nil {
		for _, f := range inventory.GuestFacets() {
			s.Observations = append(s.Observations, inventory.Observation{Facet: f, Status: inventory.Unsupported})
		}
	}
	return s, i.err
}

func TestWhatThePlatformKnowsJoinsWhatTheGuestSays(t *testing.T) {
	st, err := inventory.NewState("hardware")
	if err != nil {
		t.Fatal(err)
	}
	listed := Listed{
		Machine: inventory.Machine{Name: "vm"}, Observations: []inventory.Observation{inventory.Observe(st)}, At: time.Unix(1, 0),
	}
	off := &Error{Outcome: SwitchedOff, Err: errors.New("the platform says so")}
	for name, c := range map[string]struct {
		target       Target
		facets       int
		failed       int
		outcome      Outcome
		takenByGuest bool
	}{
		"a guest that answers":    {Platform(listed, inside{}, nil), 7, 0, OK, true},
		"a guest that does not":   {Platform(listed, inside{&Error{Outcome: Unreachable, Err: errors.New("no route")}}, nil), 7, 6, Unreachable, true},
		"a machine that is off":   {Platform(listed, nil, off), 7, 6, SwitchedOff, false},
		"a machine without guest": {Platform(listed, nil, nil), 1, 0, OK, false},
		"an inventory's line":     {Platform(Listed{}, inside{errors.New("x")}, nil), 0, 0, Broken, true},
	} {
		s, err := c.target.Collect(t.Context())
		if OutcomeOf(err) != c.outcome {
			t.Errorf("%s: %v, want %s", name, err, c.outcome)
		}
		failed := 0
		for i, o := range s.Observations {
			if o.Status == inventory.Failed {
				failed++
			}
			if i > 0 && s.Observations[i-1].Facet >= o.Facet {
				t.Errorf("%s: %s is out of order", name, o.Facet)
			}
		}
		if len(s.Observations) != c.facets || failed != c.failed || (s.TakenAt == time.Unix(2, 0)) != c.takenByGuest {
			t.Errorf("%s: %d facets, %d failed, taken at %s", name, len(s.Observations), failed, s.TakenAt)
		}
	}
}

// held is a guest that counts what it is told to let go of.
type held struct {
	inside
	released *[]inventory.Observation
}

func (h held) Release(s inventory.Snapshot) { *h.released = append(*h.released, s.Observations...) }

func TestWhatAGuestHoldsIsLetGoOfThroughItsPlatform(t *testing.T) {
	st, err := inventory.NewState(inventory.Hardware)
	if err != nil {
		t.Fatal(err)
	}
	var released []inventory.Observation
	target := Platform(Listed{Observations: []inventory.Observation{inventory.Observe(st)}}, held{released: &released}, nil)
	s, err := target.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	target.(Releaser).Release(s)
	if len(released) != len(inventory.GuestFacets()) || len(s.Observations) != len(released)+1 {
		t.Errorf("released %d facets of %d, want those of the guest", len(released), len(s.Observations))
	}
	Platform(Listed{}, nil, nil).(Releaser).Release(s) // nothing to let go of
}
