package main

import (
	"context"
	"crypto/tls"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

// A vcenter is the simulated vCenter of one script, behind TLS.
type vcenter struct{ admin *vim25.Client }

// start is the command `vcenter`: two machines on one host. It sets $VCENTER and $SSHPORT (of
// the first simulated guest) and writes vcenter.pem and the password's file.
func (v *vcenter) start(ts *testscript.TestScript, g *guests) {
	t := ts.Value(fleetKey{}).(*testing.T)
	m := simulator.VPX()
	m.Host, m.ClusterHost, m.Machine = 0, 1, 2
	ts.Check(m.Create())
	t.Cleanup(m.Remove)
	m.Service.TLS = new(tls.Config)
	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{User: url.UserPassword("vmdrift", "hunter2"), Host: "127.0.0.1:0"}
	server := m.Service.NewServer()
	t.Cleanup(server.Close)
	var err error
	v.admin, err = vim25.NewClient(context.Background(), m.Service)
	ts.Check(err)
	cert, err := server.CertificateFile()
	ts.Check(err)
	pem, err := os.ReadFile(cert)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("vcenter.pem"), pem, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("password"), []byte("hunter2\n"), 0o600))
	ts.Setenv("VCENTER", server.URL.Host)
	_, port, _ := strings.Cut(g.fleet.Hosts()[0].Addr(), ":")
	ts.Setenv("SSHPORT", port)
}

// vm is the command `vm NAME WHAT [VALUE]`.
func (v *vcenter) vm(ts *testscript.TestScript, g *guests, args []string) {
	ctx := context.Background()
	finder := find.NewFinder(v.admin)
	dc, err := finder.DefaultDatacenter(ctx)
	ts.Check(err)
	vm, err := finder.SetDatacenter(dc).VirtualMachine(ctx, args[0])
	ts.Check(err)
	done := func(task *object.Task, err error) {
		ts.Check(err)
		ts.Check(task.Wait(ctx))
	}
	switch args[1] {
	case "address":
		done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{
			&types.OptionValue{Key: "SET.guest.ipAddress", Value: args[2]},
		}}))
	case "is": // the simulated guest of that name runs in it
		done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{Uuid: g.fleet.Host(args[2]).UUID()}))
	case "delete":
		done(vm.PowerOff(ctx))
		done(vm.Destroy(ctx))
	case "memory":
		mb, err := strconv.ParseInt(args[2], 10, 64)
		ts.Check(err)
		done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{MemoryMB: mb}))
	case "off":
		done(vm.PowerOff(ctx))
	default:
		ts.Fatalf("nobody can %s", args[1])
	}
}
