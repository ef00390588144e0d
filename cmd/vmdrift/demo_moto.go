package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// startMoto starts the server, waits until it answers or ctx ends, and sees to its end.
func (d *demo) startMoto(ctx context.Context, path string) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", port)
	// Its images are few and its instance types many: it must not ask for either elsewhere.
	cmd.Env = append(os.Environ(), "MOTO_EC2_LOAD_DEFAULT_AMIS=true")
	// A group of its own: moto_server may be a script that starts another process, and both have to end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	exited := make(chan struct{})
	var status error
	go func() {
		status = cmd.Wait()
		close(exited)
	}()
	stop := func() error {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		<-exited
		return nil
	}
	defer func() {
		if err != nil {
			_ = stop()
		}
	}()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-exited:
			return "", fmt.Errorf("moto_server ended: %w", status)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-poll.C:
			if answers(ctx, "http://"+address+"/moto-api/") {
				d.later(stop)
				return "http://" + address, nil
			}
		}
	}
}

// answers reports whether a server answers before ctx ends: a port may be open, and nobody behind it.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// onlyOwnAWS hides all of the reader's AWS settings from this process, and puts the demo's in their place:
// an endpoint or a key of theirs would let the demo make its instance where it must not. They come back at the end.
func (d *demo) onlyOwnAWS() error {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
			d.later(func() error { return os.Setenv(name, value) })
			if strings.Contains(name, "_ENDPOINT_URL") { // goes before the one of a profile
				d.astray = append(d.astray, name)
			}
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE":             d.awsConfig(),
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		d.later(func() error { return os.Unsetenv(name) })
	}
	return nil
}

// errImpatient is why the AWS side was given up.
var errImpatient = errors.New("moto_server is not ready after " + motoPatience.String())
