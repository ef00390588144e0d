package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/collector"
)

// flood is a machine that sends lines until it is stopped.
type flood struct{ sent int }

func (f *flood) Run(_ context.Context, _ string, _ []byte, out io.Writer) error {
	block := bytes.Repeat([]byte("the same line again and again\n"), 1000)
	for {
		n, err := out.Write(block)
		f.sent += n
		if err != nil {
			return err
		}
	}
}

func TestManyFloodingMachinesShareTheirMemoryAndGiveItBack(t *testing.T) {
	m := NewMemory(3 << 20)
	var e *collector.Error
	f := new(flood)
	if _, err := Collect(t.Context(), f, Options{Memory: m}); !errors.As(err, &e) || e.Outcome != collector.Broken {
		t.Fatalf("a flood: %v", err)
	}
	if limit := 5 << 20; f.sent > limit || f.sent < limit-1<<20 {
		t.Errorf("%d bytes were taken in, want about %d", f.sent, limit)
	}
	if left := m.left.Load(); left != 3<<20 {
		t.Errorf("%d bytes are left after it, want all of %d", left, 3<<20)
	}
	alone := new(flood)
	if _, err := Collect(t.Context(), alone, Options{}); err == nil || alone.sent > MaxOutput {
		t.Errorf("without a shared bound: %v after %d bytes", err, alone.sent)
	}
}

func TestWhatASnapshotHoldsIsTakenUntilItIsReleased(t *testing.T) {
	var users strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&users, "u%d:X:1:1:/home/of/somebody:/bin/sh\n", i)
	}
	answer := strings.Replace(leaning, "alice:X:1000:1000:/home/alice:/bin/sh\n", users.String(), 1)
	const room = 8 << 20
	target := Target{Runner: canned{answer: answer}, Options: Options{Memory: NewMemory(room)}}
	snap, err := target.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left := target.Options.Memory.left.Load(); left != room-int64(held(snap)) || held(snap) < 4<<20 {
		t.Errorf("%d bytes are left of %d while %d are held", left, room, held(snap))
	}
	var e *collector.Error
	again, err := target.Collect(t.Context()) // while the first is held
	if !errors.As(err, &e) || e.Outcome != collector.Broken || held(again) != 0 {
		t.Errorf("a second one: %v, %d bytes held", err, held(again))
	}
	checkSnapshot(t, again)
	target.Release(snap)
	target.Release(again)
	if left := target.Options.Memory.left.Load(); left != room {
		t.Errorf("%d bytes are left after all, want %d", left, room)
	}
}
