package guest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A SudoMode says whether the probe may ask sudo for more than its login can read.
type SudoMode string

const (
	SudoAuto  SudoMode = "auto"  // one `sudo -n`; where it is refused, go on without
	SudoNever SudoMode = "never" // read what the login can read
)

// Options say how a guest is probed. The zero value is the default.
type Options struct {
	Sudo      SudoMode         // SudoAuto if empty
	Directory bool             // also ask the directory service (LDAP, SSSD…) for users and groups
	Now       func() time.Time // time.Now if nil
	Memory    *Memory          // shared by collections that run at once; nil sets no bound on them together
}

// A Target is one guest behind a transport. It implements collector.Target.
type Target struct {
	M       inventory.Machine
	Runner  collector.Runner
	Options Options
}

var (
	_ collector.Target   = Target{}
	_ collector.Releaser = Target{}
)

// Machine implements collector.Target.
func (t Target) Machine() inventory.Machine { return t.M }

// Collect implements collector.Target.
func (t Target) Collect(ctx context.Context) (inventory.Snapshot, error) {
	s, err := Collect(ctx, t.Runner, t.Options)
	s.Machine = t.M
	return s, err
}

// Release implements collector.Releaser. It is called once for a snapshot, before its states are dropped.
func (t Target) Release(s inventory.Snapshot) { t.Options.Memory.give(held(s)) }

var errTooMuch = errors.New("too much output")

// Collect runs the probe by r, once, and returns what it learnt. The snapshot
// always has an observation of every guest facet; its Machine is left empty. With
// an error, the facets that were read before it are still observed.
func Collect(ctx context.Context, r collector.Runner, o Options) (inventory.Snapshot, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	snap := inventory.Snapshot{TakenAt: now().UTC(), Probe: ScriptDigest()}
	var random [16]byte
	rand.Read(random[:]) //nolint:errcheck // crypto/rand does not fail
	nonce := hex.EncodeToString(random[:])

	out := buffers.Get().(*bounded)
	out.memory = o.Memory
	defer out.release() // states and errors hold copies
	runErr := r.Run(ctx, Command(), stdin(nonce, o), out)
	f := readFrame(out.buf, nonce)
	snap.Privilege = f.how
	snap.Observations, snap.Identity = observe(f, snap.TakenAt, runErr)
	err := explain(f, out.buf, runErr)
	if !o.Memory.take(held(snap)) {
		for i, o := range snap.Observations {
			snap.Observations[i] = failed(o.Facet, errTooMuch.Error())
		}
		if err == nil {
			err = tooMuch(moreThanItsShare)
		}
	}
	return snap, err
}

func stdin(nonce string, o Options) []byte {
	sudo, directory := SudoAuto, "no"
	if o.Sudo != "" {
		sudo = o.Sudo
	}
	if o.Directory {
		directory = "yes"
	}
	return fmt.Appendf(nil, "%s sudo=%s directory=%s\n%s", nonce, sudo, directory, script)
}

// explain returns the error of a collection: the transport's own, or one that says
// why what came back is no answer. An answer that was cut after a time is an error
// too, although its first facets count.
func explain(f frame, output []byte, runErr error) error {
	var known *collector.Error
	switch {
	case runErr != nil && (errors.As(runErr, &known) || errors.Is(runErr, context.Canceled) || errors.Is(runErr, context.DeadlineExceeded)):
		return runErr
	case f.done:
		return nil
	case runErr != nil:
		return &collector.Error{Outcome: collector.Broken, Err: fmt.Errorf("run probe: %w", runErr)}
	case f.how != "":
		return &collector.Error{
			Outcome: collector.Broken,
			Err:     errors.New("the probe's answer was cut short"),
			Hint:    "scan again; if it stays so, look for a limit on the login's time or output.",
		}
	}
	said := ""
	if text := bytes.TrimSpace(output); len(text) > 0 {
		said = fmt.Sprintf("; it sent %s", quote(text))
	}
	return &collector.Error{
		Outcome: collector.Broken,
		Err:     fmt.Errorf("the machine did not run the probe%s", said),
		Hint:    "the login needs a POSIX shell and the right to run commands.",
	}
}

// quote shows the beginning of what a machine said, safely.
func quote(text []byte) string {
	text, _, _ = bytes.Cut(text, []byte("\n"))
	if len(text) > 120 {
		text = text[:120]
	}
	return `"` + inventory.Escape(string(text)) + `"`
}
