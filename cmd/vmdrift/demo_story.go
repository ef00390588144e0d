package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/internal/simvm"
)

// story lets the fleet drift and shows how vmdrift sees it. It fails unless exactly
// the drift is found that was made.
func (d *demo) story(ctx context.Context) error {
	d.introduce()
	steps := []func(context.Context) error{d.lookAround, d.sayWhatIsRight, d.expectSilence, d.letItDrift, d.findIt, d.actOnIt}
	for i, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return fmt.Errorf("step %d of the demo: %w", i+1, err)
		}
	}
	return nil
}

func (d *demo) introduce() {
	st := d.app.style
	d.say("%s", st.bold("vmdrift demo"))
	d.say("")
	d.say("A made-up fleet runs inside this process: a vCenter lists its machines, and each is")
	d.say("behind a real SSH server on loopback. vmdrift asks the one and goes into the others with")
	d.say("its real probe. It looks at this machine too, and changes nothing but")
	d.say("%s.", d.dir)
	d.say("")
	t, flush := columns(d.app.stdout)
	for _, m := range demoMachines() {
		fmt.Fprintf(t, "  %s\t%s\trole=%s, env=%s\n", m.name, m.system, m.role, m.env)
	}
	fmt.Fprintf(t, "  %s\tthe hypervisor under them\tkind=hypervisor\n", demoHost)
	d.cloud.introduce(t)
	fmt.Fprintf(t, "  %s\tthe one you sit at\trole=demo\n", thisMachine)
	flush()
	if d.noCloud != "" {
		d.say("")
		d.say("%s", st.dim(d.noCloud))
	}
}

// title begins a step.
func (d *demo) title(text string) {
	d.say("")
	d.say("%s", d.app.style.bold("── "+text+" "+strings.Repeat("─", max(0, 76-len([]rune(text))))))
}

// show prints a command as the reader would type it, and runs it.
func (d *demo) show(ctx context.Context, args ...string) (int, error) {
	words := make([]string, len(args))
	for i, a := range args {
		if words[i] = a; strings.ContainsAny(a, " <>!") {
			words[i] = "'" + a + "'"
		}
	}
	d.say("")
	d.say("%s %s", d.app.style.dim("$"), d.app.style.bold("vmdrift "+strings.Join(words, " ")))
	return d.vmdrift(ctx, args...)
}

// lookAround scans everything. Without a baseline there is nothing to compare with.
func (d *demo) lookAround(ctx context.Context) error {
	d.title("1. See what is there")
	_, err := d.show(ctx, "scan")
	return err
}

func (d *demo) sayWhatIsRight(ctx context.Context) error {
	d.title("2. Say what is right: as it is now")
	for _, role := range []string{"web", "app", "db", "edge", "build", "test"} {
		if _, err := d.show(ctx, "baseline", "capture", role, "--from", role+"-1", "--selector", "tag/role="+role); err != nil {
			return err
		}
	}
	if _, err := d.show(ctx, "baseline", "capture", "esx", "--from", demoHost, "--selector", "kind=hypervisor"); err != nil {
		return err
	}
	if err := d.cloud.sayWhatIsRight(ctx, d); err != nil {
		return err
	}
	_, err := d.show(ctx, "baseline", "capture", "here", "--from", thisMachine)
	return err
}

func (d *demo) expectSilence(ctx context.Context) error {
	d.title("3. Nothing has changed: silence")
	if _, err := d.show(ctx, "scan"); err != nil {
		return err
	}
	return d.check(ctx, nil, nil)
}

// letItDrift is the night.
func (d *demo) letItDrift(ctx context.Context) error {
	d.title("4. Meanwhile, at night…")
	d.say("")
	var errs []error
	happens := func(machine, what string, err error) {
		d.say("  %s  %s", d.app.style.bold(pad(machine, 12)), what)
		errs = append(errs, err)
	}
	const openssl = "3.0.17-1~deb12u2"
	happens("web-1, web-3", "openssl is upgraded",
		errors.Join(d.fleet.Host("web-1").UpgradePackage("openssl", openssl), d.fleet.Host("web-3").UpgradePackage("openssl", openssl)))
	web := d.fleet.Host("web-2")
	happens("web-2", "somebody installs nmap, and leaves nc listening on port 4444",
		errors.Join(web.InstallPackage(simvm.Package{Name: "nmap", Version: "7.93+dfsg1-1"}), web.Listen("tcp", "0.0.0.0", 4444, "nc", simvm.Root)))
	happens("db-1", "there is a second user with uid 0",
		d.fleet.Host("db-1").AddUser(simvm.User{Name: "toor", UID: 0, GID: 0, Home: "/root", Shell: "/bin/bash", Password: simvm.PasswordSet}))
	edge := d.fleet.Host("edge-1")
	happens("edge-1", "the firewall is stopped, and will not come back at boot",
		errors.Join(edge.StopService("iptables"), edge.DisableService("iptables")))
	happens("web-3", "its network card is plugged into another network", d.center.MoveNIC(ctx, "web-3"))
	happens(demoHost, "its SSH server is started", nil)
	d.center.StartSSH()
	happens("test-1", "is switched off, and its memory doubled",
		errors.Join(d.center.PowerOff(ctx, "test-1"), d.center.SetMemory(ctx, "test-1", 8192)))
	d.cloud.letItDrift(ctx, happens)
	happens("app-1", "runs out of memory and answers no more", nil)
	d.fleet.Host("app-1").Hang(true)
	happens("build-1", "answers with another host key", d.fleet.Host("build-1").ChangeHostKey())
	return errors.Join(errs...)
}

// drift returns what letItDrift makes.
func (d *demo) drift() []string { return append(slices.Clone(demoDrift), d.cloud.drift()...) }

// The drift that letItDrift makes in any case, and the machines that it hides.
var (
	demoDrift = []string{
		demoHost + " hypervisor service/TSM-SSH changed high",
		"build-1 presence host_key changed critical",
		"db-1 users toor added critical",
		"edge-1 services openrc/iptables changed high",
		"test-1 hardware memory changed medium",
		"web-1 packages deb/openssl:amd64 changed low",
		"web-2 packages deb/nmap:amd64 added medium",
		"web-2 ports tcp/0.0.0.0:4444 added high",
		"web-3 network nic/4000 changed high",
		"web-3 packages deb/openssl:amd64 changed low",
	}
	demoUnseen = []string{"app-1 unreachable", "build-1 host key changed", "test-1 switched off"}
)

func (d *demo) findIt(ctx context.Context) error {
	d.title("5. The next scan finds it")
	if _, err := d.show(ctx, "scan"); err != nil {
		return err
	}
	return d.check(ctx, d.drift(), demoUnseen)
}

func (d *demo) actOnIt(ctx context.Context) error {
	d.title("6. What is there to act on?")
	d.say("Each change once, worst first, with the machines that have it:")
	if _, err := d.show(ctx, "drift", "list"); err != nil {
		return err
	}
	d.title("7. And across the fleet?")
	for _, query := range []string{"ports port=4444", "users uid=0 name!=root", "packages manager=deb name=openssl version<3.0.17", "hypervisor key=service/TSM-SSH running=yes"} {
		if _, err := d.show(ctx, "find", query); err != nil {
			return err
		}
	}
	d.say("")
	d.say("%s", strings.Repeat("─", 80))
	return nil
}
