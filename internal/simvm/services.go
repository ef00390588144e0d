package simvm

import (
	"fmt"
	"slices"
	"strings"
)

// A Service is a systemd unit or an OpenRC service.
type Service struct {
	Name string // on systemd with its suffix: ssh.service, fstrim.timer
	// WantedBy is the target or the runlevel that starts it when it is enabled. Empty
	// means that it can't be enabled (systemd calls it static).
	WantedBy string
	Enabled  bool
	Masked   bool         // systemd only
	State    ServiceState // empty when adding: Running if it is enabled, else Stopped

	Type     string   // of a systemd service: notify, dbus, oneshot…; empty is simple
	BusName  string   // it is started when somebody asks for this name
	Remains  bool     // a oneshot that stays active once it is done
	Aliases  []string // other names that enabling it makes
	PulledBy string   // the target that always starts it (a link of the distribution's own)
	Runtime  bool     // a generator links it into a target
	Instance string   // of a template: what enabling it starts
}

// A ServiceState is what a service does now.
type ServiceState string

// What a service can be.
const (
	Running ServiceState = "running" // sockets listen, timers and paths wait
	Exited  ServiceState = "exited"  // a oneshot that has done its work and remains
	Stopped ServiceState = "stopped"
	Failed  ServiceState = "failed"
)

// Services returns the services.
func (m *Machine) Services() []Service { return slices.Clone(m.image().state.services) }

// AddService adds a service, as a package does that brings one.
func (m *Machine) AddService(v Service) error {
	return m.change(func(s *state) error {
		if _, err := m.dist.findService(s, v.Name); err == nil {
			return fmt.Errorf("service %s is there already", v.Name)
		}
		if m.dist.init == systemd && !strings.Contains(v.Name, ".") {
			v.Name += ".service"
		}
		if v.State == "" {
			v.State = Stopped
			if v.Enabled {
				v.State = Running
			}
		}
		s.services = append(s.services, v)
		return nil
	})
}

// RemoveService removes a service with all that enabled it.
func (m *Machine) RemoveService(name string) error {
	return m.change(func(s *state) error {
		i, err := m.dist.findService(s, name)
		if err == nil {
			s.services = slices.Delete(s.services, i, i+1)
		}
		return err
	})
}

// EnableService makes a service start at boot. It does not start it now. The .service
// of a name may be left out, here and below.
func (m *Machine) EnableService(name string) error { return m.setEnabled(name, true) }

// DisableService makes a service not start at boot. It does not stop it now.
func (m *Machine) DisableService(name string) error { return m.setEnabled(name, false) }

func (m *Machine) setEnabled(name string, on bool) error {
	return m.changeService(name, func(v *Service) error {
		if v.WantedBy == "" || v.Enabled == on {
			return fmt.Errorf("service %s can't be enabled, or is so already", name)
		}
		v.Enabled = on
		return nil
	})
}

// MaskService makes a systemd unit impossible to start; UnmaskService undoes that.
func (m *Machine) MaskService(name string) error {
	return m.changeService(name, func(v *Service) error { v.Masked = true; return nil })
}

// UnmaskService undoes MaskService.
func (m *Machine) UnmaskService(name string) error {
	return m.changeService(name, func(v *Service) error { v.Masked = false; return nil })
}

// StartService starts a service now.
func (m *Machine) StartService(name string) error { return m.setState(name, Running) }

// StopService stops a service now.
func (m *Machine) StopService(name string) error { return m.setState(name, Stopped) }

// FailService makes a service fail.
func (m *Machine) FailService(name string) error { return m.setState(name, Failed) }

func (m *Machine) setState(name string, to ServiceState) error {
	return m.changeService(name, func(v *Service) error { v.State = to; return nil })
}

func (m *Machine) changeService(name string, f func(*Service) error) error {
	return m.change(func(s *state) error {
		i, err := m.dist.findService(s, name)
		if err != nil {
			return err
		}
		return f(&s.services[i])
	})
}

func (d *distribution) findService(s *state, name string) (int, error) {
	i := slices.IndexFunc(s.services, func(v Service) bool {
		return v.Name == name || d.init == systemd && v.Name == name+".service"
	})
	if i < 0 {
		return 0, fmt.Errorf("there is no service %s", name)
	}
	return i, nil
}
