package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vmdrift/vmdrift/internal/testdb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vmdrift": main})
}

// TestScripts runs testdata/script/*.txtar, each with a database of its own.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			g, v := &guests{}, &vcenter{}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"status": status, "guests": g.start, "inventory": g.inventory, "on": g.on,
					"vcenter":  func(ts *testscript.TestScript, _ bool, _ []string) { v.start(ts, g) },
					"vm":       func(ts *testscript.TestScript, _ bool, args []string) { v.vm(ts, g, args) },
					"envsubst": envsubst,
				},
				Setup: func(env *testscript.Env) error {
					env.Values[fleetKey{}] = t
					env.Setenv("DATABASE_URL", testdb.New(t))
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
					env.Setenv("TZ", "UTC")
					env.Setenv("USER", "tester")
					env.Setenv("LANG", "C.UTF-8")
					return nil
				},
			})
		})
	}
}

// status is exec that wants that exit status: status 1 vmdrift scan web-1.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// envsubst is the command `envsubst FROM TO`: it fills in $NAME.
func envsubst(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
