package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version of PostgreSQL that vmdrift works with.
const oldest = 14

// ErrNoBinaries is in the error of Start when PostgreSQL is not installed.
var ErrNoBinaries = errors.New("PostgreSQL is not installed here")

// Where distributions put the programs of a server, which is seldom in PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",   // Debian, Ubuntu
	"/usr/pgsql-*/bin",            // RHEL, by the PostgreSQL project
	"/usr/lib/postgresql*/bin",    // SUSE
	"/usr/lib64/postgresql-*/bin", // Gentoo
	"/usr/libexec/postgresql*",    // Alpine
	"/usr/local/pgsql/bin",        // from source
	"/opt/homebrew/opt/postgres*/bin",
	"/usr/local/opt/postgres*/bin",
}

// A version is one installed PostgreSQL.
type version struct {
	major int
	dir   string // of its programs
}

func (v version) program(name string) string { return filepath.Join(v.dir, name) }

// choose returns the installed PostgreSQL to run the data folder with: that of its own major
// version, or the newest if there is no folder yet.
func choose(ctx context.Context, data string) (version, error) {
	have := installed(ctx)
	major, err := majorOf(data)
	if err != nil {
		return version{}, err
	}
	if major == 0 {
		if len(have) == 0 || have[0].major < oldest {
			return version{}, fmt.Errorf("%w in version %d or later; install it (package postgresql), or %s",
				ErrNoBinaries, oldest, instead)
		}
		return have[0], nil
	}
	for _, v := range have {
		if v.major == major && major >= oldest {
			return v, nil
		}
	}
	found := "no PostgreSQL is"
	if len(have) > 0 {
		var list []string
		for _, v := range have {
			list = append(list, strconv.Itoa(v.major))
		}
		found = "only " + strings.Join(list, " and ") + " is"
	}
	return version{}, fmt.Errorf("the private database in %s is of PostgreSQL %d, and %s installed; nothing was changed: "+
		"install PostgreSQL %d (package postgresql-%d), or move the folder away to begin anew, or %s",
		filepath.Dir(data), major, found, major, major, instead)
}

// majorOf returns the major version of a data folder, 0 if there is none.
func majorOf(data string) (int, error) {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(data); errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, fmt.Errorf("%s is there but is no data folder of PostgreSQL; move it away, or choose another data folder", data)
	}
	if err != nil {
		return 0, fmt.Errorf("open the private database: %w", sentence(err))
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || major < 1 {
		return 0, fmt.Errorf("%s says version %.20q, which is none; nothing was changed", filepath.Join(data, "PG_VERSION"), b)
	}
	return major, nil
}

// installed returns the versions found in PATH and in places, newest first.
func installed(ctx context.Context) []version {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	var list []version
	seen := map[string]bool{}
	for _, dir := range dirs {
		// Links lead to the true folder: PATH often has a postgres whose initdb is elsewhere.
		postgres, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || !filepath.IsAbs(postgres) || seen[postgres] {
			continue
		}
		seen[postgres] = true
		v := version{dir: filepath.Dir(postgres)}
		if v.major = ask(ctx, postgres); v.major == 0 || !v.whole() {
			continue
		}
		list = append(list, v)
	}
	slices.SortStableFunc(list, func(a, b version) int { return b.major - a.major })
	return list
}

func (v version) whole() bool {
	for _, p := range []string{"initdb", "pg_ctl"} {
		if _, err := exec.LookPath(v.program(p)); err != nil {
			return false
		}
	}
	return true
}

// postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
// postgres (PostgreSQL) 18beta1
var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

func ask(ctx context.Context, postgres string) int {
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return 0
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(m[1]))
	return major
}

// Program returns the path of one of PostgreSQL's programs, such as pg_dump: the newest that stands where distributions put
// them, or the one in PATH.
func Program(ctx context.Context, name string) (string, error) {
	for _, v := range installed(ctx) { // before PATH, where distributions put wrappers that choose a version of their own
		if info, err := os.Stat(v.program(name)); err == nil && info.Mode()&0o111 != 0 {
			return v.program(name), nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is not installed; it comes with PostgreSQL (package postgresql-client)", name)
}
