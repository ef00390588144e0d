package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vmdrift/vmdrift/internal/simvm"
)

// thisMachine is what the demo calls the machine that it runs on.
const thisMachine = "this-machine"

// A demoMachine is one line of the demo's fleet.
type demoMachine struct {
	name   string
	kind   simvm.Distribution
	system string // for people
	login  string
	labels string
}

func demoMachines() []demoMachine {
	return []demoMachine{
		{"web-1", simvm.Debian12, "Debian 12", simvm.Sudo, "role: web, env: prod"},
		{"web-2", simvm.Debian12, "Debian 12", simvm.Sudo, "role: web, env: prod"},
		{"web-3", simvm.Debian12, "Debian 12", simvm.Sudo, "role: web, env: prod"},
		{"app-1", simvm.Ubuntu2404, "Ubuntu 24.04", simvm.Sudo, "role: app, env: prod"},
		{"db-1", simvm.Rocky9, "Rocky Linux 9", simvm.Root, "role: db, env: prod"},
		{"edge-1", simvm.Alpine320, "Alpine 3.20", simvm.Root, "role: edge, env: prod"},
		{"build-1", simvm.Arch, "Arch Linux", simvm.Sudo, "role: build, env: dev"},
	}
}

// startFleet starts the machines and writes the keys to reach them.
func (d *demo) startFleet(ctx context.Context) error {
	var machines []*simvm.Machine
	for _, m := range demoMachines() {
		sim := simvm.New(m.name, m.kind)
		if m.kind == simvm.Alpine320 {
			// Without ss, nobody can tell whether an IPv6 socket also takes IPv4. This
			// machine has none, so that all of it can be seen.
			if err := onlyIPv4(sim); err != nil {
				return err
			}
		}
		machines = append(machines, sim)
	}
	// Its life ends with the command, not with ctx: until then, an interrupted scan may finish.
	fleet, err := simvm.Start(context.WithoutCancel(ctx), machines...)
	if err != nil {
		return err
	}
	d.later(fleet.Close)
	d.fleet = fleet
	if _, _, err := fleet.WriteFiles(d.dir); err != nil {
		return fmt.Errorf("write the demo's keys: %w", err)
	}
	return nil
}

func onlyIPv4(m *simvm.Machine) error {
	var errs []error
	for _, p := range m.Ports() {
		if strings.Contains(p.Addr, ":") || p.Addr == "*" {
			errs = append(errs, m.Unlisten(p.Proto, p.Addr, p.Port))
		}
	}
	return errors.Join(errs...)
}

// configuration is a vmdrift.yaml with which every vmdrift sees what the demo sees.
func (d *demo) configuration() string {
	var b strings.Builder
	database := "data: ."
	if !d.kept() {
		database = fmt.Sprintf("database: %q", d.url)
	}
	b.WriteString(`# The fleet of vmdrift demo, while it runs.
vmdrift: config/v1
` + database + `
ssh:
  config: [none]
  identity_files: [id_ed25519]
  known_hosts: [known_hosts]
machines:
`)
	for i, h := range d.fleet.Hosts() {
		m := demoMachines()[i]
		fmt.Fprintf(&b, "  - {name: %s, address: \"%s@%s\", labels: {%s}}\n", m.name, m.login, h.Addr(), m.labels)
	}
	fmt.Fprintf(&b, "  - {name: %s, address: local, labels: {role: demo}}\n", thisMachine)
	return b.String()
}
