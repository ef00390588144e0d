//go:build linux

package realguest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const holdEnv = "VMDRIFT_TEST_HOLD_GUEST"

// TestMain is also the process that TestAKilledTestLeavesNoGuest kills.
func TestMain(m *testing.M) {
	if os.Getenv(holdEnv) == "" {
		os.Exit(m.Run())
	}
	g, err := start(context.Background(), Options{})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("leader " + strconv.Itoa(g.leader) + "\n")
	select {}
}

func TestAKilledTestLeavesNoGuest(t *testing.T) {
	Require(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leader := 0
	for in := bufio.NewScanner(stdout); leader == 0 && in.Scan(); {
		if word, pid, _ := strings.Cut(in.Text(), " "); word == "leader" {
			leader, _ = strconv.Atoi(pid)
		}
	}
	var guest int
	if leader > 0 {
		guest, err = unix.PidfdOpen(leader, 0)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if leader == 0 || err != nil {
		t.Fatalf("no guest came up (process %d): %v", leader, err)
	}
	defer unix.Close(guest)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(guest), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Errorf("the guest's first process, %d, runs on: %v", leader, err)
	}
}
