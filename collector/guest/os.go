package guest

import (
	"bytes"
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
)

// facts is what the probe says of the machine itself:
//
//	release.ID=debian
//	release.NAME="Debian GNU/Linux"
//	release.VERSION_ID="12"
//	release.VERSION_CODENAME=bookworm
//	point_release=12.11
//	machine_id=b1cd7a12a5d34163bbd485272326f3fa
//	hostname=web-3
//	kernel=6.1.0-37-amd64
//	architecture=x86_64
//	smbios_uuid=4C4C4544-0042-3510-8052-B4C04F4E3732
//	boot_id=0e1cbe4b-ee6c-4be4-8e56-9b1d6b0ef2e1
//	asset_tag=i-0f3a4c1d2e5b67890
//	vendor=QEMU
//	product=Standard PC (Q35 + ICH9, 2009)
type facts map[string]string

func parseFacts(body []byte) facts {
	f := make(facts, 16)
	lines(body, func(line []byte) {
		name, value, ok := bytes.Cut(line, []byte("="))
		if _, known := f[string(name)]; !ok || known {
			return
		}
		f[string(name)] = string(bytes.TrimSpace(value))
	})
	return f
}

// release returns a value of os-release, without the quotes a shell would take away.
func (f facts) release(name string) string {
	v := f["release."+name]
	if len(v) < 2 || (v[0] != '"' && v[0] != '\'') || v[len(v)-1] != v[0] {
		return v
	}
	quote := v[0]
	v = v[1 : len(v)-1]
	if quote == '\'' || !strings.Contains(v, `\`) {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && strings.IndexByte("\"$\\`", v[i+1]) >= 0 {
			i++
		}
		out = append(out, v[i])
	}
	return string(out)
}

// identity returns how the guest can be told elsewhere. It is not part of any state.
func (f facts) identity() inventory.Identity {
	id := inventory.Identity{MachineID: plain(f["machine_id"]), BootID: plain(f["boot_id"])}
	if f["container"] != "" {
		return id // its firmware is that of its host
	}
	id.SMBIOSUUID = plain(f["smbios_uuid"])
	if tag := plain(f["asset_tag"]); strings.HasPrefix(tag, "i-") && f["vendor"] == "Amazon EC2" {
		id.InstanceID = tag
	}
	return id
}

func plain(s string) string { return inventory.Escape(strings.ToLower(s)) }

// osState returns the state of the facet os, and the items that are not known.
func osState(f facts, root bool) (*inventory.State, []string, error) {
	b := inventory.NewBuilder(inventory.OS)
	var unknown []string
	value := func(key, value string, want bool) {
		switch {
		case value != "":
			b.Key(key)
			b.Field("value", value)
		case want: // there is one, and it is not known: it must not look removed
			b.Key(key)
			unknown = append(unknown, key)
		}
	}
	if id := f.release("ID"); id != "" || f.release("NAME") != "" {
		b.Key("distribution")
		b.Field("codename", f.release("VERSION_CODENAME"))
		b.Field("id", id)
		b.Field("name", f.release("NAME"))
		b.Field("version", f.release("VERSION_ID"))
	}
	value("kernel", f["kernel"], true)
	value("architecture", f["architecture"], true)
	value("hostname", f["hostname"], true)
	value("machine_id", strings.ToLower(f["machine_id"]), false)
	if r := f["point_release"]; r != "" && r[0] >= '0' && r[0] <= '9' {
		value("point_release", r, false)
	}
	_, none := f["no_smbios"]
	value("smbios_uuid", strings.ToLower(f["smbios_uuid"]), !none && !root)
	value("virtualization", virtualization(f), false)
	s, err := b.State()
	return s, unknown, err
}

// virtualization names what the machine runs on, in the words of systemd-detect-virt
// ("kvm" for what may be kvm or plain qemu), "none" for bare metal, "" for unknown.
func virtualization(f facts) string {
	if f["container"] != "" {
		return f["container"]
	}
	vendor, product := f["vendor"], f["product"]
	switch {
	case vendor == "QEMU", vendor == "OpenStack Foundation", strings.Contains(product, "KVM"):
		return "kvm"
	case strings.HasPrefix(vendor, "VMware"):
		return "vmware"
	case vendor == "Amazon EC2":
		if strings.Contains(product, ".metal") {
			return "none"
		}
		return "amazon"
	case vendor == "Google":
		return "google"
	case vendor == "Xen":
		return "xen"
	case vendor == "innotek GmbH":
		return "oracle"
	case vendor == "Microsoft Corporation":
		if product == "Virtual Machine" {
			return "microsoft"
		}
		return "none"
	case f["detected"] != "":
		return f["detected"]
	case f["hypervisor"] == "1":
		return "vm-other"
	case f["hypervisor"] == "0" && vendor != "":
		return "none"
	}
	return ""
}
