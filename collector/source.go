package collector

import (
	"context"
	"net/netip"
	"time"

	"github.com/vmdrift/vmdrift/inventory"
)

// A Source lists machines, and says what their platform knows of them without
// going into them.
type Source interface {
	// Name returns the name that the configuration gives the source.
	Name() string
	// List returns what the source lists now. An error means that nothing was learnt;
	// what only a part of it refused is a Problem in the Listing. It never changes
	// anything at the platform.
	List(ctx context.Context) (Listing, error)
}

// A Listing is what a source lists at one time.
type Listing struct {
	// Machines are sorted by id, each id once.
	Machines []Listed
	// Problems are the parts that could not be listed or read. While there is one, a
	// machine that is not listed may still be there.
	Problems []Problem
}

// A Problem is a part of a source that could not be read.
type Problem struct {
	Part string // a region, an account, a cluster, a file: what is missing from the listing
	Err  error
	Hint string // one sentence: what to do about it, such as the permission that is missing; may be empty
}

// A Listed machine is one as its source knows it.
type Listed struct {
	// Machine has the identity in the source, the name and the labels there. Its Address is where
	// to reach the guest, [user@]host[:port] or an ssh_config alias; empty if the source knows none.
	Machine inventory.Machine `json:"machine"`
	Kind    Kind              `json:"kind"`
	Power   Power             `json:"power,omitempty"`
	// Addresses are all that the platform knows of the guest, network card by network card.
	Addresses []Address `json:"addresses,omitempty"`
	// IdentityFile and Jump are how to get there where that is another way than for all; the
	// configuration says so, no source does.
	IdentityFile string `json:"identity_file,omitempty"`
	Jump         string `json:"jump,omitempty"`
	// Evidence tells which machines of other sources, and which guests, are the same one.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Observations are the platform's facets, sorted by facet, as they were at that time.
	Observations []inventory.Observation `json:"observations,omitempty"`
	At           time.Time               `json:"at,omitzero"`
}

// Typed is the source of machines that somebody named on the command line.
const Typed = "target"

// An Address is one that a guest has, as its platform tells it.
type Address struct {
	NIC     int    // which network card, from 0 in the order of the platform; those of one card stand together
	Network string // what the card is attached to: a port group, a subnet; empty if not known
	IP      netip.Addr
}

// A Kind is what a machine is. Each kind has baselines of its own.
type Kind string

const (
	VM         Kind = "vm"         // a virtual machine
	Instance   Kind = "instance"   // of a cloud
	Hypervisor Kind = "hypervisor" // a host of virtual machines
	Task       Kind = "task"       // a container without a guest to go into
	Host       Kind = "host"       // a line of an inventory: whatever answers there
)

// HasGuest reports whether there is an operating system to go into.
func (k Kind) HasGuest() bool { return k != Hypervisor && k != Task }

// Power is whether a machine is switched on.
type Power string

const (
	PowerUnknown Power = ""
	PowerOn      Power = "on"
	PowerOff     Power = "off"
)

// Evidence is something by which a machine can be told in another place. Values are
// canonical text in lower case.
type Evidence struct {
	Kind  EvidenceKind
	Value string
}

// An EvidenceKind orders evidence by how much it proves: machine ids are copied with a clone.
type EvidenceKind string

const (
	SMBIOSUUID EvidenceKind = "smbios_uuid" // of the firmware: vSphere's BIOS UUID, a guest's product_uuid
	InstanceID EvidenceKind = "instance_id" // EC2's, from the source or from DMI
	MachineID  EvidenceKind = "machine_id"  // /etc/machine-id
)

func (k EvidenceKind) words() string {
	switch k {
	case SMBIOSUUID:
		return "SMBIOS UUID"
	case InstanceID:
		return "instance id"
	}
	return "machine id"
}
