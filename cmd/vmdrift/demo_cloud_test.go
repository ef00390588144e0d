package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/internal/testdb"
)

// The AWS side drifts too, and nothing that the reader has of AWS gets into it, or is reached by it.
func TestDemoHasAnAWSSideOfItsOwn(t *testing.T) {
	if _, err := exec.LookPath("moto_server"); err != nil {
		t.Skip("NOT COVERED HERE: moto_server is not installed (pip install 'moto[ec2,server]'): the demo's AWS side goes unseen")
	}
	testdb.New(t)
	t.Setenv("TMPDIR", shortTempDir(t))
	var calls atomic.Int64
	theirs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer theirs.Close()
	credentials := filepath.Join(t.TempDir(), "credentials")
	keys := fmt.Sprintf("[%s]\naws_access_key_id = THEIRS\naws_secret_access_key = theirs\n", demoProfile)
	if err := os.WriteFile(credentials, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	mine := map[string]string{"AWS_ENDPOINT_URL": theirs.URL, "AWS_ENDPOINT_URL_EC2": theirs.URL, "AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": os.DevNull}
	for name, value := range mine {
		t.Setenv(name, value)
	}
	out := runDemo(t)
	for _, want := range []string{
		`(?m)^  cloud-1 +Debian 12, an EC2 instance`,
		`(?m)^  critical network +\+ ingress/tcp/22-22/0\.0\.0\.0/0 `,
		`(?m)^  high     reach +~ tcp/22 `,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("it does not say %s\n%s", want, out)
		}
	}
	if n := calls.Load(); n > 0 {
		t.Errorf("%d calls went to the reader's own endpoint", n)
	}
	for name, value := range mine {
		if got := os.Getenv(name); got != value {
			t.Errorf("afterwards %s is %q", name, got)
		}
	}
}

// Without an AWS side the demo is right all the same, and says why there is none.
func TestDemoGoesOnWithoutAWS(t *testing.T) {
	for _, c := range []struct{ name, moto, want string }{
		{"moto_server is absent", "", "moto_server is not installed here"},
		{"moto_server is broken", "exit 3", "There is no AWS side this time: moto_server ended: exit status 3."},
	} {
		t.Run(c.name, func(t *testing.T) {
			testdb.New(t)
			t.Setenv("TMPDIR", shortTempDir(t))
			hideMoto(t)
			if c.moto != "" {
				t.Setenv("PATH", filepath.Dir(fakeMoto(t, c.moto))+":"+os.Getenv("PATH"))
			}
			out := runDemo(t)
			if strings.Count(out, c.want) != 1 {
				t.Errorf("it does not say once %q\n%s", c.want, out)
			}
			if strings.Contains(out, demoInstance) {
				t.Errorf("it speaks of %s, which is not there", demoInstance)
			}
		})
	}
}

// A moto_server that never gets ready does not hold the demo up, and none of its processes is left.
func TestMotoIsGivenUpAndEnds(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"it never listens", "echo $$ >PIDS; sleep 600 & echo $! >>PIDS; wait"},
		{"it listens and never answers", "echo $$ >PIDS; exec " + os.Args[0] + ` -test.run='^TestMuteServer$' -- "$4"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			t.Setenv("VMDRIFT_TEST_MUTE", "1")
			d := &demo{app: &app{}}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, errImpatient)
			defer cancel()
			if _, err := d.startMoto(ctx, fakeMoto(t, strings.ReplaceAll(c.script, "PIDS", pids))); !errors.Is(err, errImpatient) {
				t.Errorf("it says %v", err)
			}
			text, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range strings.Fields(string(text)) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					t.Fatal(err)
				}
				if !gone(t, pid) {
					t.Errorf("process %d is left", pid)
				}
			}
		})
	}
}

// TestMuteServer is no test: it is the server of the one above, which takes connections and says nothing.
func TestMuteServer(t *testing.T) {
	if os.Getenv("VMDRIFT_TEST_MUTE") == "" {
		return
	}
	if _, err := net.Listen("tcp", "127.0.0.1:"+os.Args[len(os.Args)-1]); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestEachExpectedDriftIsFoundOnce(t *testing.T) {
	for _, c := range []struct {
		have []string
		want string
	}{
		{[]string{"b", "a"}, ""},
		{[]string{"a"}, "expected drift is missing: b"},
		{[]string{"a", "b", "c"}, "unexpected drift: c"},
		{[]string{"a", "b", "a"}, "unexpected drift: a"},
	} {
		got := ""
		if err := differ("drift", []string{"a", "b"}, c.have); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q", c.have, got)
		}
	}
}

// runDemo runs the demo, which has to find what it expects, and returns what it prints.
func runDemo(t *testing.T) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run([]string{"demo", "--once"}, strings.NewReader(""), &out, &errs); status != exitSame {
		t.Fatalf("status %d\n%s\n%s", status, out.String(), errs.String())
	}
	return out.String()
}

// hideMoto takes the folders that have a moto_server out of PATH.
func hideMoto(t *testing.T) {
	t.Helper()
	dirs := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "moto_server"))
		return err == nil
	})
	t.Setenv("PATH", strings.Join(dirs, string(filepath.ListSeparator)))
}

// fakeMoto writes a moto_server that runs script, and returns its path.
func fakeMoto(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moto_server")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// gone waits until a process has ended: an orphan is there until its new parent has taken note.
func gone(t *testing.T, pid int) bool {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(10 * time.Second)
	for {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		select {
		case <-poll.C:
		case <-limit:
			return false
		}
	}
}
