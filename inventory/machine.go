package inventory

// A MachineID is a machine's identity: the source that lists it and the source's
// own name for it (a vCenter instance UUID, account/region/instance id, the name
// in an inventory file). It is never an IP address that a source assigned.
type MachineID struct {
	Source   string `json:"source"`
	NativeID string `json:"native_id"`
}

// A Machine is anything with a state of its own.
type Machine struct {
	ID      MachineID         `json:"id"`
	Name    string            `json:"name"`              // for humans, unique within a database
	Address string            `json:"address,omitempty"` // where it was reached: user@host:port, or "local"
	Labels  map[string]string `json:"labels,omitempty"`
}
