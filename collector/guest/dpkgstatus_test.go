package guest

import (
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// dpkgStatus is what the probe picks of a real database, with packages in every state.
const dpkgStatus = `Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.16-1~deb12u1

Package: libssl3
Status: install ok installed
Architecture: i386
Source: openssl (3.0.16-1)
Version: 1:3.0.16-1~deb12u1+b2

Package: linux-image-amd64
Status: hold ok installed
Architecture: amd64
Source: linux-signed-amd64 (6.1.140+1)
Version: 6.1.140-1

Package: nginx
Status: deinstall ok config-files
Architecture: amd64
Version: 1.22.1-9

Package: never-there
Status: unknown ok not-installed
Architecture: all

Package: postfix
Status: install ok half-configured
Architecture: amd64
Version: 3.7.11-0

Package: unpacked
Status: install ok unpacked
Architecture: all
Version: 1

Package: man-db
Status: install ok triggers-pending
Architecture: amd64
Version: 2.11.2-2

Package: broken
Status: install reinstreq half-installed
Architecture: amd64
Version: 2

`

func TestDpkgStatusSaysWhatDpkgQuerySays(t *testing.T) {
	const query = "ii \tlibssl3\tamd64\t3.0.16-1~deb12u1\topenssl\n" +
		"ii \tlibssl3\ti386\t1:3.0.16-1~deb12u1+b2\topenssl\n" +
		"hi \tlinux-image-amd64\tamd64\t6.1.140-1\tlinux-signed-amd64\n" +
		"rc \tnginx\tamd64\t1.22.1-9\tnginx\n" +
		"iF \tpostfix\tamd64\t3.7.11-0\tpostfix\n" +
		"iU \tunpacked\tall\t1\tunpacked\n" +
		"it \tman-db\tamd64\t2.11.2-2\tman-db\n" +
		"iHR\tbroken\tamd64\t2\tbroken\n"
	for name, body := range map[string]string{
		"as dpkg writes it":                dpkgStatus,
		"without the last blank line":      strings.TrimSuffix(dpkgStatus, "\n"),
		"with more blank lines":            "\n\n" + strings.ReplaceAll(dpkgStatus, "\n\n", "\n\n\n"),
		"with the fields in another order": strings.ReplaceAll(dpkgStatus, "Package: libssl3\nStatus: install ok installed\n", "Status: install ok installed\nPackage: libssl3\n"),
	} {
		got, want := inventory.NewBuilder(inventory.Packages), inventory.NewBuilder(inventory.Packages)
		n, err := parseDpkgStatus(got, []byte(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := parseDpkg(want, []byte(query))
		if err != nil {
			t.Fatal(err)
		}
		gotState, err1 := got.State()
		wantState, err2 := want.State()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if gotState.Text() != wantState.Text() || n != m {
			t.Errorf("%s: %d packages:\n%swant %d:\n%s", name, n, gotState.Text(), m, wantState.Text())
		}
	}
}

func TestDpkgStatusRefusesWhatIsNoDatabase(t *testing.T) {
	for _, body := range []string{
		"Package: cut",
		"Package: cut\nStatus: install ok insta",
		"Status: install ok installed\nVersion: 1\n",
		"Package: x\nVersion: 1\n",
		"Package: x\nStatus: install ok\n",
		"Package: x\nStatus: install ok surprising\n",
		"Package: x\nPackage: y\nStatus: install ok installed\n",
		"Package: x\nStatus: install ok installed\nDescription: no\n",
		"Package:\nStatus: install ok installed\n",
		"no field at all\n",
	} {
		b := inventory.NewBuilder(inventory.Packages)
		if n, err := parseDpkgStatus(b, []byte(body)); err == nil {
			t.Errorf("%q is %d packages, and no error", body, n)
		}
	}
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add([]byte(dpkgStatus))
	f.Add([]byte("Package: \xff\x1b[2J\nStatus: install ok installed\n\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := inventory.NewBuilder(inventory.Packages)
		n, err := parseDpkgStatus(b, body)
		if err != nil {
			return
		}
		s, err := b.State()
		if err != nil {
			return
		}
		if s.Len() > n {
			t.Errorf("%d items of %d packages", s.Len(), n)
		}
		if _, err := inventory.ParseState(inventory.Packages, s.Text()); err != nil {
			t.Error(err)
		}
	})
}
