package inventory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func build(t *testing.T, f Facet, fill func(*Builder)) *State {
	t.Helper()
	b := NewBuilder(f)
	fill(b)
	s, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSameItemsInAnyOrderAreTheSameBytes(t *testing.T) {
	const n = 200
	var want *State
	for seed := range uint64(20) {
		order := rand.New(rand.NewPCG(seed, 1)).Perm(n)
		s := build(t, Packages, func(b *Builder) {
			for _, i := range order {
				b.Key("deb/", fmt.Sprint("p", i), ":amd64")
				b.Field("version", fmt.Sprint(i))
			}
		})
		if want == nil {
			want = s
		}
		if s.Text() != want.Text() || s.Digest() != want.Digest() || s.Len() != n {
			t.Fatalf("order %d gives another state", seed)
		}
	}
}

func TestExactDuplicatesAreOneItemAndTwinsAreNumbered(t *testing.T) {
	add := func(b *Builder, key, uid string) {
		b.Key(key)
		b.Field("uid", uid)
	}
	s := build(t, Users, func(b *Builder) {
		add(b, "bob", "2")
		add(b, "bob", "1")
		add(b, "bob", "2")
		add(b, "bob#2", "9")
		add(b, "bob", "3")
		add(b, "alice", "5")
		add(b, "alice", "5")
	})
	const want = "alice\tuid=5\nbob\tuid=1\nbob#2\tuid=9\nbob#3\tuid=2\nbob#4\tuid=3\n"
	if s.Text() != want {
		t.Errorf("got\n%s", s.Text())
	}
	if it, ok := s.Get("bob#3"); !ok || it.Encoded() != "uid=2" {
		t.Errorf("bob#3 is %q", it.Encoded())
	}
}

func TestTheBuilderEscapesWhatItIsGiven(t *testing.T) {
	s := build(t, Services, func(b *Builder) {
		b.KeyBytes("a/", []byte("x\n"), ":", []byte("\xff"))
		b.Field("active", "\x1b[31m\t=\\")
		b.FieldBytes("sub", []byte("\u202e"))
	})
	const want = `a/x\n:\xff` + "\t" + `active=\x1b[31m\t=\\` + "\t" + `sub=\u{202e}` + "\n"
	if s.Text() != want {
		t.Errorf("got %q", s.Text())
	}
	if _, err := ParseState(Services, s.Text()); err != nil {
		t.Error(err)
	}
}

func TestLimitsAreErrorsAndMemoryStaysBounded(t *testing.T) {
	for name, fill := range map[string]func(*Builder){
		"items": func(b *Builder) {
			for i := range MaxItems + 1000 {
				b.Key(fmt.Sprint(i))
				b.Field("value", "x")
			}
		},
		"a value": func(b *Builder) {
			b.Key("k")
			b.Field("value", strings.Repeat("x", MaxValue+1))
		},
		"a value that grows by its escapes": func(b *Builder) {
			b.Key("k")
			b.Field("value", strings.Repeat("\x00", MaxValue/3))
		},
		"a key": func(b *Builder) { b.Key(strings.Repeat("x", MaxValue+1)) },
		"bytes": func(b *Builder) {
			value := strings.Repeat("x", MaxValue)
			for i := range MaxTextSize/MaxValue + 100 {
				b.Key(fmt.Sprint(i))
				b.Field("value", value)
			}
		},
	} {
		b := NewBuilder(OS)
		fill(b)
		if _, err := b.State(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if cap(b.buf) > 4*MaxTextSize || len(b.spans) > MaxItems+1 {
			t.Errorf("%s: %d bytes and %d items are kept", name, cap(b.buf), len(b.spans))
		}
	}
	b := NewBuilder(OS)
	b.Key("")
	if _, err := b.State(); err == nil {
		t.Error("an item without a key is no error")
	}
}

func TestFieldsOutOfOrderArePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b := NewBuilder(OS)
	b.Key("k")
	b.Field("value", "1")
	b.Field("id", "2")
}

func FuzzBuilder(f *testing.F) {
	f.Add("bob", "1", "bob", "2", "bob#2", "3")
	f.Add("a\n", "\x00", "a\\n", "", "a", "\u202e")
	f.Add("x", "1", "x", "1", "x#2", "1")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3 string) {
		text := func(order ...int) string {
			b := NewBuilder(Users)
			for _, i := range order {
				b.Key([]string{k1, k2, k3}[i])
				b.Field("home", []string{v1, v2, v3}[i])
			}
			s, err := b.State()
			if err != nil {
				return err.Error()
			}
			again, err := ParseState(Users, s.Text())
			if err != nil {
				t.Fatal(err)
			}
			if again.Digest() != s.Digest() || again.Len() != s.Len() {
				t.Fatal("read again, it is another state")
			}
			for _, it := range s.Items() {
				if got, ok := s.Get(it.Key()); !ok || got != it {
					t.Fatalf("%q is not found", it.Key())
				}
			}
			return s.Text()
		}
		want := text(0, 1, 2)
		for _, order := range [][]int{{2, 1, 0}, {1, 2, 0}, {1, 0, 2, 1}} {
			if got := text(order...); got != want {
				t.Fatalf("order %v gives %q, want %q", order, got, want)
			}
		}
	})
}

func BenchmarkBuilder(b *testing.B) {
	for name, step := range map[string]int{"sorted": 1, "shuffled": 7919} {
		b.Run(name, func(b *testing.B) {
			const n = 2000
			names := make([][]byte, n)
			for i := range n {
				names[i] = fmt.Appendf(nil, "libexample%04d", i*step%n)
			}
			b.ReportAllocs()
			for b.Loop() {
				bld := NewBuilder(Packages)
				bld.Grow(n, 100*n)
				for _, name := range names {
					bld.KeyBytes("deb/", name, ":", []byte("amd64"))
					bld.Field("hold", "no")
					bld.FieldBytes("source", name)
					bld.Field("state", "installed")
					bld.Field("version", "1:2.3.4-5+deb12u1")
				}
				s, err := bld.State()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(s.Text())))
			}
		})
	}
}
