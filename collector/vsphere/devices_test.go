package vsphere

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func ptr[T any](v T) *T { return &v }

// machine has what the simulator leaves empty.
func machine() *mo.VirtualMachine {
	vm := &mo.VirtualMachine{}
	vm.Runtime.PowerState = types.VirtualMachinePowerStatePoweredOn
	vm.Runtime.ConnectionState = types.VirtualMachineConnectionStateConnected
	vm.Runtime.Host = &ref{Type: "HostSystem", Value: "host-1"}
	vm.Config = &types.VirtualMachineConfigInfo{
		InstanceUuid: "50130000-0000-0000-0000-000000000001", Uuid: "4213FB4C-B8A6-2E7C-0D5F-9F3A1C7E5B60",
		Version: "vmx-19", GuestId: "debian11_64Guest", Firmware: "efi",
		Tools: &types.ToolsConfigInfo{ToolsUpgradePolicy: "manual", SyncTimeWithHost: ptr(false)},
		KeyId: &types.CryptoKeyId{KeyId: "k1", ProviderId: &types.KeyProviderId{Id: "kms"}},
	}
	vm.Guest = &types.GuestInfo{ToolsInstallType: "guestToolsTypeOpenVMTools", ToolsVersionStatus2: "guestToolsUnmanaged"}
	scsi := &types.ParaVirtualSCSIController{}
	scsi.Key, scsi.SharedBus = 1000, types.VirtualSCSISharingPhysicalSharing
	nvme := &types.VirtualNVMEController{}
	nvme.Key = 31000
	base := &types.VirtualDiskFlatVer2BackingInfo{ThinProvisioned: ptr(false), DiskMode: "persistent"}
	delta := &types.VirtualDiskFlatVer2BackingInfo{
		ThinProvisioned: ptr(true), DiskMode: "persistent", Sharing: "sharingNone", Parent: base, KeyId: &types.CryptoKeyId{KeyId: "k1"},
	}
	device := func(d types.BaseVirtualDevice, key, controller, unit int32, backing types.BaseVirtualDeviceBackingInfo) types.BaseVirtualDevice {
		v := d.GetVirtualDevice()
		v.Key, v.ControllerKey, v.UnitNumber, v.Backing = key, controller, &unit, backing
		return d
	}
	vm.Config.Hardware.NumCPU, vm.Config.Hardware.NumCoresPerSocket, vm.Config.Hardware.MemoryMB = 4, ptr(int32(2)), 8192
	cd := device(&types.VirtualCdrom{}, 3000, 1000, 9, &types.VirtualCdromIsoBackingInfo{
		VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[iso] evil\n.iso"},
	})
	cd.GetVirtualDevice().Connectable = &types.VirtualDeviceConnectInfo{Connected: true, StartConnected: true}
	nic := device(&types.VirtualVmxnet3{}, 4000, 100, 7, &types.VirtualEthernetCardOpaqueNetworkBackingInfo{OpaqueNetworkId: "seg-1", OpaqueNetworkType: "nsx.LogicalSwitch"})
	nic.(*types.VirtualVmxnet3).MacAddress = "00:50:56:aa:bb:cc"
	nic.GetVirtualDevice().Connectable = &types.VirtualDeviceConnectInfo{Connected: true, StartConnected: true}
	vm.Config.Hardware.Device = []types.BaseVirtualDevice{
		scsi, nvme,
		device(&types.VirtualDisk{CapacityInBytes: 1 << 30}, 2000, 1000, 0, delta),
		device(&types.VirtualDisk{CapacityInKB: 4}, 2001, 31000, 1, &types.VirtualDiskRawDiskMappingVer1BackingInfo{CompatibilityMode: "physicalMode", DiskMode: "independent_persistent"}),
		cd, nic, &types.VirtualTPM{},
		device(&types.VirtualUSB{}, 7000, 0, 0, &types.VirtualUSBUSBBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "path:1/0/2"}}),
		device(&types.VirtualSerialPort{}, 9000, 0, 0, &types.VirtualSerialPortURIBackingInfo{VirtualDeviceURIBackingInfo: types.VirtualDeviceURIBackingInfo{ServiceURI: "telnet://:7001"}}),
		device(&types.VirtualPCIPassthrough{}, 13000, 0, 0, &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: "grid_t4"}),
		device(&types.VirtualFloppy{}, 8000, 0, 0, &types.VirtualFloppyRemoteDeviceBackingInfo{}),
	}
	day := time.Date(2024, 2, 29, 12, 0, 0, 0, time.FixedZone("", 3600))
	vm.Snapshot = &types.VirtualMachineSnapshotInfo{RootSnapshotList: []types.VirtualMachineSnapshotTree{
		{Name: "a%2fb", Id: 1, CreateTime: day, ChildSnapshotList: []types.VirtualMachineSnapshotTree{{Name: "a%2fb", Id: 2, CreateTime: day}}},
	}}
	return vm
}

func TestAllThatAMachineIsMadeOfIsInItsFacets(t *testing.T) {
	in := newInfra()
	in.networks["seg-1"] = network{name: "web"}
	l, ok := in.listVM("lab", object{}, machine())
	if !ok {
		t.Fatal("not listed")
	}
	want := `controller/SCSI(0)	sharing=physical	type=paravirtualscsi
cdrom/SCSI(0:9)	backing=iso [iso] evil\n.iso	connected=yes	start_connected=yes
cpu	cores_per_socket=2	count=4	hot_add=no
disk/NVME(0:1)	backing=rdm physical	controller=nvme	encrypted=no	mode=independent_persistent	size_bytes=4096
disk/SCSI(0:0)	backing=file	controller=paravirtualscsi	encrypted=yes	mode=persistent	sharing=none	size_bytes=1073741824	thin=no
encryption	encrypted=yes	key_provider=kms
firmware	secure_boot=no	type=efi
floppy/8000	backing=client
guest_os	id=debian11_64Guest
memory	hot_add=no	mib=8192
pci/13000	backing=vgpu grid_t4
serial/9000	backing=uri telnet://:7001
snapshot/a/b#1	created=2024-02-29T11:00:00Z
snapshot/a/b#2	created=2024-02-29T11:00:00Z
tools	install_type=OpenVMTools	time_sync=no	upgrade_policy=manual	version_status=Unmanaged
usb/7000	backing=host path:1/0/2
version	value=vmx-19
vtpm	present=yes
`
	if d := cmp.Diff(sorted(want), facet(t, l, inventory.Hardware).State.Text()); d != "" {
		t.Error(d)
	}
	wantNet := "nic/4000\tattached_to=web\tattachment=opaque nsx.LogicalSwitch\tconnected=yes\tmac=00:50:56:aa:bb:cc\tnetwork_id=seg-1\tstart_connected=yes\tswitch=\ttype=vmxnet3\n"
	if d := cmp.Diff(wantNet, facet(t, l, inventory.Network).State.Text()); d != "" {
		t.Error(d)
	}
}

func TestWhatOnlyARunningMachineTellsIsUnknownOfOneThatIsOff(t *testing.T) {
	vm := machine()
	vm.Runtime.PowerState = types.VirtualMachinePowerStatePoweredOff
	l, _ := newInfra().listVM("lab", object{}, vm)
	o := facet(t, l, inventory.Hardware)
	if o.Status != inventory.Partial || !o.ItemsComplete || strings.Join(o.Missing, " ") != "connected install_type version_status" || strings.Contains(o.State.Text(), "\tconnected=") {
		t.Errorf("%+v\n%s", o, o.State.Text())
	}
	if n := facet(t, l, inventory.Network); n.Status != inventory.Partial || strings.Contains(n.State.Text(), "\tconnected=") {
		t.Errorf("%+v", n)
	}
}

func TestWhatIsRefusedIsNotMadeUp(t *testing.T) {
	o := object{missing: map[string]types.BaseMethodFault{"config.hardware.device": &types.NoPermission{PrivilegeId: "System.Read"}}}
	l, _ := newInfra().listVM("lab", o, machine())
	hw := facet(t, l, inventory.Hardware)
	if hw.Status != inventory.Partial || hw.ItemsComplete || !strings.Contains(hw.Reason, "System.Read") {
		t.Errorf("%+v", hw)
	}
	if _, ok := hw.State.Get("vtpm"); ok {
		t.Error("a vTPM is told to be absent")
	}
	if n := facet(t, l, inventory.Network); n.Status != inventory.Denied {
		t.Errorf("%+v", n)
	}
}

func TestAMachineWithoutConfigurationIsAProblemAndNotListed(t *testing.T) {
	vm := &mo.VirtualMachine{}
	vm.Name, vm.Runtime.ConnectionState = "lost%2fone", types.VirtualMachineConnectionStateInaccessible
	if _, ok := newInfra().listVM("lab", object{}, vm); ok {
		t.Error("listed without an identity")
	}
	p := unidentified([]string{nameless(object{}, vm)})
	if len(p) != 1 || !strings.Contains(p[0].Err.Error(), "lost/one (inaccessible)") {
		t.Errorf("%+v", p)
	}
}

func TestASnapshotDoesNotChangeADisk(t *testing.T) {
	vm := machine()
	before := hardware(object{}, vm, time.Time{}).State
	disk := vm.Config.Hardware.Device[2].(*types.VirtualDisk)
	old := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	next := *old
	next.Parent, next.FileName = old, "[ds] vm/vm-000002.vmdk"
	disk.Backing = &next
	if after := hardware(object{}, vm, time.Time{}).State; after.Digest() != before.Digest() {
		t.Error(cmp.Diff(before.Text(), after.Text()))
	}
}

func TestASnapshotThatIsForgottenIsTold(t *testing.T) {
	vm := machine()
	taken := time.Date(2024, 2, 29, 11, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		old  time.Time
		want bool
	}{{taken, false}, {taken.Add(time.Second), true}} {
		text := hardware(object{}, vm, c.old).State.Text()
		if got := strings.Contains(text, "old_snapshot/a/b#1\tcreated=2024-02-29T11:00:00Z"); got != c.want {
			t.Errorf("of one taken at %s, where those before %s are old: told is %v", taken, c.old, got)
		}
	}
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(sortedStrings(lines), "")
}
