package drift_test

import (
	"errors"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// off is a night on which nobody answered.
func (f *fleet) off(name string, platform ...inventory.Observation) collector.Result {
	r := f.result(name)
	r.Outcome, r.Err = collector.SwitchedOff, errors.New("so the source says")
	r.Snapshot.Observations = platform
	return r
}

func TestAMachineThatNobodyWasInsideForTooLongIsDriftUntilSomebodyIs(t *testing.T) {
	f := newFleet(t)
	f.svc.UnseenAfter = 2 * 24 * time.Hour
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(f.off("web-1"))
	f.night(f.off("web-1"))
	f.findings()
	f.night(f.off("web-1")) // three days after
	f.findings("web-1 changed guest open Fri-Fri")
	f.night(f.off("web-1"))
	f.findings("web-1 changed guest open Fri-Fri") // as nothing was seen since
	f.night(f.result("web-1", sshd))
	f.findings("web-1 changed guest resolved Fri-Fri")
}

func TestAMachineWithoutAGuestIsNotMissed(t *testing.T) {
	f := newFleet(t)
	f.svc.UnseenAfter = time.Hour
	host := func() collector.Result {
		r := f.result("esx-1")
		r.Snapshot.Observations = []inventory.Observation{inventory.Observe(f.state(inventory.Hypervisor, "version\tbuild=1"))}
		return r
	}
	f.night(host())
	f.capture("esx", "role=web", host())
	f.night(host())
	f.night(host())
	f.findings()
}

func TestAChangedHostKeyIsDriftUntilTheKeyIsVerifiedAgain(t *testing.T) {
	f := newFleet(t)
	f.svc.UnseenAfter = 7 * 24 * time.Hour
	refused := func(o collector.Outcome) collector.Result {
		r := f.result("web-1")
		r.Outcome, r.Err = o, errors.New("it says so")
		r.Snapshot.Observations = nil
		return r
	}
	f.night(f.result("web-1", sshd))
	f.capture("web", "role=web", f.result("web-1", sshd))
	f.night(refused(collector.HostKeyChanged))
	f.findings("web-1 changed host_key open Wed-Wed")
	f.night(refused(collector.Unreachable)) // nobody looked at the key: nothing closes
	f.findings("web-1 changed host_key open Wed-Wed")
	f.night(refused(collector.AuthFailed)) // known_hosts has the new key, which lets nobody in yet
	f.findings("web-1 changed host_key resolved Wed-Wed")
	f.night(f.result("web-1", sshd))
	f.findings("web-1 changed host_key resolved Wed-Wed")
}

func TestTheHostKeyOfAGuestThatNobodyWasEverInsideCountsToo(t *testing.T) {
	f := newFleet(t)
	f.svc.UnseenAfter = 7 * 24 * time.Hour
	memory := inventory.Observe(f.state(inventory.Hardware, "memory\tmib=4096"))
	f.night(f.off("web-1", memory))
	f.capture("web", "role=web", f.off("web-1", memory))
	changed := f.off("web-1", memory)
	changed.Outcome = collector.HostKeyChanged
	f.night(changed)
	f.findings("web-1 changed host_key open Wed-Wed")
	f.night(f.off("web-1", memory))
	f.findings("web-1 changed host_key open Wed-Thu")
	f.night(f.result("web-1", sshd))
	f.findings("web-1 changed host_key resolved Wed-Thu")
}
