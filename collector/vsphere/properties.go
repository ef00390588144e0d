package vsphere

import (
	"cmp"
	"maps"
	"slices"
)

// The properties that are asked for exist since vSphere 6.5: a path that the server does not
// know fails the whole call.

// vmPaths leaves out what is large and unused (extraConfig, layoutEx) and what never
// stands still (quick stats, uptime, storage in use).
var vmPaths = []string{
	"name", "parent", "parentVApp", "resourcePool", "customValue", "snapshot",
	"runtime.powerState", "runtime.connectionState", "runtime.host",
	"guest.ipAddress", "guest.net", "guest.toolsInstallType", "guest.toolsVersionStatus2",
	"config.bootOptions", "config.cpuHotAddEnabled", "config.firmware", "config.guestId",
	"config.hardware.device", "config.hardware.memoryMB", "config.hardware.numCPU", "config.hardware.numCoresPerSocket",
	"config.instanceUuid", "config.keyId", "config.memoryHotAddEnabled", "config.template", "config.tools",
	"config.uuid", "config.version",
}

// hostPaths: of a host that is not connected, the server gives what it last knew.
var hostPaths = []string{
	"name", "parent", "customValue", "hardware.systemInfo",
	"runtime.powerState", "runtime.connectionState",
	"config.certificate", "config.dateTimeInfo", "config.firewall", "config.lockdownMode",
	"config.network.portgroup", "config.product", "config.service", "configManager.imageConfigManager",
}

// infraPaths are the objects around the machines: few, and read first, so that every page of
// machines can be finished as it comes.
var infraPaths = map[string][]string{
	"Folder":                      {"name", "parent"},
	"Datacenter":                  {"name", "parent"},
	"ComputeResource":             {"name", "parent"},
	"ClusterComputeResource":      {"name", "parent"},
	"ResourcePool":                {"name", "parent"},
	"VirtualApp":                  {"name", "parent", "parentFolder"},
	"DistributedVirtualPortgroup": {"name", "key", "config.defaultPortConfig", "config.distributedVirtualSwitch"},
	"DistributedVirtualSwitch":    {"name", "uuid"},
	"OpaqueNetwork":               {"name", "summary"},
	"HostSystem":                  hostPaths,
}

// viewKinds are the types of objects in the view.
func viewKinds() []string { return append(sortedKeys(infraPaths), "VirtualMachine") }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
