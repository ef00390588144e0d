package inventory

import "slices"

// A Facet is one aspect of a machine: the unit that is observed, hashed and diffed.
type Facet string

// The facets of a guest operating system. docs/facets.md lists their keys and fields.
const (
	OS       Facet = "os"
	Packages Facet = "packages"
	Ports    Facet = "ports"
	Users    Facet = "users"
	Groups   Facet = "groups"
	Services Facet = "services"
)

// The facets of the platform that a machine runs on, as its source knows them.
const (
	Cloud      Facet = "cloud"
	Hardware   Facet = "hardware"
	Hypervisor Facet = "hypervisor"
	Network    Facet = "network"
	Tags       Facet = "tags"
	Task       Facet = "task"
)

// Presence is what vmdrift itself knows: whether it was inside the machine lately, and met the host key it knows.
const Presence Facet = "presence"

// Reach is derived from what the guest and its platform say together: who can get to its ports.
const Reach Facet = "reach"

// GuestFacets returns the facets that a scan of a guest observes, sorted.
func GuestFacets() []Facet {
	return []Facet{Groups, OS, Packages, Ports, Services, Users}
}

// PlatformFacets returns the facets that a source observes without going into the guest, sorted.
// Which of them a machine has depends on its kind and its source.
func PlatformFacets() []Facet {
	return []Facet{Cloud, Hardware, Hypervisor, Network, Tags, Task}
}

// Facets returns all facets, sorted.
func Facets() []Facet {
	all := append(GuestFacets(), PlatformFacets()...)
	all = append(all, Presence, Reach)
	slices.Sort(all)
	return all
}

// Known reports whether f is a facet that this version of vmdrift can name.
func (f Facet) Known() bool { return f.Fields() != nil }

// Fields returns the names of the fields that items of f can have, sorted
// bytewise, or nil if f is not known.
//
// A field that an item lacks is unknown: it never differs from anything.
func (f Facet) Fields() []string {
	switch f {
	case OS:
		return []string{"codename", "id", "name", "value", "version"}
	case Packages:
		return []string{"hold", "source", "state", "version"}
	case Ports:
		return []string{"dual_stack", "ephemeral", "process", "user"}
	case Users:
		return []string{"gid", "groups", "home", "password", "shell", "uid"}
	case Groups:
		return []string{"gid", "other_members"}
	case Services:
		return []string{"active", "enabled", "sub"}
	case Cloud:
		return []string{
			"architecture", "boot_mode", "delete_on_termination", "ebs_optimized", "encrypted", "endpoint", "hibernation",
			"hop_limit", "http_tokens", "image", "instance_profile", "instance_tags", "ipv6", "key_pair", "kms_key", "lifecycle",
			"monitoring", "root_device", "sha256", "size_gib", "tenancy", "termination", "type", "value",
		}
	case Task:
		return []string{
			"app_protocol", "container", "cpu", "definition", "digest", "essential", "exec", "execution_role", "image", "memory",
			"network_mode", "platform", "platform_version", "privileged", "read_only", "revision", "role", "user",
		}
	case Network:
		return []string{
			"attached_to", "attachment", "connected", "interface", "ipv6_addresses", "mac", "network_id", "private_addresses",
			"public", "public_address", "security_groups", "source_dest_check", "start_connected", "subnet", "switch", "type",
			"via", "vlan", "vpc",
		}
	case Hardware:
		return []string{
			"backing", "connected", "controller", "cores_per_socket", "count", "created", "encrypted", "hot_add", "id",
			"install_type", "key_provider", "mib", "mode", "present", "secure_boot", "sharing", "size_bytes",
			"start_connected", "thin", "time_sync", "type", "upgrade_policy", "value", "version_status",
		}
	case Tags:
		return []string{"value"}
	case Reach:
		return []string{"from", "who"}
	case Presence:
		return []string{"seen", "verified"}
	case Hypervisor:
		return []string{
			"allowed", "build", "enabled", "issuer", "level", "mode", "not_after", "policy", "running", "servers", "subject",
			"switch", "vendor", "version", "vlan",
		}
	}
	return nil
}

// HasField reports whether items of f can have a field of that name.
func (f Facet) HasField(name string) bool {
	for _, n := range f.Fields() {
		if n == name {
			return true
		}
	}
	return false
}

// CanonicalVersion is the version of the canonical form that this build writes.
// It is part of every digest, so that a new form is never mistaken for a new state.
const CanonicalVersion = 1
