package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/collector"
)

// check holds what vmdrift knows of the simulated machines against what was done to
// them: the changes, and the machines that could not be seen. The machine that the
// demo runs on is left out: what others do there meanwhile is theirs.
func (d *demo) check(ctx context.Context, drift, unseen []string) error {
	text, err := d.ask(ctx, "drift", "list")
	if err != nil {
		return err
	}
	var changes []change
	if err := json.Unmarshal([]byte(text), &changes); err != nil {
		return fmt.Errorf("read what was found: %w", err)
	}
	var have []string
	for _, c := range changes {
		if c.Machine != thisMachine {
			have = append(have, fmt.Sprintf("%s %s %s %s %s", c.Machine, c.Facet, c.Key, c.Op, c.Severity))
		}
	}
	if text, err = d.ask(ctx, "machines", "list"); err != nil {
		return err
	}
	var machines []machineRow
	if err := json.Unmarshal([]byte(text), &machines); err != nil {
		return fmt.Errorf("read the machines: %w", err)
	}
	var gone []string
	for _, m := range machines {
		if m.Machine != thisMachine && m.Outcome != string(collector.OK) {
			gone = append(gone, m.Machine+" "+m.Outcome)
		}
	}
	return errors.Join(differ("drift", drift, have), differ("machine not seen", unseen, gone))
}

// differ says which of two lists, in any order, has what the other has not, or has it more often.
func differ(what string, want, have []string) error {
	var errs []error
	more := slices.Clone(have)
	for _, w := range want {
		if i := slices.Index(more, w); i >= 0 {
			more = slices.Delete(more, i, i+1)
		} else {
			errs = append(errs, fmt.Errorf("expected %s is missing: %s", what, w))
		}
	}
	for _, h := range more {
		errs = append(errs, fmt.Errorf("unexpected %s: %s", what, strings.TrimSpace(h)))
	}
	return errors.Join(errs...)
}
