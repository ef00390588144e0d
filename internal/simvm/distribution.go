package simvm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
)

// A Distribution is a kind of system that a machine can run.
type Distribution string

// The distributions that are simulated. Debian and Ubuntu have dpkg, Rocky rpm,
// Arch pacman, all with systemd; Alpine has apk, OpenRC and nothing but busybox.
const (
	Debian12   Distribution = "debian-12"
	Ubuntu2404 Distribution = "ubuntu-24.04"
	Rocky9     Distribution = "rocky-9"
	Alpine320  Distribution = "alpine-3.20"
	Arch       Distribution = "arch"
)

// Distributions returns all of them.
func Distributions() []Distribution {
	return []Distribution{Debian12, Ubuntu2404, Rocky9, Alpine320, Arch}
}

type (
	manager    string
	initSystem string
)

const (
	dpkg   manager = "dpkg"
	rpm    manager = "rpm"
	apk    manager = "apk"
	pacman manager = "pacman"

	systemd initSystem = "systemd"
	openrc  initSystem = "openrc"
)

// A distribution is what all machines that run it have in common.
type distribution struct {
	name       Distribution
	manager    manager
	init       initSystem
	arch       string // the packages' word for the architecture
	kernel     string
	procArch   bool // the kernel has /proc/sys/kernel/arch
	shell      string
	adminGroup string // who may sudo
	sshVersion string
	vendor     string // SMBIOS
	product    string
	version    func(digest []byte) string // makes up a package's version

	preset *preset

	once  sync.Once
	table map[string]command
}

// distributions are read once: they are embedded, so that an error is a mistake of their author.
var distributions = sync.OnceValue(func() map[Distribution]*distribution {
	all := map[Distribution]*distribution{}
	for _, d := range []*distribution{
		{
			name: Debian12, manager: dpkg, init: systemd, arch: "amd64", kernel: "6.1.0-37-amd64", procArch: true,
			shell: "/bin/bash", adminGroup: "sudo", sshVersion: "OpenSSH_9.2p1 Debian-2+deb12u6",
			vendor: "QEMU", product: "Standard PC (Q35 + ICH9, 2009)", version: debianVersion,
		},
		{
			name: Ubuntu2404, manager: dpkg, init: systemd, arch: "amd64", kernel: "6.8.0-62-generic", procArch: true,
			shell: "/bin/bash", adminGroup: "sudo", sshVersion: "OpenSSH_9.6p1 Ubuntu-3ubuntu13.12",
			vendor: "Amazon EC2", product: "m6i.large", version: ubuntuVersion,
		},
		{
			name: Rocky9, manager: rpm, init: systemd, arch: "x86_64", kernel: "5.14.0-570.21.1.el9_6.x86_64",
			shell: "/bin/bash", adminGroup: "wheel", sshVersion: "OpenSSH_8.7",
			vendor: "VMware, Inc.", product: "VMware7,1", version: el9Version,
		},
		{
			name: Alpine320, manager: apk, init: openrc, arch: "x86_64", kernel: "6.6.117-0-lts", procArch: true,
			shell: "/bin/ash", adminGroup: "wheel", sshVersion: "OpenSSH_9.7",
			vendor: "QEMU", product: "Standard PC (i440FX + PIIX, 1996)", version: alpineVersion,
		},
		{
			name: Arch, manager: pacman, init: systemd, arch: "x86_64", kernel: "6.15.6-arch1-1", procArch: true,
			shell: "/usr/bin/bash", adminGroup: "wheel", sshVersion: "OpenSSH_10.0",
			vendor: "QEMU", product: "Standard PC (Q35 + ICH9, 2009)", version: archVersion,
		},
	} {
		d.preset = readPreset(d)
		all[d.name] = d
	}
	return all
})

// install returns the state of a new machine.
func (d *distribution) install(name string) *state {
	id := sha256.Sum256([]byte("vmdrift simulated machine " + name))
	h := hex.EncodeToString(id[:16])
	s := (&state{
		hostname:  name,
		kernel:    d.kernel,
		machineID: h,
		uuid:      fmt.Sprintf("%s-%s-4%s-a%s-%s", h[0:8], h[8:12], h[13:16], h[17:20], h[20:32]),
		vendor:    d.vendor,
		product:   d.product,
		packages:  d.preset.packages,
		users:     d.preset.users,
		groups:    d.preset.groups,
		services:  d.preset.services,
		nextPID:   400,
	}).clone()
	for _, p := range d.preset.ports {
		if err := s.listen(p); err != nil {
			panic(fmt.Sprintf("simvm: preset %s: %v", d.name, err))
		}
	}
	return s
}

// complete fills in what an administrator does not have to say of a package.
func (d *distribution) complete(p Package) Package {
	if p.Arch == "" {
		p.Arch = d.arch
	}
	if p.Source == "" {
		p.Source = p.Name
	}
	if p.Version == "" {
		sum := sha256.Sum256([]byte(p.Source))
		p.Version = d.version(sum[:])
	}
	return p
}

// Versions that nobody wrote down look like those of the distribution, and are the
// same for all packages of one source.

func debianVersion(h []byte) string {
	v := upstreamVersion(h) + fmt.Sprintf("-%d", 1+h[5]%4)
	switch h[6] % 8 {
	case 0:
		v += "+deb12u1"
	case 1:
		v += "+b1"
	case 2:
		v = "1:" + v
	}
	return v
}

func ubuntuVersion(h []byte) string {
	v := upstreamVersion(h) + fmt.Sprintf("-%d", 1+h[5]%4)
	if h[6]%2 == 0 {
		v += fmt.Sprintf("ubuntu%d", 1+h[7]%5)
	}
	return v
}

func el9Version(h []byte) string { return upstreamVersion(h) + fmt.Sprintf("-%d.el9", 1+h[5]%20) }

func alpineVersion(h []byte) string { return upstreamVersion(h) + fmt.Sprintf("-r%d", h[5]%6) }

func archVersion(h []byte) string { return upstreamVersion(h) + fmt.Sprintf("-%d", 1+h[5]%3) }

func upstreamVersion(h []byte) string {
	v := fmt.Sprintf("%d.%d", h[0]%10, h[1]%40)
	if h[2]%3 > 0 {
		v += fmt.Sprintf(".%d", h[3]%12)
	}
	return v
}
