package main

import (
	"context"
	"fmt"
	"io"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// link tells svc who answered where, and returns which machines were found to be one.
func (r *reach) link(ctx context.Context, svc *drift.Service, s *scanReport) ([]drift.Link, error) {
	answers := make(map[inventory.MachineID]collector.Result, len(s.machines))
	for _, m := range s.machines {
		answers[m.result.Machine.ID] = m.result
	}
	s.listedAs = make(map[inventory.MachineID]string, len(r.sightings))
	for i, seen := range r.sightings {
		s.listedAs[seen.ID] = seen.Joined().Machine.Name
		a := answers[seen.ID]
		r.sightings[i].Guest = a.Snapshot.Identity
		r.sightings[i].Stranger = a.Outcome == collector.WrongMachine
	}
	return svc.Link(ctx, r.sightings)
}

// mostLinks is how many pairs of names for one machine are worth a line each.
const mostLinks = 10

// writeLinks says which machines will be shown as one from the next scan on.
func (a *app) writeLinks(w io.Writer, s *scanReport) {
	for i, l := range s.links {
		if i == mostLinks {
			fmt.Fprintf(w, "… and %d more pairs that are one machine\n", len(s.links)-i)
			break
		}
		fmt.Fprintf(w, "%s and %s are one machine, and will be shown as one: %s\n",
			s.told(l.From), s.told(l.Into), a.style.bold(either(l.Name, s.listedAs[l.Into])))
	}
}

// told names a machine so that it can be told from the one that has the same name elsewhere.
func (s *scanReport) told(id inventory.MachineID) string {
	return inventory.Escape(s.listedAs[id] + " (of " + id.Source + ")")
}
