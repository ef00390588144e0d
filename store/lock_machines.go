package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// LockMachines implements drift.Tx.
func (t *tx) LockMachines(ctx context.Context, ms []inventory.Machine, at time.Time) ([]drift.MachineRecord, error) {
	wanted := make(map[inventory.MachineID]inventory.Machine, len(ms)) // the last one counts
	for _, m := range ms {
		if err := checkMachine(m); err != nil {
			return nil, err
		}
		wanted[m.ID] = m
	}
	ids, err := t.machineIDs(ctx, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, fmt.Errorf("find machines: %w", err)
	}
	if len(ids) < len(wanted) {
		if err := t.createMachines(ctx, wanted, ids, at); err != nil {
			return nil, fmt.Errorf("create machines: %w", err)
		}
	}
	rows := slices.Sorted(maps.Values(ids))
	if err := t.lock(ctx, rows); err != nil {
		return nil, err
	}
	// Only now, when nobody else can change them any more.
	records, err := t.machinesByID(ctx, rows)
	if err != nil {
		return nil, err
	}
	if err := t.bringBack(ctx, records); err != nil {
		return nil, fmt.Errorf("update machines: %w", err)
	}
	if err := t.updateMachines(ctx, records, wanted); err != nil {
		return nil, fmt.Errorf("update machines: %w", err)
	}
	place := make(map[inventory.MachineID]int, len(records))
	for i, r := range records {
		place[r.Machine.ID] = i
	}
	out := make([]drift.MachineRecord, len(ms))
	for i, m := range ms {
		out[i] = records[place[m.ID]]
	}
	return out, nil
}

// machineLocks is the class of the locks on machines, and fleetLock the lock on all of them: "vmdl" and "vmdrlock" in ASCII.
const (
	machineLocks int32 = 0x766d646c
	fleetLock    int64 = 0x766d64726c6f636b
)

// manyMachines is how many machines are locked one by one at most: the server has room for a few thousand locks.
const manyMachines = 250

// lock locks machines until the end of the transaction, in the order of ids, which is the same for all. By advisory locks:
// locking their rows would write as much again as recording that they were seen. Who locks many locks all.
func (t *tx) lock(ctx context.Context, rows []int32) error {
	var err error
	if len(rows) > manyMachines {
		_, err = t.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, fleetLock)
	} else {
		_, err = t.Exec(ctx, `
			SELECT pg_advisory_xact_lock_shared($1), (SELECT count(*) FROM (
			  SELECT pg_advisory_xact_lock($2, u.id) FROM unnest($3::integer[]) AS u (id)
			) held)`, fleetLock, machineLocks, slices.Compact(slices.Sorted(slices.Values(rows))))
	}
	if err != nil {
		return fmt.Errorf("lock machines: %w", err)
	}
	return nil
}

// bringBack makes those machines be there again that are gone, in records too.
func (t *tx) bringBack(ctx context.Context, records []drift.MachineRecord) error {
	var back []int32
	for i, r := range records {
		if !r.GoneAt.IsZero() {
			back = append(back, int32(r.Row))
			records[i].GoneAt = time.Time{}
		}
	}
	if len(back) == 0 {
		return nil
	}
	_, err := t.Exec(ctx, `UPDATE machines SET gone_at = NULL WHERE id = ANY($1::integer[])`, back)
	return err
}

// checkMachine refuses what the database could not hold, with a better sentence.
func checkMachine(m inventory.Machine) error {
	texts := []string{m.ID.Source, m.ID.NativeID, m.Name, m.Address}
	for k, v := range m.Labels {
		texts = append(texts, k, v)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("machine %.80q: %.80q is not text", m.Name, text)
		}
	}
	if m.Name == "" {
		return fmt.Errorf("machine %.80q of %.80q has no name", m.ID.NativeID, m.ID.Source)
	}
	if longest := max(len(m.ID.Source), len(m.ID.NativeID), len(m.Name)); longest > 900 { // leaves room for a suffix
		return fmt.Errorf("machine %.80q: a name of %d bytes is too long", m.Name, longest)
	}
	return nil
}

// machineIDs returns the row ids of those machines that are there.
func (t *tx) machineIDs(ctx context.Context, want []inventory.MachineID) (map[inventory.MachineID]int32, error) {
	sources, natives := make([]string, len(want)), make([]string, len(want))
	for i, id := range want {
		sources[i], natives[i] = id.Source, id.NativeID
	}
	rows, err := t.Query(ctx, `
		SELECT m.id, m.source, m.native_id
		FROM unnest($1::text[], $2::text[]) AS u (source, native_id)
		JOIN machines m ON m.source = u.source AND m.native_id = u.native_id`, sources, natives)
	return machineIDsOf(rows, err)
}

func machineIDsOf(rows pgx.Rows, err error) (map[inventory.MachineID]int32, error) {
	type row struct {
		ID               int32
		Source, NativeID string
	}
	found, err := collect(rows, err, pgx.RowToStructByName[row])
	out := make(map[inventory.MachineID]int32, len(found))
	for _, r := range found {
		out[inventory.MachineID{Source: r.Source, NativeID: r.NativeID}] = r.ID
	}
	return out, err
}

// createMachines creates the machines that ids lacks, and adds them to it. If one can't
// be inserted, another transaction has just created it, or taken its name: look again.
func (t *tx) createMachines(ctx context.Context, wanted map[inventory.MachineID]inventory.Machine, ids map[inventory.MachineID]int32, at time.Time) error {
	for {
		var lack []inventory.Machine
		for id, m := range wanted {
			if _, ok := ids[id]; !ok {
				lack = append(lack, m)
			}
		}
		if len(lack) == 0 {
			return nil
		}
		slices.SortFunc(lack, func(a, b inventory.Machine) int {
			return cmp.Or(cmp.Compare(a.ID.Source, b.ID.Source), cmp.Compare(a.ID.NativeID, b.ID.NativeID))
		})
		names, err := t.freeNames(ctx, lack)
		if err != nil {
			return err
		}
		n := len(lack)
		sources, natives, addresses, labels := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		missing := make([]inventory.MachineID, n)
		for i, m := range lack {
			sources[i], natives[i], addresses[i], labels[i] = m.ID.Source, m.ID.NativeID, m.Address, labelText(m.Labels)
			missing[i] = m.ID
		}
		rows, err := t.Query(ctx, `
			INSERT INTO machines (first_seen, source, native_id, name, address, labels)
			SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
			ON CONFLICT DO NOTHING
			RETURNING id, source, native_id`, stamp(at), sources, natives, names, addresses, labels)
		made, err := machineIDsOf(rows, err)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `INSERT INTO machine_seen (machine_id) SELECT * FROM unnest($1::integer[])`,
			slices.Sorted(maps.Values(made))); err != nil {
			return err
		}
		maps.Copy(ids, made)
		if len(made) < n {
			others, err := t.machineIDs(ctx, missing)
			if err != nil {
				return err
			}
			maps.Copy(ids, others)
		}
	}
}

// updateMachines brings name, address and labels up to date, in records too. Only what
// differs is sent.
func (t *tx) updateMachines(ctx context.Context, records []drift.MachineRecord, wanted map[inventory.MachineID]inventory.Machine) error {
	var renamed []inventory.Machine
	var changed []int
	for i := range records {
		have := &records[i].Machine
		want := wanted[have.ID]
		if !isName(have.Name, want.Name) {
			renamed = append(renamed, want)
		} else if have.Address == want.Address && maps.Equal(have.Labels, want.Labels) {
			continue
		}
		changed = append(changed, i)
		have.Address, have.Labels = want.Address, maps.Clone(want.Labels)
	}
	if len(changed) == 0 {
		return nil
	}
	// Should another transaction take one of these names before we commit, ours begins again.
	names, err := t.freeNames(ctx, renamed)
	if err != nil {
		return err
	}
	newName := make(map[inventory.MachineID]string, len(names))
	for i, m := range renamed {
		newName[m.ID] = names[i]
	}
	n := len(changed)
	ids, texts, addresses, labels := make([]int32, n), make([]string, n), make([]string, n), make([]string, n)
	for j, i := range changed {
		m := &records[i].Machine
		if name, ok := newName[m.ID]; ok {
			m.Name = name
		}
		ids[j], texts[j], addresses[j], labels[j] = int32(records[i].Row), m.Name, m.Address, labelText(m.Labels)
	}
	_, err = t.Exec(ctx, `
		UPDATE machines m SET name = u.name, address = u.address, labels = u.labels
		FROM unnest($1::integer[], $2::text[], $3::text[], $4::jsonb[]) AS u (id, name, address, labels)
		WHERE m.id = u.id`, ids, texts, addresses, labels)
	return err
}

func labelText(labels map[string]string) string {
	if len(labels) == 0 {
		return "{}"
	}
	b, err := json.Marshal(labels) // a map of strings can't fail
	if err != nil {
		panic(err)
	}
	return string(b)
}
