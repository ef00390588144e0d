package simfleet

import (
	"fmt"

	"github.com/vmdrift/vmdrift/inventory"
)

var (
	distros = []struct{ id, kind, version string }{
		{"debian", "deb", "12"}, {"ubuntu", "deb", "24.04"}, {"rocky", "rpm", "9.4"}, {"sles", "rpm", "15.6"}, {"alpine", "apk", "3.20"},
	}
	roles = []string{"web", "app", "db", "batch"}
	tools = []string{
		"htop", "tcpdump", "strace", "nmap", "vim", "emacs-nox", "tmux", "screen", "gdb", "iotop", "sysstat", "jq",
		"socat", "mtr", "iperf3", "git", "gcc", "make", "python3-pip", "nodejs", "golang", "openjdk-17", "telnet", "ftp",
	}
)

// An image is what machines are made from.
type image struct {
	states []*inventory.State // in the order of Facets
}

// newImage makes 944 items: what the machines of one distribution share, and what a role adds.
func newImage(n int, f *Fleet) image {
	distro, role := distros[n/len(roles)], roles[n%len(roles)]
	items := map[inventory.Facet][]inventory.Item{}
	add := func(facet inventory.Facet, key string, fields ...inventory.Field) {
		items[facet] = append(items[facet], newItem(key, fields...))
	}
	add(inventory.OS, "distribution", fieldsOf("codename", "stable", "id", distro.id, "name", distro.id+" Linux", "version", distro.version)...)
	add(inventory.OS, "kernel", fieldsOf("value", "6.1.0-28-"+distro.id+"-amd64")...)
	add(inventory.OS, "architecture", fieldsOf("value", "x86_64")...)
	add(inventory.OS, "virtualisation", fieldsOf("value", "vmware")...)

	for i := range 690 {
		name := fmt.Sprintf("lib%s-%s%d", words[i%len(words)], words[(i/7)%len(words)], i)
		if i >= 550 {
			name = role + "-" + name
		}
		add(inventory.Packages, fmt.Sprintf("%s/%s:amd64", distro.kind, name), packageFields(distro.id+"-"+name, 1)...)
	}
	for i := range 12 {
		port := 22 + 111*i
		if i >= 6 {
			port += 1 + n%len(roles)
		}
		add(inventory.Ports, fmt.Sprintf("tcp/0.0.0.0:%d", port),
			fieldsOf("dual_stack", "no", "ephemeral", "no", "process", words[i%len(words)]+"d", "user", "root")...)
	}
	for i := range 30 {
		add(inventory.Users, fmt.Sprintf("%s%d", words[i%len(words)], i), userFields(i)...)
	}
	for i := range 60 {
		add(inventory.Groups, fmt.Sprintf("g%s%d", words[i%len(words)], i), fieldsOf("gid", fmt.Sprint(100+i), "other_members", "")...)
	}
	for i := range 146 {
		unit := fmt.Sprintf("%s-%s.service", words[i%len(words)], words[(i/5)%len(words)])
		unit = fmt.Sprintf("%s%d%s", unit[:len(unit)-8], i, ".service")
		if i >= 120 {
			unit = role + "-" + unit
		}
		add(inventory.Services, unit, fieldsOf("active", "active", "enabled", "enabled", "sub", "running")...)
	}

	var img image
	for _, facet := range Facets {
		img.states = append(img.states, f.state(facet, items[facet]))
	}
	return img
}

var words = []string{
	"acl", "apr", "avahi", "bind", "blkid", "boost", "bz", "cairo", "cap", "curl", "dbus", "dev", "edit", "elf", "event",
	"expat", "ffi", "fuse", "gcrypt", "glib", "gmp", "gnutls", "icu", "idn", "json", "keyutils", "krb", "ldap", "lz", "mount",
	"ncurses", "nettle", "nghttp", "nss", "numa", "pam", "pcre", "perl", "python", "readline", "sasl", "seccomp", "ssl", "systemd",
}

func packageFields(source string, version int) []inventory.Field {
	return fieldsOf("hold", "no", "source", source, "state", "installed", "version", fmt.Sprintf("2.%d.1-%d+deb12u%d", len(source), version, version%9))
}

func userFields(i int) []inventory.Field {
	return fieldsOf("gid", fmt.Sprint(100+i), "groups", "", "home", fmt.Sprintf("/home/u%d", i), "password", "locked",
		"shell", "/usr/sbin/nologin", "uid", fmt.Sprint(100+i))
}
