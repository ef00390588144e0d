// Package simcenter is a vCenter with machines that are made up, for the demo and for tests: govmomi's
// simulator behind TLS on loopback, with virtual machines of given names, and what happens to them.
//
// It knows nothing of the guests: an address is all that a vCenter knows of where one is. The simulator keeps
// some of its models in package variables, so that there is one at a time in a process.
package simcenter

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/rest"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// A VM is a virtual machine to be there.
type VM struct {
	Name    string
	UUID    string            // of its firmware
	Address string            // of its guest, as VMware Tools tell it
	Tags    map[string]string // category and tag
}

// User is who may log in.
const User = "vmdrift@vsphere.local"

// A Center is a simulated vCenter with one host. Close it.
type Center struct {
	model    *simulator.Model
	server   *simulator.Server
	admin    *vim25.Client
	password string
	vms      map[string]*object.VirtualMachine
	host     *simulator.HostSystem
}

// Start starts a vCenter with a host of that name and with those machines, all switched on.
func Start(ctx context.Context, host string, vms ...VM) (*Center, error) {
	m := simulator.VPX()
	m.Host, m.ClusterHost, m.Machine = 0, 1, len(vms)
	if err := m.Create(); err != nil {
		return nil, fmt.Errorf("make a simulated vCenter: %w", err)
	}
	c := &Center{model: m, password: rand.Text(), vms: map[string]*object.VirtualMachine{}}
	m.Service.TLS = new(tls.Config)
	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{User: url.UserPassword(User, c.password), Host: "127.0.0.1:0"}
	c.server = m.Service.NewServer()
	c.server.Config.ErrorLog = log.New(quiet{}, "", 0)
	if err := c.fill(ctx, host, vms); err != nil {
		return nil, errors.Join(fmt.Errorf("fill the simulated vCenter: %w", err), c.Close())
	}
	return c, nil
}

// quiet drops what a TLS server says about clients that hang up.
type quiet struct{}

func (quiet) Write(p []byte) (int, error) { return len(p), nil }

func (c *Center) fill(ctx context.Context, host string, vms []VM) error {
	var err error
	if c.admin, err = vim25.NewClient(ctx, c.model.Service); err != nil {
		return err
	}
	c.nameHost(host)
	var refs []types.ManagedObjectReference
	for _, e := range c.model.Map().All("VirtualMachine") {
		refs = append(refs, e.Reference())
	}
	slices.SortFunc(refs, func(a, b types.ManagedObjectReference) int { return strings.Compare(a.Value, b.Value) })
	for i, v := range vms {
		c.vms[v.Name] = object.NewVirtualMachine(c.admin, refs[i])
		err := c.reconfigure(ctx, v.Name, types.VirtualMachineConfigSpec{
			Name: v.Name, Uuid: v.UUID, MemoryMB: 4096,
			ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "SET.guest.ipAddress", Value: v.Address}},
		})
		if err == nil {
			err = c.unplugCDROM(ctx, v.Name)
		}
		if err != nil {
			return err
		}
	}
	return c.tag(ctx, vms)
}

// unplugCDROM takes away the drive, which the simulator gives a random name on each machine.
func (c *Center) unplugCDROM(ctx context.Context, vm string) error {
	devices, err := c.vms[vm].Device(ctx)
	if err != nil {
		return err
	}
	return c.vms[vm].RemoveDevice(ctx, false, devices.SelectByType((*types.VirtualCdrom)(nil))...)
}

// nameHost names the host, and gives it what the simulator leaves out.
func (c *Center) nameHost(name string) {
	c.host = c.model.Map().Any("HostSystem").(*simulator.HostSystem)
	c.update(func() {
		c.host.Name, c.host.Summary.Config.Name = name, name
		c.host.Config.DateTimeInfo = &types.HostDateTimeInfo{NtpConfig: &types.HostNtpConfig{Server: []string{"ntp.example.com"}}}
	})
}

// update changes the host under the simulator's lock.
func (c *Center) update(f func()) {
	c.model.Service.Context.WithLock(c.host.Reference(), f)
}

func (c *Center) tag(ctx context.Context, vms []VM) error {
	// Tags are served by HTTP alone, so this goes in by the front door.
	ca, err := c.server.CertificateFile()
	if err != nil {
		return err
	}
	front := soap.NewClient(&url.URL{Scheme: "https", Host: c.Host(), Path: "/sdk"}, false)
	if err := front.SetRootCAs(ca); err != nil {
		return err
	}
	client, err := vim25.NewClient(ctx, front)
	if err != nil {
		return err
	}
	r := rest.NewClient(client)
	if err := r.Login(ctx, url.UserPassword(User, c.password)); err != nil {
		return err
	}
	m := tags.NewManager(r)
	made := map[string]bool{}
	for _, v := range vms {
		for category, tag := range v.Tags {
			if !made[category] {
				made[category] = true
				if _, err := m.CreateCategory(ctx, &tags.Category{Name: category, Cardinality: "SINGLE"}); err != nil {
					return err
				}
			}
			if !made[category+"/"+tag] {
				made[category+"/"+tag] = true
				if _, err := m.CreateTag(ctx, &tags.Tag{Name: tag, CategoryID: category}); err != nil {
					return err
				}
			}
			t, err := m.GetTagForCategory(ctx, tag, category)
			if err != nil {
				return err
			}
			if err := m.AttachTag(ctx, t.ID, c.vms[v.Name].Reference()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Host returns where it listens, host:port.
func (c *Center) Host() string { return c.server.URL.Host }

// Password returns the password of User.
func (c *Center) Password() string { return c.password }

// Certificate returns the certificate that it shows, in PEM form.
func (c *Center) Certificate() ([]byte, error) {
	path, err := c.server.CertificateFile()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Thumbprint returns the SHA-256 of the certificate that it shows, in hexadecimal.
func (c *Center) Thumbprint() string {
	sum := sha256.Sum256(c.server.TLS.Certificates[0].Certificate[0])
	return hex.EncodeToString(sum[:])
}

// Close ends it.
func (c *Center) Close() error {
	c.server.Close()
	c.model.Remove()
	return nil
}

// MoveNIC plugs the first network card of a machine into the standard port group "VM Network".
func (c *Center) MoveNIC(ctx context.Context, vm string) error {
	o, err := c.vm(vm)
	if err != nil {
		return err
	}
	devices, err := o.Device(ctx)
	if err != nil {
		return err
	}
	cards := devices.SelectByType((*types.VirtualEthernetCard)(nil))
	if len(cards) == 0 {
		return fmt.Errorf("%s has no network card", vm)
	}
	cards[0].GetVirtualDevice().Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"},
	}
	return o.EditDevice(ctx, cards[0])
}

// PowerOff switches a machine off. What its guest does is not the vCenter's.
func (c *Center) PowerOff(ctx context.Context, vm string) error {
	o, err := c.vm(vm)
	if err != nil {
		return err
	}
	return done(ctx)(o.PowerOff(ctx))
}

// SetMemory gives a machine that much memory, in MiB; it starts with 4096.
func (c *Center) SetMemory(ctx context.Context, vm string, mib int64) error {
	return c.reconfigure(ctx, vm, types.VirtualMachineConfigSpec{MemoryMB: mib})
}

// StartSSH starts the SSH server of the host, which then also starts with it.
func (c *Center) StartSSH() {
	c.update(func() {
		services := slices.Clone(c.host.Config.Service.Service) // the simulator's template has it too
		c.host.Config.Service = &types.HostServiceInfo{Service: services}
		for i, s := range services {
			if s.Key == "TSM-SSH" {
				services[i].Running, services[i].Policy = true, "on"
			}
		}
	})
}

func (c *Center) vm(name string) (*object.VirtualMachine, error) {
	if o := c.vms[name]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("there is no virtual machine %s", name)
}

func (c *Center) reconfigure(ctx context.Context, vm string, spec types.VirtualMachineConfigSpec) error {
	o, err := c.vm(vm)
	if err != nil {
		return err
	}
	return done(ctx)(o.Reconfigure(ctx, spec))
}

// done waits for a task.
func done(ctx context.Context) func(*object.Task, error) error {
	return func(t *object.Task, err error) error {
		if err != nil {
			return err
		}
		return t.Wait(ctx)
	}
}
