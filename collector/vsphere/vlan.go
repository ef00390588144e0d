package vsphere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

func itoa[T int32 | int64 | int](n T) string { return strconv.FormatInt(int64(n), 10) }

// vlanOf returns what a distributed port group does with VLANs: a number (0 is none), ranges
// for a trunk, or a private VLAN.
func vlanOf(setting types.BaseDVPortSetting) (string, bool) {
	s, ok := setting.(*types.VMwareDVSPortSetting)
	if !ok {
		return "", false
	}
	switch v := s.Vlan.(type) {
	case *types.VmwareDistributedVirtualSwitchVlanIdSpec:
		return itoa(v.VlanId), true
	case *types.VmwareDistributedVirtualSwitchTrunkVlanSpec:
		ranges := slices.Clone(v.VlanId)
		slices.SortFunc(ranges, func(a, b types.NumericRange) int { return int(a.Start - b.Start) })
		parts := make([]string, len(ranges))
		for i, r := range ranges {
			parts[i] = itoa(r.Start)
			if r.End != r.Start {
				parts[i] += "-" + itoa(r.End)
			}
		}
		return "trunk " + strings.Join(slices.Compact(parts), ","), true
	case *types.VmwareDistributedVirtualSwitchPvlanSpec:
		return "private " + itoa(v.PvlanId), true
	}
	return "", false
}
