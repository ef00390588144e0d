package vsphere

import (
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// hardware observes what the machine is made of. Unset means off for the switches of this API:
// a property that was refused is told apart by object.missing. Snapshots taken before old are forgotten ones.
func hardware(o object, vm *mo.VirtualMachine, old time.Time) inventory.Observation {
	l := newList(inventory.Hardware)
	c := vm.Config
	on := powerOf(vm) == collector.PowerOn

	if l.read(o, "config.hardware.numCPU", "config.hardware.numCoresPerSocket", "config.cpuHotAddEnabled") {
		l.add("cpu", text("count", itoa(c.Hardware.NumCPU)), opt("cores_per_socket", positive(c.Hardware.NumCoresPerSocket)), flag("hot_add", isTrue(c.CpuHotAddEnabled)))
	}
	if l.read(o, "config.hardware.memoryMB", "config.memoryHotAddEnabled") {
		l.add("memory", text("mib", itoa(c.Hardware.MemoryMB)), flag("hot_add", isTrue(c.MemoryHotAddEnabled)))
	}
	if l.read(o, "config.firmware", "config.bootOptions") {
		secure := c.BootOptions != nil && isTrue(c.BootOptions.EfiSecureBootEnabled)
		l.add("firmware", opt("type", c.Firmware), flag("secure_boot", secure))
	}
	if l.read(o, "config.version") {
		l.add("version", opt("value", c.Version))
	}
	if l.read(o, "config.guestId") {
		l.add("guest_os", opt("id", c.GuestId))
	}
	if l.read(o, "config.keyId") {
		provider := ""
		if c.KeyId != nil && c.KeyId.ProviderId != nil {
			provider = c.KeyId.ProviderId.Id
		}
		// The key's own id changes when it is renewed.
		l.add("encryption", flag("encrypted", c.KeyId != nil), text("key_provider", provider))
	}
	tools(l, o, vm, on)
	if l.read(o, "config.hardware.device") {
		devices(l, c.Hardware.Device, on)
	}
	if l.read(o, "snapshot") && vm.Snapshot != nil {
		snapshots(l, vm.Snapshot.RootSnapshotList, old, 0)
	}
	return l.observation(inventory.Hardware)
}

// tools adds what is settled about VMware Tools. Whether they run, and their version in a machine
// that is off or starting, comes and goes.
func tools(l *list, o object, vm *mo.VirtualMachine, on bool) {
	if !l.read(o, "config.tools", "guest.toolsInstallType", "guest.toolsVersionStatus2") {
		return
	}
	var kind, status, policy string
	var sync *bool
	if t := vm.Config.Tools; t != nil {
		policy, sync = t.ToolsUpgradePolicy, t.SyncTimeWithHost
	}
	if g := vm.Guest; g != nil {
		kind, status = g.ToolsInstallType, g.ToolsVersionStatus2
	}
	if kind == string(types.VirtualMachineToolsInstallTypeGuestToolsTypeUnknown) {
		kind = ""
	}
	l.add("tools", opt("install_type", strings.TrimPrefix(kind, "guestToolsType")).onlyIf(on),
		opt("version_status", strings.TrimPrefix(status, "guestTools")).onlyIf(on),
		opt("upgrade_policy", policy), optFlag("time_sync", sync))
	if !on {
		l.lack(notRunning, "install_type", "version_status")
	}
}

// maxSnapshotDepth is four times as deep as the platform allows: the server may lie.
const maxSnapshotDepth = 128

// snapshots adds an item per snapshot, and one more once it is old: taking one is an everyday thing, and
// forgetting it another. Neither changes from night to night.
func snapshots(l *list, trees []types.VirtualMachineSnapshotTree, old time.Time, depth int) {
	if depth > maxSnapshotDepth {
		return
	}
	for _, t := range trees {
		key, created := unescapeName(t.Name)+"#"+itoa(t.Id), text("created", t.CreateTime.UTC().Format(time.RFC3339))
		l.add("snapshot/"+key, created)
		if t.CreateTime.Before(old) {
			l.add("old_snapshot/"+key, created)
		}
		snapshots(l, t.ChildSnapshotList, old, depth+1)
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// positive returns n as text, or nothing if it says nothing.
func positive(n *int32) string {
	if n == nil || *n <= 0 {
		return ""
	}
	return itoa(*n)
}
