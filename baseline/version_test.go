package baseline

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	deb "github.com/knqyf263/go-deb-version"
	rpm "github.com/knqyf263/go-rpm-version"
	"pgregory.net/rapid"
)

func TestVersionsHaveTheOrderOfTheirPackagingSystem(t *testing.T) {
	for _, c := range []struct {
		key, older, newer string
	}{
		{"deb/openssl:amd64", "3.0.9-1", "3.0.11-1~deb12u2"},
		{"deb/x", "1.0~rc1-1", "1.0-1"},
		{"deb/x", "1.0-1~bpo12+1", "1.0-1"},
		{"deb/x", "2.0-1", "1:0.1-1"},
		{"deb/x", "1.0a", "1.0+"},
		{"deb/x", "1.99999999999999999999999998", "1.99999999999999999999999999"},
		{"deb/x", "1.2.3-1", "1.2.3-1+b1"},
		{"rpm/openssl.x86_64", "1:3.0.7-9.el9", "1:3.0.7-24.el9"},
		{"rpm/x", "1.0~rc1-1", "1.0-1"},
		{"rpm/x", "1.0-1", "1.0^git1-1"},
		{"rpm/x", "1.0^git1-1", "1.0.1-1"},
		{"rpm/x", "1.0a", "1.0.1"},
		{"rpm/x", "9:1.0", "10:0.1"},
		{"apk/openssl", "3.1.4-r5", "3.1.10-r0"},
		{"apk/x", "1.2.3_rc1", "1.2.3"},
		{"apk/x", "1.2.3", "1.2.3_p1"},
		{"apk/x", "1.2.3-r9", "1.2.3-r10"},
		{"apk/x", "1.2.3", "1.2.3a"},
		{"pacman/openssl", "1.0-1", "1.0-2"},
		{"pacman/x", "1.0rc1", "1.0"},
		{"pacman/x", "1.0beta", "1.0rc"},
		{"pacman/x", "2.0", "1:1.0"},
		{"anything", "v1.9", "v1.10"},
		{"anything", "1.10", "1.10.1"},
		{"deb/x", "3.0.1,2.0", "2.0,3.0.2,1.0"}, // the newest of a list counts
	} {
		t.Run(c.key+" "+c.older+" "+c.newer, func(t *testing.T) {
			if got := CompareVersions(c.key, c.older, c.newer); got != -1 {
				t.Errorf("CompareVersions(older, newer) = %d", got)
			}
			if got := CompareVersions(c.key, c.newer, c.older); got != 1 {
				t.Errorf("CompareVersions(newer, older) = %d", got)
			}
		})
	}
}

func TestVersionsThatTheirSystemFindsEqualAreEqual(t *testing.T) {
	for _, c := range [][3]string{
		{"deb/x", "1.0", "1.0-0"},
		{"deb/x", "0:1.0", "1.0"},
		{"deb/x", "1.02", "1.2"},
		{"rpm/x", "1.0", "1_0"},
		{"pacman/x", "1.0", "1.0-3"},
	} {
		if got := CompareVersions(c[0], c[1], c[2]); got != 0 {
			t.Errorf("CompareVersions(%q, %q, %q) = %d", c[0], c[1], c[2], got)
		}
	}
}

var systems = []string{"deb/x", "rpm/x", "apk/x", "pacman/x", "x"}

// versionText generates versions that are near each other, so that pairs get past their first part.
func versionText(other string) *rapid.Generator[string] {
	part := rapid.SampledFrom(append([]string{
		"0", "1", "2", "9", "10", "00", "01", "1.0", "2.10", ".", "-1", "-2", "a", "b", "rc", "rc1", "p", "git20", "Z", "1:", "0:",
	}, strings.Split(other, "")...))
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 1, 7).Draw(t, "parts"), "")
	})
}

func TestEveryTwoTextsHaveAnOrderAndItIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom(systems).Draw(t, "key")
		text := rapid.OneOf(versionText("~^+_-:.é\x00,"), rapid.String())
		a, b, c := text.Draw(t, "a"), text.Draw(t, "b"), text.Draw(t, "c")
		ab, bc, ac := CompareVersions(key, a, b), CompareVersions(key, b, c), CompareVersions(key, a, c)
		if ba := CompareVersions(key, b, a); ab != -ba {
			t.Fatalf("%q and %q: %d one way, %d the other", a, b, ab, ba)
		}
		if key == "pacman/x" {
			return // its order is not one in the strict sense: 1-1 and 1-2 both equal 1
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%q <= %q <= %q, but %[1]q > %[3]q", a, b, c)
		}
	})
}

// The real tools are the reference. A machine without one says so.
func TestVersionOrderIsThatOfTheRealTools(t *testing.T) {
	for _, tool := range []struct {
		name, key, other string
		compare          func(pairs [][2]string) ([]int, error)
	}{
		{"dpkg", "deb/x", "~+.-", dpkgCompare},
		{"rpm", "rpm/x", "~^_.+", rpmCompare},
		{"vercmp", "pacman/x", "._+~^", vercmpCompare},
	} {
		t.Run(tool.name, func(t *testing.T) {
			if _, err := exec.LookPath(tool.name); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skipf("NOT COVERED HERE: %s is not installed, to hold our order against its own", tool.name)
			}
			gen := versionText(tool.other)
			var pairs [][2]string
			for seed := 0; len(pairs) < 300; seed++ {
				a, b := gen.Example(2*seed), gen.Example(2*seed+1)
				if tool.name == "dpkg" && (!debAccepts(a) || !debAccepts(b)) {
					continue
				}
				if strings.HasPrefix(a, "-") || strings.HasPrefix(b, "-") || strings.HasSuffix(a, "-") || strings.HasSuffix(b, "-") {
					continue // an option to the tool, or a release that is there and empty
				}
				pairs = append(pairs, [2]string{a, b})
			}
			want, err := tool.compare(pairs)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[int]int{}
			for i, p := range pairs {
				seen[want[i]]++
				if got := CompareVersions(tool.key, p[0], p[1]); got != want[i] {
					t.Errorf("CompareVersions(%q, %q) = %d, %s says %d", p[0], p[1], got, tool.name, want[i])
				}
			}
			if seen[-1] < 50 || seen[1] < 50 || seen[0] == 0 {
				t.Errorf("the pairs test little: %v", seen)
			}
		})
	}
}

func debAccepts(v string) bool { return deb.Valid(v) && isDigit(v[0]) && !strings.Contains(v, "_") }

func dpkgCompare(pairs [][2]string) ([]int, error) {
	// One shell for all: a process per question would take its time.
	var script strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&script, "if dpkg --compare-versions '%s' lt '%s'; then echo -1; elif dpkg --compare-versions '%[1]s' gt '%[2]s'; then echo 1; else echo 0; fi\n", p[0], p[1])
	}
	return numbers(exec.Command("sh", "-c", script.String()), len(pairs))
}

func rpmCompare(pairs [][2]string) ([]int, error) {
	var lua strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&lua, "print(rpm.vercmp('%s', '%s')..' ')\n", p[0], p[1])
	}
	return numbers(exec.Command("rpm", "--eval", "%{lua:"+lua.String()+"}"), len(pairs))
}

func vercmpCompare(pairs [][2]string) ([]int, error) {
	var script strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&script, "vercmp '%s' '%s'\n", p[0], p[1])
	}
	return numbers(exec.Command("sh", "-c", script.String()), len(pairs))
}

func numbers(cmd *exec.Cmd, n int) ([]int, error) {
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(string(out))
	if len(lines) != n {
		return nil, fmt.Errorf("%d answers to %d questions", len(lines), n)
	}
	nums := make([]int, n)
	for i, line := range lines {
		if _, err := fmt.Sscan(line, &nums[i]); err != nil {
			return nil, err
		}
	}
	return nums, nil
}

// Where the real tools are not at hand, the libraries are.
func TestVersionOrderIsThatOfTheLibrariesWhereTheyAreSure(t *testing.T) {
	t.Run("deb", rapid.MakeCheck(func(t *rapid.T) {
		gen := versionText("~+.-").Filter(debAccepts)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		v, _ := deb.NewVersion(a)
		w, _ := deb.NewVersion(b)
		if got, want := CompareVersions("deb/x", a, b), cmp.Compare(v.Compare(w), 0); got != want {
			t.Fatalf("CompareVersions(%q, %q) = %d, the library says %d", a, b, got, want)
		}
	}))
	t.Run("rpm", rapid.MakeCheck(func(t *rapid.T) {
		gen := versionText("~^_.+").Filter(rpmLibraryAccepts)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		v, w := rpm.NewVersion(a), rpm.NewVersion(b)
		if got, want := CompareVersions("rpm/x", a, b), cmp.Compare(v.Compare(w), 0); got != want {
			t.Fatalf("CompareVersions(%q, %q) = %d, the library says %d", a, b, got, want)
		}
	}))
}

// rpmLibraryAccepts leaves out what the library reads otherwise than rpm: several
// hyphens, and colons after something else than a number.
func rpmLibraryAccepts(v string) bool {
	epoch, _, colon := strings.Cut(v, ":")
	return strings.Count(v, "-") <= 1 && (!colon || epoch != "" && digitsAt(epoch, 0) == len(epoch))
}

func FuzzCompareVersions(f *testing.F) {
	for _, s := range systems {
		f.Add(s, "1:2.0~rc1-3", "2.0^git,1")
	}
	f.Add("apk/x", "1_alpha99999999999999999999999999", "1_")
	f.Fuzz(func(t *testing.T, key, a, b string) {
		if x, y := CompareVersions(key, a, b), CompareVersions(key, b, a); x != -y {
			t.Errorf("%q, %q: %d and %d", a, b, x, y)
		}
		if CompareVersions(key, a, a) != 0 {
			t.Errorf("%q differs from itself", a)
		}
	})
}
