package vsphere

import (
	"context"
	"net/url"

	govc "github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// What an administrator does to the simulated vCenter.

func (s *sim) vm(name string) *simulator.VirtualMachine {
	s.t.Helper()
	for _, e := range s.model.Map().All("VirtualMachine") {
		if vm := e.(*simulator.VirtualMachine); vm.Name == name {
			return vm
		}
	}
	s.t.Fatalf("there is no %s", name)
	return nil
}

func (s *sim) object(name string) *govc.VirtualMachine {
	return govc.NewVirtualMachine(s.admin, s.vm(name).Self)
}

func (s *sim) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *sim) wait(task *govc.Task, err error) {
	s.t.Helper()
	s.must(err)
	s.must(task.Wait(context.Background()))
}

func (s *sim) reconfigure(name string, spec types.VirtualMachineConfigSpec) {
	s.t.Helper()
	s.wait(s.object(name).Reconfigure(context.Background(), spec))
}

func (s *sim) devices(name string) govc.VirtualDeviceList {
	s.t.Helper()
	l, err := s.object(name).Device(context.Background())
	s.must(err)
	return l
}

func (s *sim) markTemplate(name string) {
	s.t.Helper()
	s.powerOff(name)
	s.must(s.object(name).MarkAsTemplate(context.Background()))
}

func (s *sim) powerOff(name string) {
	s.t.Helper()
	s.wait(s.object(name).PowerOff(context.Background()))
}

func (s *sim) destroy(name string) {
	s.t.Helper()
	s.powerOff(name)
	s.wait(s.object(name).Destroy(context.Background()))
}

func (s *sim) tagManager() *tags.Manager {
	s.t.Helper()
	u, err := url.Parse(s.server.URL + "/sdk")
	s.must(err)
	sc := soap.NewClient(u, false)
	sc.SetThumbprint(u.Host, thumbprint(s.server.Certificate()))
	c, err := vim25.NewClient(context.Background(), sc)
	s.must(err)
	r := rest.NewClient(c)
	s.must(r.Login(context.Background(), url.UserPassword(user, password)))
	return tags.NewManager(r)
}

func (s *sim) attachTag(category, tag, vm string) {
	s.t.Helper()
	ctx, m := context.Background(), s.tagManager()
	if _, err := m.GetCategory(ctx, category); err != nil {
		_, err := m.CreateCategory(ctx, &tags.Category{Name: category, Cardinality: "SINGLE"})
		s.must(err)
	}
	_, err := m.CreateTag(ctx, &tags.Tag{Name: tag, CategoryID: category})
	s.must(err)
	s.must(m.AttachTag(ctx, tag, s.vm(vm).Self))
}

func (s *sim) detachTag(tag, vm string) {
	s.t.Helper()
	s.must(s.tagManager().DetachTag(context.Background(), tag, s.vm(vm).Self))
}

func (s *sim) setAttribute(vm, name, value string) {
	s.t.Helper()
	ctx := context.Background()
	m := govc.NewCustomFieldsManager(s.admin)
	key, err := m.FindKey(ctx, name)
	if err != nil {
		def, err := m.Add(ctx, name, "VirtualMachine", nil, nil)
		s.must(err)
		key = def.Key
	}
	s.must(m.Set(ctx, s.vm(vm).Self, key, value))
}
