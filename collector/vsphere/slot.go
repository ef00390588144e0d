package vsphere

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// A slot is where a device is plugged in.
type slot struct {
	name       string // SCSI(0:1)
	controller string // pvscsi
}

// controllers are a machine's controllers by the key that devices refer to.
type controllers map[int32]slot

// controllersOf finds the controllers, named after the bus and its number: "SCSI(0".
func controllersOf(all []types.BaseVirtualDevice) controllers {
	out := controllers{}
	for _, d := range all {
		c, ok := d.(types.BaseVirtualController)
		if !ok {
			continue
		}
		kind, bus := kindOf(d), ""
		switch d.(type) {
		case types.BaseVirtualSCSIController:
			bus = "SCSI"
		case types.BaseVirtualSATAController:
			bus = "SATA"
		case *types.VirtualNVMEController:
			bus = "NVME"
		case *types.VirtualIDEController:
			bus = "IDE"
		default:
			continue
		}
		vc := c.GetVirtualController()
		out[vc.Key] = slot{name: fmt.Sprintf("%s(%d", bus, vc.BusNumber), controller: kind}
	}
	return out
}

// slotOf returns where the device is plugged in; its own key if that is nowhere known.
func (cs controllers) slotOf(d *types.VirtualDevice) slot {
	c, ok := cs[d.ControllerKey]
	if !ok || d.UnitNumber == nil {
		return slot{name: itoa(d.Key)}
	}
	return slot{name: c.name + ":" + itoa(*d.UnitNumber) + ")", controller: c.controller}
}

// kindOf returns a device's type in short: VirtualVmxnet3 is vmxnet3, ParaVirtualSCSIController
// is paravirtualscsi.
func kindOf(d any) string {
	t := reflect.Indirect(reflect.ValueOf(d)).Type().Name()
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(t, "Virtual"), "Controller"))
}
