package drift_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

func TestFindSaysOfWhichMachinesItDoesNotKnow(t *testing.T) {
	q, err := drift.ParseQuery("users password=none")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	machine := func(name, kind, source string, facets ...drift.FacetRecord) drift.MachineRecord {
		m := drift.MachineRecord{FirstSeen: day, LastObserved: day, Facets: facets}
		m.Machine = inventory.Machine{ID: inventory.MachineID{Source: source, NativeID: name}, Name: name, Labels: map[string]string{"kind": kind}}
		return m
	}
	users := func(status inventory.Status, id drift.StateID, missing ...string) drift.FacetRecord {
		return drift.FacetRecord{Facet: inventory.Users, Status: status, State: drift.StateRef{ID: id}, Missing: missing, ItemsComplete: true}
	}
	never := machine("never", "host", "config")
	never.LastObserved = time.Time{}
	typo := machine("typo", "host", collector.Typed)
	typo.LastObserved = time.Time{}
	denied := users(inventory.Denied, 0)
	denied.Reason = "no"
	ms := []drift.MachineRecord{
		machine("whole", "host", "config", users(inventory.Complete, 1)),
		machine("no-root", "vm", "config", users(inventory.Partial, 2, "password")),
		machine("other-field", "vm", "config", users(inventory.Partial, 2, "shell")),
		machine("denied", "vm", "config", denied),
		machine("seen-before", "vm", "config", users(inventory.Failed, 3)),
		machine("esx", "hypervisor", "vc"),
		machine("has-none", "vm", "config", users(inventory.Unsupported, 0)),
		never, typo,
	}
	for _, c := range []struct {
		at   time.Time
		want []string
	}{
		{time.Time{}, []string{
			"no-root: password could not be read of all users", "denied: users could not be read: no", "never: its users were never seen",
		}},
		{day.Add(-time.Hour), []string{
			"whole", "no-root", "other-field", "denied", "seen-before", "esx", "has-none", "never",
		}},
	} {
		var got []string
		for _, u := range q.Unknown(ms, c.at) {
			if c.at.IsZero() {
				got = append(got, fmt.Sprintf("%s: %s", u.Machine, u.Why))
			} else {
				got = append(got, u.Machine)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("at %v:\n got %q\nwant %q", c.at, got, c.want)
		}
	}
}
