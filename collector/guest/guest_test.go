package guest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

const capturedNonce = "0123456789abcdef0123456789abcdef"

func capture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A canned machine answers with a text, in which NONCE stands for the nonce.
type canned struct {
	answer string
	err    error
}

func (c canned) Run(_ context.Context, _ string, stdin []byte, stdout io.Writer) error {
	nonce, _, _ := bytes.Cut(stdin, []byte(" "))
	if _, err := io.WriteString(stdout, strings.ReplaceAll(c.answer, "NONCE", string(nonce))); err != nil {
		return err
	}
	return c.err
}

func answerOf(t testing.TB, name string) string {
	return strings.ReplaceAll(string(capture(t, name)), capturedNonce, "NONCE")
}

func collect(t testing.TB, r collector.Runner) (inventory.Snapshot, error) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }
	s, err := Collect(context.Background(), r, Options{Now: now})
	checkSnapshot(t, s)
	return s, err
}

// checkSnapshot holds what is promised of every snapshot, whatever the machine sent.
func checkSnapshot(t testing.TB, s inventory.Snapshot) {
	t.Helper()
	if len(s.Observations) != len(inventory.GuestFacets()) {
		t.Fatalf("%d observations", len(s.Observations))
	}
	for i, f := range inventory.GuestFacets() {
		o := s.Observations[i]
		if o.Facet != f {
			t.Fatalf("observation %d is of %s, want %s", i, o.Facet, f)
		}
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
		if o.Status != inventory.Complete && o.Reason == "" {
			t.Errorf("%s is %s without a reason", f, o.Status)
		}
		if o.State == nil {
			continue
		}
		again, err := inventory.ParseState(f, o.State.Text())
		if err != nil {
			t.Errorf("%s: the state is not canonical: %v", f, err)
		} else if again.Digest() != o.State.Digest() {
			t.Errorf("%s: the state has another digest when it is read again", f)
		}
		for _, it := range o.State.Items() {
			for field := range it.Fields() {
				if !f.HasField(field.Name) {
					t.Errorf("%s: item %s has the field %s", f, it.Key(), field.Name)
				}
			}
		}
	}
}

func states(s inventory.Snapshot) string {
	var out strings.Builder
	for _, o := range s.Observations {
		fmt.Fprintf(&out, "== %s %s %v %q\n", o.Facet, o.Status, o.Missing, o.Reason)
		if o.State != nil {
			out.WriteString(o.State.Text())
		}
	}
	return out.String()
}

func observation(t testing.TB, s inventory.Snapshot, f inventory.Facet) inventory.Observation {
	t.Helper()
	o, ok := s.Observation(f)
	if !ok {
		t.Fatalf("there is no observation of %s", f)
	}
	return o
}

func TestGoldenDebian(t *testing.T) {
	s, err := collect(t, canned{answer: answerOf(t, "debian12.answer")})
	if err != nil {
		t.Fatal(err)
	}
	if s.Privilege != "root" || s.Probe != ScriptDigest() {
		t.Errorf("privilege %q, probe %q", s.Privilege, s.Probe)
	}
	got := states(s)
	if *update {
		if err := os.WriteFile("testdata/debian12.states", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(capture(t, "debian12.states")); got != want {
		t.Errorf("the states are not those of testdata/debian12.states:\n%s", firstDifference(got, want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func TestWithoutRootFieldsAreMissingAndItemsAreNot(t *testing.T) {
	s, err := collect(t, canned{answer: answerOf(t, "debian12-user.answer")})
	if err != nil || s.Privilege != "user" {
		t.Fatalf("privilege %q, error %v", s.Privilege, err)
	}
	for facet, field := range map[inventory.Facet]string{inventory.Ports: "process", inventory.Users: "password"} {
		o := observation(t, s, facet)
		if o.Status != inventory.Partial || !o.ItemsComplete || len(o.Missing) != 1 || o.Missing[0] != field {
			t.Errorf("%s is %s, missing %v, items complete %v", facet, o.Status, o.Missing, o.ItemsComplete)
		}
		for _, it := range o.State.Items() {
			if v, ok := it.Field(field); ok {
				t.Errorf("%s: %s of %s is said to be %q", facet, field, it.Key(), v)
			}
		}
		if !strings.Contains(o.Reason, "sudo refused") || !strings.Contains(Advice(o), "vmdrift probe") {
			t.Errorf("%s: reason %q, advice %q", facet, o.Reason, Advice(o))
		}
	}
	for _, facet := range []inventory.Facet{inventory.OS, inventory.Packages, inventory.Groups} {
		if o := observation(t, s, facet); o.Status != inventory.Complete {
			t.Errorf("%s is %s: %s", facet, o.Status, o.Reason)
		}
	}
}

func TestEveryCutLeavesWhatCameBeforeAndFailsTheRest(t *testing.T) {
	whole := answerOf(t, "debian12.answer")
	full, err := collect(t, canned{answer: whole})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[inventory.Facet]inventory.Digest)
	for _, o := range full.Observations {
		want[o.Facet] = o.State.Digest()
	}
	for cut := 0; cut < len(whole)-len("NONCE done\n"); cut += 997 {
		s, err := collect(t, canned{answer: whole[:cut]})
		if collector.OutcomeOf(err) != collector.Broken {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, o := range s.Observations {
			if o.Status.Observed() && o.State.Digest() != want[o.Facet] && o.Facet != inventory.Ports {
				t.Fatalf("cut at %d: %s is %s with another state", cut, o.Facet, o.Status)
			}
			if o.Facet == inventory.Ports && o.State != nil && o.State.Len() != 2 {
				t.Fatalf("cut at %d: %d ports", cut, o.State.Len())
			}
		}
	}
}

func TestNoiseAroundTheAnswerChangesNothing(t *testing.T) {
	whole := answerOf(t, "debian12.answer")
	full, err := collect(t, canned{answer: whole})
	if err != nil {
		t.Fatal(err)
	}
	for name, noisy := range map[string]string{
		"a banner":               "Welcome!\r\n\x1b[2J" + whole,
		"a banner without end":   "Welcome" + whole,
		"a terminal":             strings.ReplaceAll(whole, "\n", "\r\n"),
		"a farewell":             whole + "bye\n",
		"marks of another nonce": "\nffff hello 1 root\n\nffff begin os\n" + whole,
		"between the sections":   strings.ReplaceAll(whole, "\nNONCE begin", "\nnoise\x00\xff\n\nNONCE begin"),
	} {
		s, err := collect(t, canned{answer: noisy})
		if err != nil || states(s) != states(full) {
			t.Errorf("%s: %v %s", name, err, firstDifference(states(s), states(full)))
		}
	}
}

func TestForgedMarksNeverMakeAFacetCompleteWrongly(t *testing.T) {
	whole := answerOf(t, "debian12.answer")
	for name, forged := range map[string]string{
		"the list of packages twice": strings.Replace(whole, "\nNONCE begin ss", "\nNONCE begin dpkg.status\nPackage: evil\nStatus: install ok installed\n\n\nNONCE end dpkg.status 0\n\nNONCE begin ss", 1),
		"an end within":              strings.Replace(whole, "Package: bash\n", "\nNONCE end dpkg.status 0\nPackage: bash\n", 1),
		"a begin within":             strings.Replace(whole, "Package: bash\n", "\nNONCE begin dpkg.status\nPackage: bash\n", 1),
		"no end":                     strings.Replace(whole, "\nNONCE end dpkg.status 0\n", "", 1),
		"another status":             strings.Replace(whole, "\nNONCE end dpkg.status 0\n", "\nNONCE end dpkg.status -\n", 1),
		"two probes":                 whole + whole,
	} {
		if forged == whole {
			t.Fatalf("%s: the capture has no such place", name)
		}
		s, _ := collect(t, canned{answer: forged})
		if o := observation(t, s, inventory.Packages); o.Status != inventory.Failed {
			t.Errorf("%s: packages are %s", name, o.Status)
		}
	}
}

func TestWhatIsNoAnswerIsAnErrorThatSaysSo(t *testing.T) {
	plain := errors.New("exit status 127")
	timeout := &collector.Error{Outcome: collector.TimedOut, Err: errors.New("no answer in time")}
	for name, c := range map[string]struct {
		runner  canned
		outcome collector.Outcome
		says    string
	}{
		"nothing":           {canned{}, collector.Broken, "did not run the probe"},
		"another program":   {canned{answer: "This account is not available.\n"}, collector.Broken, "This account is not available."},
		"an escape":         {canned{answer: "\x1b]0;x\a"}, collector.Broken, `\x1b]0;x\x07`},
		"a failed exec":     {canned{err: plain}, collector.Broken, "exit status 127"},
		"a time limit":      {canned{answer: "\nNONCE hello 1 root\n", err: timeout}, collector.TimedOut, "no answer in time"},
		"a cancelled scan":  {canned{err: context.Canceled}, collector.Cancelled, "canceled"},
		"hello and no more": {canned{answer: "\nNONCE hello 1 root\n"}, collector.Broken, "cut short"},
		"a flood":           {canned{answer: strings.Repeat("y\n", MaxOutput)}, collector.Broken, "more than 64 MiB"},
		"a line of 100 MB":  {canned{answer: strings.Repeat("y", 100_000_000)}, collector.Broken, "more than 64 MiB"},
		"a line of 2 MB":    {canned{answer: strings.Repeat("y", 2_000_000)}, collector.Broken, "a line of more than 1 MiB"},
	} {
		s, err := collect(t, c.runner)
		if collector.OutcomeOf(err) != c.outcome || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %q: %v", name, collector.OutcomeOf(err), err)
		}
		for _, o := range s.Observations {
			if o.Status != inventory.Failed {
				t.Errorf("%s: %s is %s", name, o.Facet, o.Status)
			}
		}
	}
}

func TestTooManyItemsFailTheirFacetAlone(t *testing.T) {
	var many strings.Builder
	for i := range inventory.MaxItems + 1 {
		fmt.Fprintf(&many, "u%d:X:%d:%d:/:/\n", i, i, i)
	}
	answer := strings.Replace(answerOf(t, "debian12.answer"), "\nroot:X:0:0:", "\n"+many.String()+"root:X:0:0:", 1)
	s, err := collect(t, canned{answer: answer})
	if err != nil {
		t.Fatal(err)
	}
	if o := observation(t, s, inventory.Users); o.Status != inventory.Failed || !strings.Contains(o.Reason, "200000") {
		t.Errorf("users are %s: %s", o.Status, o.Reason)
	}
	if o := observation(t, s, inventory.Packages); o.Status != inventory.Complete {
		t.Errorf("packages are %s: %s", o.Status, o.Reason)
	}
}

func TestBoundedBufferTakesDripsAndRefusesLongLines(t *testing.T) {
	b := new(bounded)
	for range MaxLine {
		if _, err := b.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, errTooMuch) {
		t.Errorf("a line of %d bytes: %v", MaxLine+1, err)
	}
	if len(b.buf) != MaxLine {
		t.Errorf("%d bytes are kept", len(b.buf))
	}
}

// FuzzAnswer lets a machine say anything, knowing the nonce.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"debian12.answer", "debian12-user.answer"} {
		f.Add(answerOf(f, name))
	}
	f.Add("\nNONCE hello 1 root\n\nNONCE begin ss\n\nNONCE end ss 0\n\nNONCE read ports\n\nNONCE done\n")
	f.Add("\nNONCE hello 1 user\n\nNONCE begin sysv\n/etc/init.d/cron\n\nNONCE end sysv 0\n\nNONCE read services\n")
	f.Fuzz(func(t *testing.T, answer string) {
		frame := func() inventory.Snapshot {
			obs, _ := observe(readFrame([]byte(answer), "NONCE"), time.Unix(1e9, 0), nil)
			return inventory.Snapshot{Observations: obs}
		}
		s := frame()
		checkSnapshot(t, s)
		if states(s) != states(frame()) {
			t.Error("the same answer is two states")
		}
	})
}
