package guest

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// Limits on what a machine may answer.
const (
	MaxOutput = 64 << 20 // bytes in all
	MaxLine   = 1 << 20  // bytes of one line
)

// freeOutput is what an answer may hold without asking Memory: many times what a machine sends.
const freeOutput = 2 << 20

// A Memory bounds what many collections hold at once beyond 2 MiB each, so that a
// fleet of flooding machines fails machine by machine and not with the process.
// It is safe for concurrent use.
type Memory struct{ left atomic.Int64 }

// NewMemory returns a Memory of that many bytes.
func NewMemory(bytes int64) *Memory {
	m := new(Memory)
	m.left.Store(bytes)
	return m
}

func (m *Memory) take(n int) bool {
	if m == nil || m.left.Add(-int64(n)) >= 0 {
		return true
	}
	m.give(n)
	return false
}

func (m *Memory) give(n int) {
	if m != nil {
		m.left.Add(int64(n))
	}
}

// held is what a snapshot's states count against a Memory: what they take up beyond what
// every machine may. Who drops them gives it back: see Target.Release.
func held(s inventory.Snapshot) int {
	n := 0
	for _, o := range s.Observations {
		if o.State != nil {
			n += len(o.State.Text()) + 32*o.State.Len()
		}
	}
	return max(0, n-freeOutput)
}

// A bounded buffer keeps what a machine sends, up to the limits. Its error ends the command.
type bounded struct {
	buf    []byte
	line   int // length of the line that is being written
	memory *Memory
	taken  int // of memory
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.buf)+len(p) > MaxOutput {
		return 0, tooMuch(fmt.Sprintf("the machine sent more than %d MiB", MaxOutput>>20))
	}
	if len(b.buf)+len(p) > freeOutput {
		if !b.memory.take(len(p)) {
			return 0, tooMuch(moreThanItsShare)
		}
		b.taken += len(p)
	}
	for rest := p; len(rest) > 0; {
		part := rest[:min(len(rest), MaxLine)] // no line that begins and ends in it is too long
		rest = rest[len(part):]
		if i := bytes.IndexByte(part, '\n'); i < 0 {
			b.line += len(part)
		} else if b.line += i; b.line <= MaxLine {
			b.line = len(part) - 1 - bytes.LastIndexByte(part, '\n')
		}
		if b.line > MaxLine {
			return 0, tooMuch(fmt.Sprintf("the machine sent a line of more than %d MiB", MaxLine>>20))
		}
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// buffers are used again: growing one to the size of an answer makes three times
// that in garbage, the most of all that collecting a machine does.
var buffers = sync.Pool{New: func() any { return &bounded{buf: make([]byte, 0, 128<<10)} }}

// release gives buffer and memory back. Nothing may refer to what was in it.
func (b *bounded) release() {
	b.memory.give(b.taken)
	if cap(b.buf) <= 1<<20 { // a flood is not kept
		*b = bounded{buf: b.buf[:0]}
		buffers.Put(b)
	}
}

const moreThanItsShare = "the machines that answer at once sent too much together, this one more than its share"

func tooMuch(what string) error {
	return &collector.Error{
		Outcome: collector.Broken,
		Err:     fmt.Errorf("%s: %w", what, errTooMuch),
		Hint:    "look at what its shell start-up files print, and at the size of its databases.",
	}
}
