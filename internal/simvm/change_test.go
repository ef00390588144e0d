package simvm_test

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/inventory"
)

// golden makes a baseline of what a scan saw.
func golden(t testing.TB, snap inventory.Snapshot) *baseline.Golden {
	t.Helper()
	spec, _ := baseline.Capture(snap, "golden", "")
	if len(spec.Facets) != len(inventory.GuestFacets()) {
		t.Fatalf("the baseline has only %d facets", len(spec.Facets))
	}
	g, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Each thing that an administrator does is one change, named right.
func TestEachChangeIsOneChange(t *testing.T) {
	t.Parallel()
	// What is the same on all of one kind is tried on one or two of it.
	systemd := []simvm.Distribution{simvm.Debian12, simvm.Rocky9}
	all := []simvm.Distribution{simvm.Ubuntu2404, simvm.Alpine320}
	type do func(*simvm.Host) error
	for _, c := range []struct {
		name string
		on   []simvm.Distribution
		do   do
		want string
	}{
		{"a package is installed", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.InstallPackage(simvm.Package{Name: "nmap", Version: "7.93+dfsg1-1"})
		}, "packages deb/nmap:amd64 added (hold: no, source: nmap, state: installed, version: 7.93+dfsg1-1)"},
		{"a package is installed", []simvm.Distribution{simvm.Rocky9}, func(h *simvm.Host) error {
			return h.InstallPackage(simvm.Package{Name: "nmap", Version: "3:7.92-3.el9"})
		}, "packages rpm/nmap:x86_64 added (source: nmap, state: installed, version: 3:7.92-3.el9)"},
		{"another kernel is installed", []simvm.Distribution{simvm.Rocky9}, func(h *simvm.Host) error {
			return h.InstallPackage(simvm.Package{Name: "kernel", Version: "5.14.0-570.25.1.el9_6"})
		}, "packages rpm/kernel:x86_64 changed (version: 5.14.0-570.17.1.el9_6,5.14.0-570.21.1.el9_6 → 5.14.0-570.17.1.el9_6,5.14.0-570.21.1.el9_6,5.14.0-570.25.1.el9_6)"},
		{"a package is installed", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.InstallPackage(simvm.Package{Name: "nmap", Version: "7.95-r1"})
		}, "packages apk/nmap:x86_64 added (hold: no, source: nmap, state: installed, version: 7.95-r1)"},
		{"a package is installed", []simvm.Distribution{simvm.Arch}, func(h *simvm.Host) error {
			return h.InstallPackage(simvm.Package{Name: "nmap", Version: "7.97-1"})
		}, "packages pacman/nmap:x86_64 added (hold: no, source: nmap, state: installed, version: 7.97-1)"},
		{"a package is upgraded", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.UpgradePackage("openssl", "3.0.17-1~deb12u2")
		}, "packages deb/openssl:amd64 changed (version: 3.0.16-1~deb12u1 → 3.0.17-1~deb12u2)"},
		{"a package is removed", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.RemovePackage("fail2ban")
		}, "packages deb/fail2ban:all removed"},
		{"a package is removed, and leaves its configuration", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.RemovePackageKeepingConfig("fail2ban")
		}, "packages deb/fail2ban:all removed"},
		{"a package is held", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.HoldPackage("nginx", true)
		}, "packages deb/nginx:amd64 changed (hold: no → yes)"},
		{"a package is held", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.HoldPackage("curl", true)
		}, "packages apk/curl:x86_64 changed (hold: no → yes)"},
		{"a package is held", []simvm.Distribution{simvm.Arch}, func(h *simvm.Host) error {
			return h.HoldPackage("docker", true)
		}, "packages pacman/docker:x86_64 changed (hold: no → yes)"},

		{"a TCP port is opened", systemd, func(h *simvm.Host) error {
			return h.Listen("tcp", "0.0.0.0", 4444, "nc", simvm.Root)
		}, "ports tcp/0.0.0.0:4444 added (dual_stack: no, ephemeral: no, process: nc, user: root)"},
		{"a TCP port is opened", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.Listen("tcp", "0.0.0.0", 4444, "nc", simvm.Root)
		}, "ports tcp/0.0.0.0:4444 added (dual_stack: no, ephemeral: no, process: nc, user: root)"},
		{"a TCP port is opened for both families", systemd, func(h *simvm.Host) error {
			return h.Listen("tcp", "*", 8443, "envoy", simvm.Sudo)
		}, "ports tcp/[::]:8443 added (dual_stack: yes, ephemeral: no, process: envoy, user: deploy)"},
		{"a UDP port is opened", all, func(h *simvm.Host) error {
			return h.Listen("udp", "127.0.0.1", 161, "snmpd", simvm.Root)
		}, "ports udp/127.0.0.1:161 added (dual_stack: no, ephemeral: no, process: snmpd, user: root)"},
		{"the kernel opens a port", all, func(h *simvm.Host) error {
			return h.Listen("tcp", "0.0.0.0", 2049, "", simvm.Root)
		}, "ports tcp/0.0.0.0:2049 added (dual_stack: no, ephemeral: no, process: , user: root)"},
		{"a port is closed", all, func(h *simvm.Host) error {
			return h.Unlisten("tcp", "0.0.0.0", 22)
		}, "ports tcp/0.0.0.0:22 removed"},

		{"a user is added", all, func(h *simvm.Host) error {
			return h.AddUser(simvm.User{Name: "toor", UID: 0, GID: 0, Home: "/root", Shell: "/bin/sh", Password: simvm.PasswordSet})
		}, "users toor added (gid: 0, groups: , home: /root, password: set, shell: /bin/sh, uid: 0)"},
		{"a user is added whose name comes before root's, with root's uid", all, func(h *simvm.Host) error {
			return h.AddUser(simvm.User{Name: "backup2", UID: 0, GID: 0, Home: "/root", Shell: "/bin/sh", Password: simvm.PasswordSet})
		}, "users backup2 added (gid: 0, groups: , home: /root, password: set, shell: /bin/sh, uid: 0)"},
		{"a user with a group is added", all, func(h *simvm.Host) error {
			return h.AddUser(simvm.User{Name: "carol", UID: 1100, GID: 1100, Shell: "/bin/sh"})
		}, "users carol added (gid: 1100, groups: , home: /home/carol, password: locked, shell: /bin/sh, uid: 1100)"},
		{"a user is removed", all, func(h *simvm.Host) error {
			return h.RemoveUser(simvm.Plain)
		}, "users auditor removed"},
		{"a user's shell is changed", all, func(h *simvm.Host) error {
			return h.SetShell("nobody", "/bin/sh")
		}, "users nobody changed (shell: * → /bin/sh)"},
		{"a user's number is changed", all, func(h *simvm.Host) error {
			return h.SetUID(simvm.Plain, 1200)
		}, "users auditor changed (uid: * → 1200)"},
		{"a user gets a password", all, func(h *simvm.Host) error {
			return h.SetPassword(simvm.Plain, simvm.PasswordSet)
		}, "users auditor changed (password: locked → set)"},
		{"a user needs no password", all, func(h *simvm.Host) error {
			return h.SetPassword(simvm.Plain, simvm.PasswordNone)
		}, "users auditor changed (password: locked → none)"},
		{"a user's password has to be changed", all, func(h *simvm.Host) error {
			return h.SetPassword(simvm.Plain, simvm.PasswordExpired)
		}, "users auditor changed (password: locked → expired)"},
		{"a user joins a group", all, func(h *simvm.Host) error {
			return h.AddToGroup(simvm.Plain, "users")
		}, "users auditor changed (groups:  → users)"},
		{"a group is added", all, func(h *simvm.Host) error {
			return h.AddGroup(simvm.Group{Name: "ops", GID: 1500})
		}, "groups ops added (gid: 1500, other_members: )"},
		{"a group is removed", all, func(h *simvm.Host) error {
			return h.RemoveGroup("tty")
		}, "groups tty removed"},

		{"a service is disabled", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.DisableService("nginx")
		}, "services nginx.service changed (enabled: enabled → disabled)"},
		{"a service is enabled", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.EnableService("rsync")
		}, "services rsync.service changed (enabled: disabled → enabled)"},
		{"a service is masked", []simvm.Distribution{simvm.Debian12}, func(h *simvm.Host) error {
			return h.MaskService("rsync")
		}, "services rsync.service changed (enabled: disabled → masked)"},
		{"a service is stopped", systemd, func(h *simvm.Host) error {
			return h.StopService(nodeExporter(h))
		}, "services * changed (active: active → inactive, sub: running → dead)"},
		{"a service fails", systemd, func(h *simvm.Host) error {
			return h.FailService(nodeExporter(h))
		}, "services * changed (active: active → failed, sub: running → failed)"},
		{"a service is added", systemd, func(h *simvm.Host) error {
			return h.AddService(simvm.Service{Name: "miner", WantedBy: "multi-user.target", Enabled: true})
		}, "services miner.service added (active: active, enabled: enabled, sub: running)"},
		{"a service is removed", systemd, func(h *simvm.Host) error {
			return h.RemoveService(nodeExporter(h))
		}, "services * removed"},
		{"a service is disabled", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.DisableService("crond")
		}, "services openrc/crond changed (enabled: default → )"},
		{"a service is stopped", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.StopService("dnsmasq")
		}, "services openrc/dnsmasq changed (active: started → stopped)"},
		{"a service fails", []simvm.Distribution{simvm.Alpine320}, func(h *simvm.Host) error {
			return h.FailService("dnsmasq")
		}, "services openrc/dnsmasq changed (active: started → crashed)"},

		{"the machine boots another kernel", all, func(h *simvm.Host) error {
			return h.SetKernel("6.99.0-simulated")
		}, "os kernel changed (value: * → 6.99.0-simulated)"},
	} {
		for _, d := range c.on {
			t.Run(c.name+"/"+string(d), func(t *testing.T) {
				t.Parallel()
				l, h := one(t, d)
				g := golden(t, l.collect(t, h, simvm.Root))
				if err := c.do(h); err != nil {
					t.Fatal(err)
				}
				var have []string
				for _, change := range g.DiffAll(l.collect(t, h, simvm.Root).Observations) {
					have = append(have, told(change))
				}
				if len(have) != 1 || !like(c.want, have[0]) {
					t.Errorf("-want +have\n%s", gocmp.Diff([]string{c.want}, have))
				}
			})
		}
	}
}

// told is a change in a line; of what is removed, its key is enough.
func told(c baseline.Change) string {
	if c.Op == baseline.Removed {
		c.Fields = nil
	}
	return c.String()
}

// like compares with a pattern in which * stands for anything.
func like(pattern, text string) bool {
	g, err := compileGlob(pattern)
	return err == nil && g.MatchString(text)
}

func nodeExporter(h *simvm.Host) string {
	if slices.ContainsFunc(h.Services(), func(v simvm.Service) bool { return v.Name == "node_exporter.service" }) {
		return "node_exporter"
	}
	return "prometheus-node-exporter"
}
