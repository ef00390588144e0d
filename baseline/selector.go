package baseline

import "k8s.io/apimachinery/pkg/labels"

// A Selector selects machines by their labels, in Kubernetes' form: role=web,env!=dev,zone in (a,b).
type Selector struct{ labels.Selector }

// ParseSelector reads a selector. The empty text selects every machine.
func ParseSelector(text string) (Selector, error) {
	s, err := labels.Parse(text)
	return Selector{s}, err
}

// Selects reports whether a machine with those labels is selected.
func (s Selector) Selects(machine map[string]string) bool { return s.Matches(labels.Set(machine)) }
