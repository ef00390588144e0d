package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/internal/simcenter"
	"github.com/vmdrift/vmdrift/internal/simvm"
)

const (
	thisMachine = "this-machine" // what the demo calls the machine that it runs on
	demoHost    = "esx-1"        // and the hypervisor of all others
)

// A demoMachine is one machine of the demo's fleet.
type demoMachine struct {
	name   string
	kind   simvm.Distribution
	system string // for people
	login  string
	role   string
	env    string
	// address is where its platform says that it is; the vCenter's machines get one when they are made.
	address string
}

func demoMachines() []demoMachine {
	return []demoMachine{
		{"web-1", simvm.Debian12, "Debian 12", simvm.Sudo, "web", "prod", ""},
		{"web-2", simvm.Debian12, "Debian 12", simvm.Sudo, "web", "prod", ""},
		{"web-3", simvm.Debian12, "Debian 12", simvm.Sudo, "web", "prod", ""},
		{"app-1", simvm.Ubuntu2404, "Ubuntu 24.04", simvm.Sudo, "app", "prod", ""},
		{"db-1", simvm.Rocky9, "Rocky Linux 9", simvm.Root, "db", "prod", ""},
		{"edge-1", simvm.Alpine320, "Alpine 3.20", simvm.Root, "edge", "prod", ""},
		{"build-1", simvm.Arch, "Arch Linux", simvm.Sudo, "build", "dev", ""},
		{"test-1", simvm.Debian12, "Debian 12", simvm.Sudo, "test", "dev", ""},
	}
}

// startFleet starts the machines and writes the keys to reach them.
func (d *demo) startFleet(ctx context.Context) error {
	var machines []*simvm.Machine
	for _, m := range slices.Concat(demoMachines(), d.cloud.machine()) {
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

// startCenter starts the vCenter that lists the fleet, and writes what it takes to ask it and to get
// from the addresses that it tells, which are nobody's, to the servers on loopback.
func (d *demo) startCenter(ctx context.Context) error {
	var vms []simcenter.VM
	var ssh strings.Builder
	all := slices.Concat(demoMachines(), d.cloud.machine())
	for i, h := range d.fleet.Hosts() {
		m, address := all[i], all[i].address
		if address == "" {
			address = fmt.Sprintf("192.0.2.%d", 11+i)
			vms = append(vms, simcenter.VM{Name: m.name, UUID: h.UUID(), Address: address, Tags: map[string]string{"role": m.role, "env": m.env}})
		}
		host, port, _ := strings.Cut(h.Addr(), ":")
		fmt.Fprintf(&ssh, "Host %s\n  HostName %s\n  Port %s\n  User %s\n", address, host, port, m.login)
	}
	var err error
	if d.center, err = simcenter.Start(ctx, demoHost, vms...); err != nil {
		return err
	}
	d.later(d.center.Close)
	for name, content := range map[string]string{"ssh_config": ssh.String(), "vcenter-password": d.center.Password()} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("write the demo's %s: %w", name, err)
		}
	}
	return nil
}

// configuration is a vmdrift.yaml with which every vmdrift sees what the demo sees.
func (d *demo) configuration() string {
	database := "data: ."
	if !d.kept() {
		database = fmt.Sprintf("database: %q", d.url)
	}
	return fmt.Sprintf(`# The fleet of vmdrift demo, while it runs.
vmdrift: config/v1
%s
ssh:
  config: [ssh_config]
  identity_files: [id_ed25519]
  known_hosts: [known_hosts]
sources:
  - name: vcenter
    type: vsphere
    url: %s
    user: %s
    password: file:vcenter-password
    thumbprint: %s
%smachines:
  - {name: %s, address: local, labels: {role: demo}}
`, database, d.center.Host(), simcenter.User, d.center.Thumbprint(), d.cloud.source(), thisMachine)
}
