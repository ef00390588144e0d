//go:build linux

package realguest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// namespaces are those that a guest is booted in. The process namespace is for its
// end: with its first process, systemd-nspawn, all that is in it ends, which
// systemd-nspawn would not see to when it is killed.
const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID

// startOnOwnThread starts cmd so that it is killed when this process ends, in
// whatever way. The kernel binds that to the thread that started it, so one
// thread waits for it as long as it runs. The channel yields cmd.Wait's error.
func startOnOwnThread(cmd *exec.Cmd) (<-chan error, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

// runOnOwnThread is startOnOwnThread and the wait for the end.
func runOnOwnThread(cmd *exec.Cmd) error {
	ended, err := startOnOwnThread(cmd)
	if err != nil {
		return err
	}
	return <-ended
}
