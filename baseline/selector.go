package baseline

import (
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
)

// A Selector selects machines by their labels, in Kubernetes' form: role=web,env!=dev,zone in (a,b). The zero
// Selector selects every machine.
type Selector struct{ sel labels.Selector }

// ParseSelector reads a selector. The empty text selects every machine; text that only looks empty is an error.
func ParseSelector(text string) (Selector, error) {
	sel, err := parseSelector(text)
	if err == nil && text != "" && sel.Empty() {
		err = fmt.Errorf("%.80q is not a label selector: leave it out to select every machine", text)
	}
	return Selector{sel}, err
}

// Selects reports whether a machine with those labels is selected.
func (s Selector) Selects(machine map[string]string) bool {
	return s.sel == nil || s.sel.Matches(labels.Set(machine))
}
