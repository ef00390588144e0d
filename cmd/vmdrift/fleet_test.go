package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vmdrift/vmdrift/internal/simvm"
)

// guests are the simulated machines of one script.
type guests struct{ fleet *simvm.Fleet }

type fleetKey struct{}

// start is the command `guests NAME=DISTRIBUTION…`: it starts the machines and writes
// vmdrift.yaml, a key (id_ed25519) and known_hosts for them. A name's part before
// the dash is its label role.
func (g *guests) start(ts *testscript.TestScript, _ bool, args []string) {
	var machines []*simvm.Machine
	for _, a := range args {
		name, dist, ok := strings.Cut(a, "=")
		if !ok {
			ts.Fatalf("usage: guests NAME=DISTRIBUTION…")
		}
		machines = append(machines, simvm.New(name, simvm.Distribution(dist)))
	}
	fleet, err := startFleet(ts.Value(fleetKey{}).(*testing.T), ts.MkAbs("."), machines...)
	ts.Check(err)
	g.fleet = fleet
}

// startFleet starts machines and writes into dir what it takes to scan them.
func startFleet(t testing.TB, dir string, machines ...*simvm.Machine) (*simvm.Fleet, error) {
	fleet, err := simvm.Start(t.Context(), machines...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = fleet.Close() })
	if _, _, err := fleet.WriteFiles(dir); err != nil {
		return nil, err
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "vmdrift: config/v1\nssh: {identity_files: [id_ed25519], known_hosts: [known_hosts], config: [none]}\nmachines:\n")
	for _, h := range fleet.Hosts() {
		role, _, _ := strings.Cut(h.Name(), "-")
		fmt.Fprintf(&conf, "  - {name: %s, address: \"root@%s\", labels: {role: %s}}\n", h.Name(), h.Addr(), role)
	}
	return fleet, os.WriteFile(filepath.Join(dir, "vmdrift.yaml"), []byte(conf.String()), 0o600)
}

// inventory is the command `inventory FILE`: it writes an Ansible inventory of the machines.
func (g *guests) inventory(ts *testscript.TestScript, _ bool, args []string) {
	var ini strings.Builder
	ini.WriteString("[all:vars]\nansible_user=root\nansible_password=hunter2\n")
	for _, h := range g.fleet.Hosts() {
		role, _, _ := strings.Cut(h.Name(), "-")
		host, port, _ := strings.Cut(h.Addr(), ":")
		fmt.Fprintf(&ini, "[%s]\n%s ansible_host=%s ansible_port=%s\n", role, h.Name(), host, port)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ini.String()), 0o600))
}

// on is the command `on NAME WHAT ARGS…`: it lets something happen on a machine.
func (g *guests) on(ts *testscript.TestScript, _ bool, args []string) {
	h := g.fleet.Host(args[0])
	if h == nil {
		ts.Fatalf("there is no machine %s", args[0])
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		ts.Check(err)
		return n
	}
	switch what, a := args[1], args[2:]; what {
	case "install":
		ts.Check(h.InstallPackage(simvm.Package{Name: a[0], Version: a[1]}))
	case "upgrade":
		ts.Check(h.UpgradePackage(a[0], a[1]))
	case "listen":
		ts.Check(h.Listen(a[0], a[1], number(a[2]), a[3], a[4]))
	case "unlisten":
		ts.Check(h.Unlisten(a[0], a[1], number(a[2])))
	case "useradd":
		ts.Check(h.AddUser(simvm.User{Name: a[0], UID: number(a[1]), GID: number(a[1])}))
	case "stop":
		ts.Check(h.StopService(a[0]))
	case "off":
		h.Disconnect()
	case "boot":
		ts.Check(h.Connect())
	case "rekey":
		ts.Check(h.ChangeHostKey())
	case "address": // sets a variable: $NAME
		ts.Setenv("ADDRESS", h.Addr())
	default:
		ts.Fatalf("nobody can %s", what)
	}
}
