package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/testdb"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmdrift/vmdrift/store"
)

func revision(t testing.TB, name string, number int, golden ...*inventory.State) drift.Revision {
	t.Helper()
	high, ignore := baseline.High, true
	spec := baseline.Spec{Name: name, Selector: "role in (web,app)", Defaults: "v1", Facets: map[inventory.Facet]baseline.FacetSpec{}}
	for _, g := range golden {
		spec.Facets[g.Facet()] = baseline.FacetSpec{Mode: baseline.Closed, Items: g, Rules: []baseline.Rule{
			{Match: `deb/"linux*`, Field: "version", AtLeast: "6.1", Severity: &high}, {Where: map[string]string{"state": "x"}, Ignore: &ignore},
		}}
	}
	return drift.Revision{
		Baseline: name, Number: number, Author: "ada", Reason: "the new image", At: night(number), Digest: spec.Digest(), Spec: spec,
	}
}

func putRevision(s *store.Store, r drift.Revision) (drift.Revision, error) {
	var out drift.Revision
	err := s.InTx(context.Background(), func(tx drift.Tx) (err error) {
		out, err = tx.PutRevision(context.Background(), r)
		return err
	})
	return out, err
}

func TestARevisionReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	s := testdb.Open(t, url)
	want := revision(t, "web", 1, packages(t, 50, nil), stateOf(t, inventory.Ports))
	got, err := putRevision(s, want)
	must(t, err)
	if got.ID == 0 || len(got.States) != 2 {
		t.Fatalf("got %+v", got)
	}
	list, err := testdb.Open(t, url).Baselines(t.Context())
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("there are %d", len(list))
	}
	sameText := cmp.Comparer(func(a, b *inventory.State) bool { return a.Text() == b.Text() && a.Digest() == b.Digest() })
	if d := cmp.Diff(got, list[0], sameText); d != "" {
		t.Error(d)
	}
	if list[0].Spec.Digest() != list[0].Digest {
		t.Error("the content has another digest than it was written with")
	}
}

func TestRevisionsFollowOneAnother(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	put := func(n int, st *inventory.State) error {
		_, err := putRevision(s, revision(t, "web", n, st))
		return err
	}
	one, two := packages(t, 50, nil), packages(t, 50, map[int]string{1: "2"})
	if err := put(2, one); !errors.Is(err, drift.ErrConflict) {
		t.Errorf("a second without a first: %v", err)
	}
	must(t, put(1, one))
	if err := put(1, one); !errors.Is(err, drift.ErrExists) {
		t.Errorf("a first again: %v", err)
	}
	must(t, put(2, two))
	for _, n := range []int{2, 4} {
		if err := put(n, one); !errors.Is(err, drift.ErrConflict) {
			t.Errorf("%d after 2: %v", n, err)
		}
	}
	must(t, put(3, one)) // undone
	_, err := putRevision(s, revision(t, "app", 1))
	must(t, err)

	all, err := s.Revisions(t.Context(), "web")
	must(t, err)
	if len(all) != 3 || all[0].Number != 3 || all[2].Number != 1 || all[0].Digest != all[2].Digest || all[0].Digest == all[1].Digest {
		t.Errorf("got %+v", all)
	}
	latest, err := s.Baselines(t.Context())
	must(t, err)
	if len(latest) != 2 || latest[0].Baseline != "app" || latest[1].Number != 3 {
		t.Errorf("got %+v", latest)
	}
	if _, err := s.Revisions(t.Context(), "none"); !errors.Is(err, drift.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestOfManyWhoWriteTheNextRevisionOneWins(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	for number, wantErr := range map[int]error{1: drift.ErrExists, 2: drift.ErrConflict} {
		name := map[int]string{1: "new", 2: "old"}[number]
		if number == 2 {
			_, err := putRevision(s, revision(t, name, 1))
			must(t, err)
		}
		var mu sync.Mutex
		won := 0
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				_, err := putRevision(s, revision(t, name, number, packages(t, 20, nil)))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, wantErr) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("revision %d was written %d times", number, won)
		}
	}
}

func TestARevisionIsNeverChanged(t *testing.T) {
	t.Parallel()
	url := testdb.New(t)
	_, err := putRevision(testdb.Open(t, url), revision(t, "web", 1, packages(t, 5, nil)))
	must(t, err)
	conn := testdb.Conn(t, url)
	for _, sql := range []string{
		"UPDATE baseline_revisions SET reason = 'other'", "DELETE FROM baseline_revisions", "DELETE FROM revision_states", "TRUNCATE baselines CASCADE",
		"DELETE FROM states", "UPDATE state_history SET from_at = now()", "UPDATE changes SET key = 'x'",
	} {
		if _, err := conn.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s was allowed", sql)
		}
	}
}

func TestTheComparedRevisionIsKnownOfTheMachine(t *testing.T) {
	t.Parallel()
	s := testdb.Store(t)
	rev, err := putRevision(s, revision(t, "web", 1))
	must(t, err)
	m := observe(t, s, startRun(t, s, night(0)), machine("a")).Row
	for _, id := range []drift.RevisionID{rev.ID, rev.ID, 0} {
		inTx(t, s, func(tx drift.Tx) {
			must(t, tx.SetCompared(t.Context(), []drift.MachineRow{m}, id))
			if id != 0 {
				must(t, tx.PutFindings(t.Context(), []drift.Finding{opened(m, change("deb/x"), 0)}))
			}
		})
		got, err := s.Machine(t.Context(), "a")
		must(t, err)
		if got.Compared != id {
			t.Errorf("compared with %d, want %d", got.Compared, id)
		}
		f := findingsOf(t, s, drift.FindingQuery{})[0]
		if id != 0 && (f.Baseline != "web" || f.Revision != 1) || id == 0 && f.Baseline != "" {
			t.Errorf("got %+v", f)
		}
	}
}
