package guest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// checkState holds what is promised of every state.
func checkState(t *testing.T, s *inventory.State, err error) {
	t.Helper()
	if err != nil {
		return
	}
	if _, err := inventory.ParseState(s.Facet(), s.Text()); err != nil {
		t.Error(err)
	}
}

func packagesText(t *testing.T, parse func(*inventory.Builder, []byte) (int, error), body string) string {
	t.Helper()
	b := inventory.NewBuilder(inventory.Packages)
	if _, err := parse(b, []byte(body)); err != nil {
		return "error: " + err.Error()
	}
	s, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return s.Text()
}

func TestDpkgQuery(t *testing.T) {
	const in = "ii \tadduser\tall\t3.134\tadduser\n" +
		"hi \tlinux-image-amd64\tamd64\t6.1.140-1\tlinux-signed-amd64\n" +
		"rc \tnginx\tamd64\t1.22.1-9\tnginx\n" +
		"un \tnever\t\t\tnever\n" +
		"iF \tpostfix\tamd64\t3.7.11-0\tpostfix\n" +
		"iW \tman-db\tamd64\t2.11\tman-db\n" +
		"it \tlibc-bin\tamd64\t2.36\tglibc\n" +
		"ii \tlibc6\ti386\t2.36\tglibc\n" +
		"ii \tlibc6\tamd64\t2.36\tglibc\n" +
		"ii \tweird\tall\t1\x1b[2J\xff\tweird\n"
	const want = `deb/adduser:all	hold=no	source=adduser	state=installed	version=3.134
deb/libc-bin:amd64	hold=no	source=glibc	state=installed	version=2.36
deb/libc6:amd64	hold=no	source=glibc	state=installed	version=2.36
deb/libc6:i386	hold=no	source=glibc	state=installed	version=2.36
deb/linux-image-amd64:amd64	hold=yes	source=linux-signed-amd64	state=installed	version=6.1.140-1
deb/man-db:amd64	hold=no	source=man-db	state=installed	version=2.11
deb/postfix:amd64	hold=no	source=postfix	state=half-configured	version=3.7.11-0
deb/weird:all	hold=no	source=weird	state=installed	version=1\x1b[2J\xff
`
	if got := packagesText(t, parseDpkg, in); got != want {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []string{"ii \tcut", "ii \ta\tb\tc\n", "ii \ta\tb\tc\td\te\n", "i\ta\tb\tc\td\n", "\n", "ii \t\tall\t1\tx\n"} {
		if _, err := parseDpkg(inventory.NewBuilder(inventory.Packages), []byte(bad)); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

func TestRPM(t *testing.T) {
	const want = `rpm/bash:x86_64	source=bash	state=installed	version=5.1.8-9.el9
rpm/glibc:x86_64	source=glibc	state=installed	version=2.34-168.el9_6.14
rpm/kernel-core:x86_64	source=kernel	state=installed	version=5.14.0-570.12.1.el9_6,5.14.0-570.21.1.el9_6
rpm/libfoo:x86_64	source=foo	state=installed	version=1.0~rc1^git5-1
rpm/openssl:x86_64	source=openssl	state=installed	version=1:3.2.2-6.el9_5
rpm/tzdata:noarch	source=tzdata	state=installed	version=2025b-1.el9
`
	if got := packagesText(t, parseRPM, string(capture(t, "rpm.txt"))); got != want {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []string{"a\tb", "a\tb\t0\t1\n", "\tb\t0\t1\t1\tx\n", "a\tb\t0\t1\t1\tx\ty\n"} {
		if _, err := parseRPM(inventory.NewBuilder(inventory.Packages), []byte(bad)); !errors.Is(err, errShape) && !strings.Contains(fmt.Sprint(err), "cut") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAPK(t *testing.T) {
	parse := func(b *inventory.Builder, body []byte) (int, error) {
		return parseAPK(b, body, parseWorld([]byte("alpine-base\nbusybox=1.36.1-r20\n!nano\nssl_client@edge\nmusl<2\n")))
	}
	const want = `apk/alpine-baselayout:x86_64	hold=no	source=alpine-baselayout	state=installed	version=3.4.3-r2
apk/busybox:x86_64	hold=yes	source=busybox	state=installed	version=1.36.1-r20
apk/musl:x86_64	hold=yes	source=musl	state=installed	version=1.2.4_git20230717-r4
apk/ssl_client:x86_64	hold=no	source=busybox	state=installed	version=1.36.1-r20
`
	if got := packagesText(t, parse, string(capture(t, "apk.txt"))); got != want {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []string{"P:a\nV:1\n\n", "P:a\nP:b\nV:1\nA:x\n\n", "hello\n", "V:1\nA:x\n", "P:\nV:1\nA:x\n"} {
		if _, err := parseAPK(inventory.NewBuilder(inventory.Packages), []byte(bad), nil); !errors.Is(err, errShape) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPacman(t *testing.T) {
	parse := func(b *inventory.Builder, body []byte) (int, error) {
		return parsePacman(b, body, parseIgnorePkg([]byte("IgnorePkg = linux linux-*\nIgnorePkg=foo\n")))
	}
	const want = `pacman/ca-certificates:any	hold=no	source=ca-certificates	state=installed	version=20240618-1
pacman/linux-headers:x86_64	hold=yes	source=linux	state=installed	version=6.15.3.arch1-1
pacman/linux:x86_64	hold=yes	source=linux	state=installed	version=6.15.3.arch1-1
pacman/pacman:x86_64	hold=no	source=pacman	state=installed	version=7.0.0.r6.gc685ae6-1
pacman/zlib:x86_64	hold=no	source=zlib	state=installed	version=1:1.3.1-2
`
	if got := packagesText(t, parse, string(capture(t, "pacman.txt"))); got != want {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []string{"%NAME%\na\n", "a\n", "%NAME%\na\n%VERSION%\n1\nstray\n%ARCH%\nx\n", "%NAME%\na\n%NAME%\nb\n"} {
		if _, err := parsePacman(inventory.NewBuilder(inventory.Packages), []byte(bad), nil); !errors.Is(err, errShape) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// packagesOf collects from a machine with these sections of packages.
func packagesOf(t *testing.T, sections ...string) inventory.Observation {
	t.Helper()
	answer := "\nNONCE hello 1 root\n" + strings.Join(sections, "") + "\nNONCE read packages\n\nNONCE done\n"
	s, err := collect(t, canned{answer: answer})
	if err != nil {
		t.Fatal(err)
	}
	return observation(t, s, inventory.Packages)
}

func sectionText(name, body string, status int) string {
	return fmt.Sprintf("\nNONCE begin %s\n%s\nNONCE end %s %d\n", name, body, name, status)
}

func TestPackagesThatCouldNotBeReadAreNotAbsent(t *testing.T) {
	deb := sectionText("dpkg", "ii \tbash\tamd64\t5.2\tbash\n", 0)
	for name, c := range map[string]struct {
		o      inventory.Observation
		status inventory.Status
		says   string
	}{
		"dpkg-query fails":      {packagesOf(t, sectionText("dpkg", "ii \tbash\tamd64\t5.2\tbash\n", 2), sectionText("dpkg.why", "dpkg-query: error: illegal package name\n", 2)), inventory.Failed, "illegal package name"},
		"a database, no tool":   {packagesOf(t, sectionText("rpm", "", 127)), inventory.Failed, "no rpm to read it"},
		"nothing in it":         {packagesOf(t, sectionText("dpkg", "", 0)), inventory.Failed, "is empty"},
		"nothing in rpm's":      {packagesOf(t, sectionText("rpm", "", 0)), inventory.Failed, "is empty"},
		"no database":           {packagesOf(t), inventory.Unsupported, "no package database"},
		"another rpm on Debian": {packagesOf(t, deb, sectionText("rpm", "", 0)), inventory.Complete, ""},
		"one of two":            {packagesOf(t, deb, sectionText("rpm", "", 1), sectionText("rpm.why", "error: cannot open Packages database\n", 1)), inventory.Partial, "cannot open"},
		"one of two in pieces":  {packagesOf(t, deb, sectionText("rpm", "x\ty\t0\t1\t1\tz\nrubbish\n", 0)), inventory.Partial, "rpm: line 2"},
	} {
		if c.o.Status != c.status || !strings.Contains(c.o.Reason, c.says) {
			t.Errorf("%s: %s, %q", name, c.o.Status, c.o.Reason)
		}
		if c.status == inventory.Partial && (c.o.ItemsComplete || c.o.State.Len() != 1) {
			t.Errorf("%s: %d items, complete: %v", name, c.o.State.Len(), c.o.ItemsComplete)
		}
	}
}

func FuzzPackages(f *testing.F) {
	f.Add(0, []byte("ii \tadduser\tall\t3.134\tadduser\n"))
	f.Add(1, capture(f, "rpm.txt"))
	f.Add(2, capture(f, "apk.txt"))
	f.Add(3, capture(f, "pacman.txt"))
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		b := inventory.NewBuilder(inventory.Packages)
		parse := []func(*inventory.Builder, []byte) (int, error){
			parseDpkg, parseRPM,
			func(b *inventory.Builder, body []byte) (int, error) { return parseAPK(b, body, parseWorld(body)) },
			func(b *inventory.Builder, body []byte) (int, error) {
				return parsePacman(b, body, parseIgnorePkg(body))
			},
		}[uint(which)%4]
		if _, err := parse(b, body); err != nil {
			return
		}
		s, err := b.State()
		checkState(t, s, err)
	})
}
