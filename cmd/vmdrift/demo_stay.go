package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"

	"github.com/vmdrift/vmdrift/internal/simvm"
)

// stay keeps the fleet for the reader to try commands against. Each Enter lets
// something more happen; Ctrl-C ends it.
func (d *demo) stay(ctx context.Context) error {
	st := d.app.style
	d.say("The fleet runs on until Ctrl-C. In another terminal:")
	d.say("")
	if _, err := exec.LookPath("vmdrift"); err != nil {
		if self, err := os.Executable(); err == nil {
			d.say("  %s", st.bold("alias vmdrift="+self))
		}
	}
	if d.cloud != nil {
		d.say("  %s", st.bold("export AWS_CONFIG_FILE="+d.awsConfig()))
		if len(d.astray) > 0 {
			d.say("  %s", st.bold("unset "+strings.Join(d.astray, " ")))
		}
	}
	for _, line := range []string{
		"export VMDRIFT_CONFIG=" + d.config(),
		"vmdrift scan",
		"vmdrift drift list --severity high",
		"vmdrift machines history web-2",
		"vmdrift baseline capture web --from web-1 --reason 'openssl is patched'",
		"vmdrift doctor " + simvm.Plain + "@" + d.fleet.Host("web-3").Addr() + "  # a login without rights",
	} {
		command, comment, _ := strings.Cut(line, "  # ")
		if comment != "" {
			comment = st.dim("  # " + comment)
		}
		d.say("  %s%s", st.bold(command), comment)
	}
	d.say("")
	if d.kept() && os.Getenv("DATABASE_URL") != "" {
		d.say("DATABASE_URL is set here: unset it there first, or it is what vmdrift uses.")
	}
	d.say("Press Enter and something else drifts. Ctrl-C ends the demo%s.", d.ending())

	enter := make(chan struct{})
	go func() { // ends with the process: nothing can interrupt a read from a terminal
		for lines := bufio.NewScanner(d.app.stdin); lines.Scan(); {
			select {
			case enter <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	more := d.mischief()
	for {
		select {
		case <-ctx.Done():
			d.say("")
			return ctx.Err()
		case <-enter:
			if len(more) == 0 {
				d.say("That is all that this fleet can think of.")
				continue
			}
			m := more[0]
			more = more[1:]
			h := d.fleet.Host(m.machine)
			if err := m.do(h); err != nil {
				return fmt.Errorf("let something happen on %s: %w", m.machine, err)
			}
			d.say("%s: %s. Find it: %s", st.bold(m.machine), m.what, st.bold("vmdrift scan "+m.machine))
		}
	}
}

func (d *demo) ending() string {
	if d.kept() {
		return "; " + d.dir + " is kept"
	}
	return " and removes " + d.dir
}

// A mischief is one more thing that can happen.
type mischief struct {
	machine, what string
	do            func(*simvm.Host) error
}

// mischief returns what else can happen, in random order.
func (d *demo) mischief() []mischief {
	all := []mischief{
		{"web-1", "alice is added to group docker", func(h *simvm.Host) error {
			if err := h.AddGroup(simvm.Group{Name: "docker", GID: 120}); err != nil {
				return err
			}
			return h.AddToGroup("alice", "docker")
		}},
		{"web-2", "fail2ban is removed", func(h *simvm.Host) error { return h.RemovePackage("fail2ban") }},
		{"web-3", "nginx fails", func(h *simvm.Host) error { return h.FailService("nginx") }},
		{"web-3", "the mail user gets a shell", func(h *simvm.Host) error { return h.SetShell("mail", "/bin/sh") }},
		{"db-1", "the machine boots its older kernel", func(h *simvm.Host) error { return h.SetKernel("5.14.0-570.17.1.el9_6.x86_64") }},
		{"db-1", "auditd is masked", func(h *simvm.Host) error { return h.MaskService("auditd") }},
		{"db-1", "user dba needs no password any more", func(h *simvm.Host) error { return h.SetPassword("dba", simvm.PasswordNone) }},
		{"edge-1", "telnetd listens", func(h *simvm.Host) error { return h.Listen("tcp", "0.0.0.0", 23, "telnetd", simvm.Root) }},
		{"edge-1", "dnsmasq is let go from its hold", func(h *simvm.Host) error { return h.HoldPackage("dnsmasq", false) }},
		{"app-1", "the machine answers again, with snapd disabled", func(h *simvm.Host) error {
			h.Hang(false)
			return h.DisableService("snapd")
		}},
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
