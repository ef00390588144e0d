package inventory

// An Identity is how a guest can be told in another place. Each part is canonical text in lower
// case, and empty where it is not known. It is no state: a boot id is another one after every boot.
type Identity struct {
	MachineID  string // /etc/machine-id: a clone has it too
	BootID     string // of the running kernel: containers have their host's
	SMBIOSUUID string // of the firmware, which only root may read; empty in a container, whose firmware is its host's
	InstanceID string // EC2's, from DMI; empty in a container
}

// SameBoot reports whether two answers came from one running system: one kernel, and within
// it one machine id.
func (i Identity) SameBoot(o Identity) bool {
	return i.BootID != "" && i.MachineID != "" && i.BootID == o.BootID && i.MachineID == o.MachineID
}
