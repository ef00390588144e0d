package drift

import (
	"context"
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

// Acknowledge says of a drift on those machines that somebody sees to it, or,
// with a word of nobody, that nobody does any more. What is resolved meanwhile stays resolved. It returns on how
// many machines something changed.
func (s *Service) Acknowledge(ctx context.Context, change ChangeID, machines []MachineRow, a Acknowledgement) (int, error) {
	a.By, a.Note, a.At = inventory.Escape(a.By), inventory.Escape(a.Note), s.now()
	var n int
	err := s.store.InTx(ctx, func(tx Tx) (err error) {
		n, err = tx.Acknowledge(ctx, change, machines, a)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("acknowledge: %w", err)
	}
	return n, nil
}
