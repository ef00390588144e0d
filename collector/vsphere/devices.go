package vsphere

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// devices adds disks, drives, ports and what is passed through, under the names that vSphere's own
// pages give them: SCSI(0:1) is unit 1 at SCSI controller 0. Network cards are in the facet network.
func devices(l *list, all []types.BaseVirtualDevice, on bool) {
	at := controllersOf(all)
	vtpm := false
	for _, d := range all {
		dev := d.GetVirtualDevice()
		switch d := d.(type) {
		case *types.VirtualDisk:
			disk(l, d, at.slotOf(dev))
		case *types.VirtualCdrom:
			drive(l, "cdrom", dev, at.slotOf(dev).name, on)
		case *types.VirtualFloppy:
			drive(l, "floppy", dev, itoa(dev.Key), on)
		case *types.VirtualUSB:
			drive(l, "usb", dev, itoa(dev.Key), on)
		case *types.VirtualSerialPort:
			drive(l, "serial", dev, itoa(dev.Key), on)
		case *types.VirtualParallelPort:
			drive(l, "parallel", dev, itoa(dev.Key), on)
		case *types.VirtualPCIPassthrough:
			l.add("pci/"+itoa(dev.Key), text("backing", backing(dev.Backing)))
		case *types.VirtualNVDIMM:
			l.add("nvdimm/"+itoa(dev.Key), text("mib", itoa(d.CapacityInMB)))
		case *types.VirtualTPM:
			vtpm = true
		case types.BaseVirtualSCSIController:
			c := d.GetVirtualSCSIController()
			l.add(fmt.Sprintf("controller/SCSI(%d)", c.BusNumber), text("type", kindOf(d)), opt("sharing", sharing(string(c.SharedBus))))
		}
	}
	l.add("vtpm", flag("present", vtpm))
}

// disk adds a disk. Where its files lie is left out: storage DRS moves them. So is what a snapshot
// changes: the file that is written to is another one, and grows whatever the disk is.
func disk(l *list, d *types.VirtualDisk, at slot) {
	size := d.CapacityInBytes
	if size == 0 {
		size = d.CapacityInKB * 1024
	}
	var mode, shared string
	var thin *bool
	var encrypted bool
	kind := backing(d.Backing)
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		mode, shared, encrypted = b.DiskMode, b.Sharing, b.KeyId != nil
		base := b
		for range maxSnapshotDepth {
			if base.Parent == nil {
				break
			}
			base = base.Parent
		}
		thin = base.ThinProvisioned
	case *types.VirtualDiskSeSparseBackingInfo:
		mode, encrypted = b.DiskMode, b.KeyId != nil
		kind = "file"
		t := true
		thin = &t
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		mode, shared = b.DiskMode, b.Sharing
		kind = "rdm " + strings.TrimSuffix(b.CompatibilityMode, "Mode")
	}
	l.add("disk/"+at.name, text("size_bytes", itoa(size)), opt("controller", at.controller), opt("mode", mode),
		optFlag("thin", thin), opt("sharing", sharing(shared)), text("backing", kind), flag("encrypted", encrypted))
}

// drive adds a device that something can be connected to. A machine that is off has nothing connected,
// whatever it will have.
func drive(l *list, kind string, dev *types.VirtualDevice, where string, on bool) {
	fields := []field{text("backing", backing(dev.Backing))}
	if c := dev.Connectable; c != nil {
		fields = append(fields, flag("connected", c.Connected).onlyIf(on), flag("start_connected", c.StartConnected))
		if !on {
			l.lack(notRunning, "connected")
		}
	}
	l.add(kind+"/"+where, fields...)
}

// backing says what is behind a device: "iso [store] a/b.iso", "host /dev/sr0", "client", "file".
func backing(b types.BaseVirtualDeviceBackingInfo) string {
	switch b := b.(type) {
	case nil:
		return ""
	case *types.VirtualCdromIsoBackingInfo:
		return strings.TrimSpace("iso " + b.FileName)
	case *types.VirtualFloppyImageBackingInfo:
		return strings.TrimSpace("image " + b.FileName)
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		return "rdm"
	case *types.VirtualSerialPortURIBackingInfo:
		return "uri " + b.ServiceURI
	case *types.VirtualPCIPassthroughVmiopBackingInfo:
		return "vgpu " + b.Vgpu
	case types.BaseVirtualDeviceRemoteDeviceBackingInfo:
		return "client"
	case types.BaseVirtualDeviceFileBackingInfo:
		return "file"
	case types.BaseVirtualDevicePipeBackingInfo:
		return "pipe"
	case types.BaseVirtualDeviceDeviceBackingInfo:
		return strings.TrimSpace("host " + b.GetVirtualDeviceDeviceBackingInfo().DeviceName)
	}
	return "other"
}

// sharing returns the platform's word for sharing without what every one of them has.
func sharing(word string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(word, "sharing"), "Sharing"))
}
