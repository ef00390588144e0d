package baseline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// ErrNoMatch is returned by Select if no baseline selects the machine.
var ErrNoMatch = errors.New("no baseline selects the machine")

// A TieError is returned by Select if two or more baselines select a machine
// equally well. Which of them applies must not be a matter of luck.
type TieError struct {
	Names []string // sorted
}

func (e *TieError) Error() string {
	return fmt.Sprintf("baselines %s select the machine equally well: make one selector more specific",
		strings.Join(e.Names[:len(e.Names)-1], ", ")+" and "+e.Names[len(e.Names)-1])
}

// Selects reports whether the baseline's selector selects a machine with those labels.
func (g *Golden) Selects(machine map[string]string) bool {
	return g.selector.Matches(labels.Set(machine))
}

// Requirements returns how many requirements the selector has: role=web,env!=dev has two.
func (g *Golden) Requirements() int {
	r, _ := g.selector.Requirements()
	return len(r)
}

// Select returns the baseline that applies to a machine with those labels: of those
// that select it, the one whose selector has the most requirements. It returns
// ErrNoMatch if none does, and a *TieError if several do equally well.
func Select(baselines []*Golden, machine map[string]string) (*Golden, error) {
	var best []*Golden
	for _, g := range baselines {
		if !g.Selects(machine) {
			continue
		}
		if len(best) > 0 && g.Requirements() > best[0].Requirements() {
			best = best[:0]
		}
		if len(best) == 0 || g.Requirements() == best[0].Requirements() {
			best = append(best, g)
		}
	}
	switch len(best) {
	case 0:
		return nil, ErrNoMatch
	case 1:
		return best[0], nil
	}
	tie := &TieError{}
	for _, g := range best {
		tie.Names = append(tie.Names, g.Name())
	}
	slices.Sort(tie.Names)
	return nil, tie
}
