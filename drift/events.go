package drift

import "context"

// A Happening is what befell a drift at one time: the same event on one or more machines.
type Happening struct {
	FindingEvent          // of the first machine
	Machines     []string // names, in order
}

// Happenings returns what befell a drift, newest first; of one with a very long history the newest ten thousand events.
func (s *Service) Happenings(ctx context.Context, change ChangeID) ([]Happening, error) {
	events, err := s.store.Events(ctx, change, nil)
	if err != nil {
		return nil, err
	}
	var out []Happening
	for _, e := range events {
		if n := len(out); n > 0 && out[n-1].At.Equal(e.At) && out[n-1].Kind == e.Kind && out[n-1].Run == e.Run && out[n-1].By == e.By && out[n-1].Note == e.Note {
			out[n-1].Machines = append(out[n-1].Machines, e.Machine)
			continue
		}
		out = append(out, Happening{e, []string{e.Machine}})
	}
	return out, nil
}
