package baseline

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// A judgement is what the built-in rules say of one change.
type judgement struct {
	name       string
	facet      inventory.Facet
	want, have string // an item each, "" for none
	severity   string // or ignoredHere
}

const ignoredHere = "ignored"

func testJudgements(t *testing.T, cases []judgement) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			one := func(line string) *inventory.State {
				if line == "" {
					return state(t, c.facet)
				}
				return state(t, c.facet, line)
			}
			rules := mustRules(t, c.facet, Closed, readDefaultsV1().Facets[c.facet]...)
			got := Diff(inventory.Observe(one(c.have)), one(c.want), rules)
			switch {
			case len(got) == 0 && c.severity == ignoredHere:
			case len(got) != 1 || got[0].Severity.String() != c.severity:
				t.Errorf("want one change, %s; got %q", c.severity, lines(got))
			}
		})
	}
}

func TestTheDefaultRulesJudgeAsAnOperatorWould(t *testing.T) {
	testJudgements(t, []judgement{
		{"a port opened", inventory.Ports, "", "tcp/0.0.0.0:4444 ephemeral=no process=nc user=root", "high"},
		{"a UDP port opened", inventory.Ports, "", "udp/[::]:161 ephemeral=no", "high"},
		{"a port opened on loopback", inventory.Ports, "", "tcp/127.0.0.1:6010 ephemeral=no", "low"},
		{"a port opened on IPv6 loopback", inventory.Ports, "", "tcp/[::1]:6010 ephemeral=no", "low"},
		{"an ephemeral port opened on loopback", inventory.Ports, "", "tcp/127.0.0.1:40000 ephemeral=yes", "low"},
		{"a TCP port opened in the ephemeral range", inventory.Ports, "", "tcp/0.0.0.0:40000 ephemeral=yes", "medium"},
		{"a client's UDP socket", inventory.Ports, "", "udp/0.0.0.0:40000 ephemeral=yes", ignoredHere},
		{"a client's UDP socket that is gone", inventory.Ports, "udp/0.0.0.0:40000 ephemeral=yes", "", ignoredHere},
		{"WireGuard, though its port is in that range", inventory.Ports, "", "udp/0.0.0.0:51820 ephemeral=yes", "high"},
		{"Tailscale, though its port is in that range", inventory.Ports, "", "udp/[::]:41641 ephemeral=yes", "high"},
		{"a port closed", inventory.Ports, "tcp/0.0.0.0:22 ephemeral=no", "", "medium"},
		{"another process on a port", inventory.Ports, "tcp/0.0.0.0:22 process=sshd", "tcp/0.0.0.0:22 process=nc", "medium"},

		{"a user added", inventory.Users, "", "mallory password=locked uid=1005", "high"},
		{"a second root", inventory.Users, "", "mallory password=locked uid=0", "critical"},
		{"a user added without a password", inventory.Users, "", "mallory password=none uid=1005", "critical"},
		{"a user who became root", inventory.Users, "alice uid=1000", "alice uid=0", "critical"},
		{"another uid", inventory.Users, "alice uid=1000", "alice uid=1001", "high"},
		{"a user removed", inventory.Users, "alice uid=1000", "", "medium"},
		{"another shell", inventory.Users, "alice shell=/bin/bash", "alice shell=/bin/zsh", "medium"},
		{"a shell where there was none", inventory.Users, "www shell=/usr/sbin/nologin", "www shell=/bin/sh", "high"},
		{"an unlocked user", inventory.Users, "alice password=locked", "alice password=set", "high"},
		{"an empty password", inventory.Users, "alice password=set", "alice password=none", "critical"},
		{"a locked user", inventory.Users, "alice password=set", "alice password=locked", "low"},
		{"an expired password", inventory.Users, "alice password=set", "alice password=expired", "medium"},
		{"a user who may become root", inventory.Users, "alice groups=users", "alice groups=sudo,users", "high"},
		{"one who gains docker, having sudo", inventory.Users, "alice groups=sudo", "alice groups=docker,sudo", "high"},
		{"one who has sudo and gains another group", inventory.Users, "alice groups=sudo", "alice groups=games,sudo", "medium"},
		{"one who loses sudo", inventory.Users, "alice groups=sudo", "alice groups=", "medium"},
		{"another home", inventory.Users, "alice home=/home/a", "alice home=/srv/a", "low"},

		{"a group added", inventory.Groups, "", "games gid=1005 other_members=", "low"},
		{"a second group 0", inventory.Groups, "", "games gid=0 other_members=", "high"},
		{"another gid", inventory.Groups, "games gid=1", "games gid=2", "medium"},
		{"members from elsewhere who may become root", inventory.Groups, "sudo other_members=", "sudo other_members=ldapuser", "high"},

		{"a package added", inventory.Packages, "", "deb/nmap:amd64 version=1", "medium"},
		{"a package removed", inventory.Packages, "deb/nmap:amd64 version=1", "", "medium"},
		{"a guard removed", inventory.Packages, "deb/ufw:all version=1", "", "high"},
		{"rpm's audit removed", inventory.Packages, "rpm/audit:x86_64 version=1", "", "high"},
		{"a library that is only named like a guard", inventory.Packages, "deb/libaudit1:amd64 version=1", "", "medium"},
		{"another version", inventory.Packages, "deb/bash:amd64 version=1", "deb/bash:amd64 version=2", "low"},
		{"another source", inventory.Packages, "deb/bash:amd64 source=a", "deb/bash:amd64 source=b", "info"},
		{"a package on hold", inventory.Packages, "deb/bash:amd64 hold=no", "deb/bash:amd64 hold=yes", "low"},
		{"a package half installed", inventory.Packages, "deb/bash:amd64 state=installed", "deb/bash:amd64 state=half-installed", "medium"},

		{"a service added", inventory.Services, "", "x.service active=active enabled=enabled", "medium"},
		{"a service removed", inventory.Services, "x.service enabled=enabled", "", "medium"},
		{"a service that failed", inventory.Services, "x.service active=inactive", "x.service active=failed", "high"},
		{"a service stopped", inventory.Services, "x.service active=active sub=running", "x.service active=inactive sub=dead", "high"},
		{"a service stopped under OpenRC", inventory.Services, "openrc/sshd active=started", "openrc/sshd active=stopped", "high"},
		{"a service started", inventory.Services, "x.service active=inactive", "x.service active=active", "medium"},
		{"a service enabled", inventory.Services, "x.service enabled=disabled", "x.service enabled=enabled", "medium"},
		{"a service masked", inventory.Services, "x.service enabled=enabled", "x.service enabled=masked", "medium"},
		{"a guard disabled", inventory.Services, "auditd.service enabled=enabled", "auditd.service enabled=disabled", "high"},
		{"a guard disabled under OpenRC", inventory.Services, "openrc/nftables enabled=default", "openrc/nftables enabled=", "high"},

		{"another kernel", inventory.OS, "kernel value=6.1", "kernel value=6.2", "low"},
		{"another distribution", inventory.OS, "distribution id=debian version=12", "distribution id=debian version=13", "medium"},
		{"another hypervisor", inventory.OS, "virtualization value=kvm", "virtualization value=vmware", "medium"},
		{"another name", inventory.OS, "hostname value=a", "hostname value=b", ignoredHere},
		{"another machine id", inventory.OS, "machine_id value=a", "machine_id value=b", ignoredHere},
		{"another SMBIOS UUID", inventory.OS, "smbios_uuid value=a", "smbios_uuid value=b", ignoredHere},
		{"Secure Boot switched off", inventory.Hardware, "firmware secure_boot=yes type=efi", "firmware secure_boot=no type=efi", "high"},
		{"another firmware", inventory.Hardware, "firmware type=bios", "firmware type=efi", "medium"},
		{"more memory", inventory.Hardware, "memory mib=1", "memory mib=2", "medium"},
		{"newer Tools", inventory.Hardware, "tools version_status=NeedUpgrade", "tools version_status=Current", "low"},
		{"a disk added", inventory.Hardware, "", "disk/SCSI(0:1) size_bytes=1", "medium"},
		{"a disk decrypted", inventory.Hardware, "disk/SCSI(0:1) encrypted=yes", "disk/SCSI(0:1) encrypted=no", "high"},
		{"a CD put in", inventory.Hardware, "cdrom/IDE(0:0) connected=no", "cdrom/IDE(0:0) connected=yes", "low"},
		{"a USB device", inventory.Hardware, "", "usb/7000 backing=host", "high"},
		{"a snapshot", inventory.Hardware, "", "snapshot/a#1 created=2024-02-29T11:00:00Z", "low"},
		{"the vTPM gone", inventory.Hardware, "vtpm present=yes", "vtpm present=no", "high"},
		{"another network", inventory.Network, "nic/4000 attached_to=a", "nic/4000 attached_to=b", "high"},
		{"a network card", inventory.Network, "", "nic/4001 attached_to=a", "high"},
		{"another MAC address", inventory.Network, "nic/4000 mac=a", "nic/4000 mac=b", ignoredHere},
		{"a tag", inventory.Tags, "tag/env value=prod", "tag/env value=test", "low"},
		{"the last backup", inventory.Tags, "attribute/NB_LAST_BACKUP value=1", "attribute/NB_LAST_BACKUP value=2", ignoredHere},
		{"SSH of a host", inventory.Hypervisor, "service/TSM-SSH running=no", "service/TSM-SSH running=yes", "high"},
		{"another service of a host", inventory.Hypervisor, "service/ntpd running=yes", "service/ntpd running=no", "medium"},
		{"a host's firewall opened", inventory.Hypervisor, "firewall/snmp enabled=no", "firewall/snmp enabled=yes", "high"},
		{"a host's firewall shut", inventory.Hypervisor, "firewall/snmp enabled=yes", "firewall/snmp enabled=no", "medium"},
		{"lockdown ended", inventory.Hypervisor, "lockdown mode=normal", "lockdown mode=disabled", "high"},
		{"a host updated", inventory.Hypervisor, "version build=1", "version build=2", "low"},
		{"a host's certificate renewed", inventory.Hypervisor, "certificate not_after=1", "certificate not_after=2", ignoredHere},

		{"a point release", inventory.OS, "point_release value=12.1", "point_release value=12.2", "low"},
	})
}

func TestEveryDefaultRuleDecidesSomething(t *testing.T) {
	set, err := Defaults(DefaultsV1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range inventory.Facets() {
		if len(set.Facets[f]) == 0 {
			t.Errorf("%s has no rules", f)
		}
		for i, r := range set.Facets[f] {
			for j, q := range set.Facets[f][:i] {
				if r.equal(q) {
					t.Errorf("%s: rule %d says what rule %d says: %s", f, i, j, r.yaml())
				}
			}
		}
	}
}

func TestTheDefaultsArePrintedWithTheirComments(t *testing.T) {
	text, err := DefaultsYAML(DefaultsV1)
	if err != nil || !bytes.Contains(text, []byte("# WireGuard")) {
		t.Errorf("%.200s, %v", text, err)
	}
	none, err := DefaultsYAML(NoDefaults)
	if err != nil {
		t.Fatal(err)
	}
	if set, err := ReadRulesYAML("none", bytes.NewReader(none)); err != nil || len(set.Facets) != 0 {
		t.Errorf("%v, %v", set, err)
	}
	if _, err := Defaults("v9"); err == nil || !strings.Contains(err.Error(), "want v1 or none") {
		t.Error(err)
	}
}
