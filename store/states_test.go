package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func putStates(t testing.TB, s *store.Store, states ...drift.NewState) map[inventory.Digest]drift.StateID {
	t.Helper()
	var ids map[inventory.Digest]drift.StateID
	must(t, s.InTx(context.Background(), func(tx drift.Tx) (err error) {
		ids, err = tx.PutStates(context.Background(), states)
		return err
	}))
	return ids
}

// readAgain reads a state with another store, which remembers nothing.
func readAgain(t testing.TB, url string, id drift.StateID) *inventory.State {
	t.Helper()
	s, err := store.Open(context.Background(), url, store.Options{})
	must(t, err)
	defer s.Close()
	states, err := s.States(context.Background(), []drift.StateID{id})
	must(t, err)
	return states[id]
}

func TestAnySetOfStatesReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	writer := testdb.Open(t, url)
	text := rapid.Custom(func(t *rapid.T) string {
		return inventory.Escape(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c]{0,3}`), rapid.Just(`'";--\{},NULL`)).Draw(t, "text"))
	})
	state := rapid.Custom(func(t *rapid.T) *inventory.State {
		// Few facets, keys and values, so that states are near to one another.
		f := rapid.SampledFrom([]inventory.Facet{inventory.Packages, inventory.Users, "cloud"}).Draw(t, "facet")
		keys := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringMatching(`[a-d][0-9]`), text), 0, 40, rapid.ID).Draw(t, "keys")
		var items []inventory.Item
		for _, k := range keys {
			if k == "" {
				continue
			}
			var fields []inventory.Field
			for _, name := range []string{"a", "b"} {
				if rapid.Bool().Draw(t, "has "+name) {
					fields = append(fields, inventory.Field{Name: name, Value: text.Draw(t, name)})
				}
			}
			it, err := inventory.NewItem(k, fields...)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, it)
		}
		s, err := inventory.NewState(f, items...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	var stored []drift.StateID // by earlier rounds, of any facet
	rapid.Check(t, func(rt *rapid.T) {
		states := rapid.SliceOfN(state, 1, 6).Draw(rt, "states")
		var put []drift.NewState
		for _, st := range states {
			n := drift.NewState{State: st}
			if len(stored) > 0 && rapid.Bool().Draw(rt, "near") {
				n.Near = rapid.SampledFrom(stored).Draw(rt, "which")
			}
			put = append(put, n)
		}
		ids := putStates(t, writer, put...)
		reader, err := store.Open(context.Background(), url, store.Options{})
		must(t, err)
		defer reader.Close()
		for _, s := range []*store.Store{writer, reader} {
			for _, st := range states {
				id := ids[st.Digest()]
				got, err := s.States(context.Background(), []drift.StateID{id})
				if err != nil {
					rt.Fatal(err)
				}
				if got[id].Text() != st.Text() || got[id].Facet() != st.Facet() {
					rt.Fatalf("state %d reads %q, was written %q", id, got[id].Text(), st.Text())
				}
				stored = append(stored, id)
			}
		}
	})
}

func TestAStateNearToAnotherIsStoredAsWhatDiffers(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	golden := packages(t, 100, nil)
	first := putStates(t, s, drift.NewState{State: golden})[golden.Digest()]
	second := packages(t, 100, map[int]string{7: "2"})
	id2 := putStates(t, s, drift.NewState{State: second, Near: first})[second.Digest()]
	// Near to a delta: the delta's own base serves, for reading stays one step.
	third := packages(t, 100, map[int]string{7: "2", 8: ""})
	id3 := putStates(t, testdb.Open(t, url), drift.NewState{State: third, Near: id2})[third.Digest()]
	// Nothing like it.
	other := stateOf(t, inventory.Packages, item(t, "rpm/zsh", "version", "5"), item(t, "rpm/bash", "version", "5"))
	id4 := putStates(t, s, drift.NewState{State: other, Near: first})[other.Digest()]

	conn := testdb.Conn(t, url)
	for _, c := range []struct {
		id             drift.StateID
		base           drift.StateID
		added, removed int
	}{{first, 0, 100, 0}, {id2, first, 1, 1}, {id3, first, 1, 2}, {id4, 0, 2, 0}} {
		var base, added, removed int
		must(t, conn.QueryRow(t.Context(), `
			SELECT coalesce(base_id, 0), cardinality(added), coalesce(cardinality(removed), 0) FROM states WHERE id = $1`, c.id).Scan(&base, &added, &removed))
		if drift.StateID(base) != c.base || added != c.added || removed != c.removed {
			t.Errorf("state %d: base %d, %d more, %d less; want %+v", c.id, base, added, removed, c)
		}
	}
	if got := readAgain(t, url, id3); got.Text() != third.Text() {
		t.Error("a delta reads otherwise than it was written")
	}
}

func TestMachinesOfOneImageShareTheirItemsWithoutAHint(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	var put []drift.NewState
	for i := range 50 {
		put = append(put, drift.NewState{State: packages(t, 100, map[int]string{i: "2"})})
	}
	putStates(t, s, put...)
	var whole, items int
	must(t, testdb.Conn(t, url).QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM states WHERE base_id IS NULL), (SELECT count(*) FROM items)`).Scan(&whole, &items))
	if whole != 1 || items != 150 {
		t.Errorf("%d states are whole and there are %d items", whole, items)
	}
}

func TestAnEmptyStateIsAStateToo(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	empty := stateOf(t, inventory.Ports)
	id := putStates(t, testdb.Open(t, url), drift.NewState{State: empty})[empty.Digest()]
	if got := readAgain(t, url, id); got.Len() != 0 || got.Digest() != empty.Digest() {
		t.Errorf("got %q", got.Text())
	}
}

func TestHostileContentComesBackAsItWas(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	long := strings.Repeat("x", 60<<10)
	st := stateOf(t, inventory.Users,
		item(t, inventory.Escape("nul\x00\xff\x1b[31m"), "home", inventory.Escape("'; DROP TABLE items; --")),
		item(t, `{"a",NULL}`, "home", inventory.Escape("täb\tnew\nline\u202e")),
		item(t, long, "home", long),
		item(t, long+"y", "home", long),
		item(t, "日本語", "home", "🦆"),
	)
	id := putStates(t, testdb.Open(t, url), drift.NewState{State: st})[st.Digest()]
	if got := readAgain(t, url, id); got.Text() != st.Text() {
		t.Error("it reads otherwise than it was written")
	}
}

func TestDamageIsFoundOut(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	st := packages(t, 10, nil)
	id := putStates(t, testdb.Open(t, url), drift.NewState{State: st})[st.Digest()]
	conn := testdb.Conn(t, url)
	if _, err := conn.Exec(t.Context(), `UPDATE items SET fields = 'version=9' WHERE key = 'deb/p003:amd64'`); err == nil {
		t.Error("an item could be changed")
	}
	_, err := conn.Exec(t.Context(), `ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET fields = 'version=9' WHERE key = 'deb/p003:amd64'`)
	must(t, err)
	if _, err := testdb.Open(t, url).States(t.Context(), []drift.StateID{id}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestAStateThatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	if _, err := testdb.Store(t).States(t.Context(), []drift.StateID{42}); !errors.Is(err, drift.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestManyWritersOfTheSameStatesStoreThemOnce(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	shared := testdb.Open(t, url)
	golden := packages(t, 60, nil)
	var variants []*inventory.State
	for i := range 40 {
		variants = append(variants, packages(t, 60, map[int]string{i: fmt.Sprint(i), (i * 7) % 60: "x"}))
	}
	results := make([]map[inventory.Digest]drift.StateID, 8)
	var wg sync.WaitGroup
	for w := range results {
		wg.Go(func() {
			s := shared
			if w%2 == 1 { // half of them as other processes
				s = testdb.Open(t, url)
			}
			results[w] = map[inventory.Digest]drift.StateID{}
			for i := range variants {
				// Each begins elsewhere, and every other goes backwards.
				at := (i + 5*w) % len(variants)
				if w%4 < 2 {
					at = len(variants) - 1 - at
				}
				err := s.InTx(context.Background(), func(tx drift.Tx) error {
					ids, err := tx.PutStates(context.Background(), []drift.NewState{{State: variants[at]}, {State: golden}})
					for d, id := range ids {
						results[w][d] = id
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for w := range results {
		for d, id := range results[0] {
			if results[w][d] != id {
				t.Fatalf("two ids for one state: %d and %d", id, results[w][d])
			}
		}
	}
	reader := testdb.Open(t, url)
	for _, v := range variants {
		id := results[0][v.Digest()]
		got, err := reader.States(t.Context(), []drift.StateID{id})
		must(t, err)
		if got[id].Text() != v.Text() {
			t.Fatal("it reads otherwise than it was written")
		}
	}
	var deep int
	must(t, testdb.Conn(t, url).QueryRow(t.Context(), `
		SELECT count(*) FROM states s JOIN states b ON b.id = s.base_id WHERE b.base_id IS NOT NULL`).Scan(&deep))
	if deep > 0 {
		t.Errorf("%d states are deltas to deltas", deep)
	}
}
