//go:build linux

package e2e

import (
	"strings"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/inventory"
)

// A change is one thing that is done to the machine, and the one thing that
// vmdrift must say of it: no more, no less, and named right.
type change struct {
	name string
	do   string // a shell script, as root in the guest
	undo string

	facet  inventory.Facet
	key    string
	op     baseline.Op
	fields map[string][2]string // of a changed item: name → want, have
	also   []also               // changes that are the same act, seen in another facet
}

// also is a second change, where what was done is two things: useradd also makes a group.
type also struct {
	facet  inventory.Facet
	key    string
	op     baseline.Op
	fields map[string][2]string
}

// field is a shorthand for one field that differs.
func field(name, want, have string) map[string][2]string {
	return map[string][2]string{name: {want, have}}
}

func packageChanges() []change {
	const here = "deb/vmdrift-here:all"
	install := func(file string) string {
		return "dpkg --install --force-confnew --force-downgrade /var/tmp/debs/" + file + ".deb >/dev/null 2>&1"
	}
	return []change{
		{
			name: "package installed",
			do:   install("vmdrift-new_0.9~rc1"), undo: "dpkg --purge vmdrift-new >/dev/null",
			facet: inventory.Packages, key: "deb/vmdrift-new:amd64", op: baseline.Added,
		},
		{
			name: "package upgraded",
			do:   install("vmdrift-here_1:1.0-2"), undo: install("vmdrift-here_1:1.0-1"),
			facet: inventory.Packages, key: here, op: baseline.Changed, fields: field("version", "1:1.0-1", "1:1.0-2"),
		},
		{
			name: "package purged",
			do:   "dpkg --purge vmdrift-gone >/dev/null", undo: install("vmdrift-gone_2"),
			facet: inventory.Packages, key: "deb/vmdrift-gone:all", op: baseline.Removed,
		},
		{
			name: "package removed, its configuration left",
			do:   "dpkg --remove vmdrift-gone >/dev/null", undo: install("vmdrift-gone_2"),
			facet: inventory.Packages, key: "deb/vmdrift-gone:all", op: baseline.Removed,
		},
		{
			name: "package back that had left its configuration",
			do:   install("vmdrift-rc_3"), undo: "dpkg --remove vmdrift-rc >/dev/null",
			facet: inventory.Packages, key: "deb/vmdrift-rc:all", op: baseline.Added,
		},
		{
			name: "package held",
			do:   "echo vmdrift-here hold | dpkg --set-selections", undo: "echo vmdrift-here install | dpkg --set-selections",
			facet: inventory.Packages, key: here, op: baseline.Changed, fields: field("hold", "no", "yes"),
		},
		{
			name: "package unpacked only",
			do:   "dpkg --unpack /var/tmp/debs/vmdrift-here_1:1.0-1.deb >/dev/null", undo: "dpkg --configure --force-confnew vmdrift-here >/dev/null",
			facet: inventory.Packages, key: here, op: baseline.Changed, fields: field("state", "installed", "unpacked"),
		},
	}
}

// listen opens a socket with nc and waits until ss sees it; quit closes it and
// waits until it is gone. The file in /tmp is no state that vmdrift reads.
func listen(args, filter string) (do, quit string) {
	port := filter[strings.LastIndexByte(filter, ':')+1:]
	gone := `[ -z "$(ss -Hnl ` + filter + `)" ]`
	do = "setsid nc " + args + " >/dev/null 2>&1 </dev/null & echo $! >/tmp/nc-" + port + "\nwhile " + gone + "; do sleep 0.02; done"
	quit = "kill $(cat /tmp/nc-" + port + ")\nuntil " + gone + "; do sleep 0.02; done"
	return do, quit
}

func portChanges() []change {
	var all []change
	for _, p := range []struct{ name, args, filter, key string }{
		{"TCP v4, every address", "-4 -lk 4711", "-4 -t sport = :4711", "tcp/0.0.0.0:4711"},
		{"TCP v4, loopback", "-4 -lk 127.0.0.1 4712", "-4 -t sport = :4712", "tcp/127.0.0.1:4712"},
		{"TCP v6, every address", "-6 -lk 4713", "-6 -t sport = :4713", "tcp/[::]:4713"},
		{"TCP v6, loopback", "-6 -lk ::1 4714", "-6 -t sport = :4714", "tcp/[::1]:4714"},
		{"UDP v4, every address", "-4 -ulk 4715", "-4 -u sport = :4715", "udp/0.0.0.0:4715"},
		{"UDP v4, loopback", "-4 -ulk 127.0.0.1 4716", "-4 -u sport = :4716", "udp/127.0.0.1:4716"},
		{"UDP v6, every address", "-6 -ulk 4717", "-6 -u sport = :4717", "udp/[::]:4717"},
		{"UDP v6, loopback", "-6 -ulk ::1 4718", "-6 -u sport = :4718", "udp/[::1]:4718"},
	} {
		do, undo := listen(p.args, p.filter)
		all = append(all, change{name: "port opened: " + p.name, do: do, undo: undo, facet: inventory.Ports, key: p.key, op: baseline.Added})
	}
	do, undo := listen("-4 -lk 4720", "-4 -t sport = :4720")
	return append(
		all,
		// systemd starts it again by hand only, so the port is really gone.
		change{
			name: "port closed", do: "systemctl stop ssh-second.socket", undo: "systemctl start ssh-second.socket",
			facet: inventory.Ports, key: "tcp/127.0.0.1:2222", op: baseline.Removed,
			also: []also{{
				facet: inventory.Services, key: "ssh-second.socket", op: baseline.Changed,
				fields: map[string][2]string{"active": {"active", "inactive"}, "sub": {"listening", "dead"}},
			}},
		},
		change{
			name: "port of a user that is not root", do: "chroot --userspec=bob / /bin/sh -c '" + do + "'", undo: undo,
			facet: inventory.Ports, key: "tcp/0.0.0.0:4720", op: baseline.Added,
		},
	)
}

func userChanges() []change {
	changed := func(name, do, undo, key, f, want, have string) change {
		return change{name: name, do: do, undo: undo, facet: inventory.Users, key: key, op: baseline.Changed, fields: field(f, want, have)}
	}
	const aliceHash = `'$y$j9T$4xcr1vQOsLnHGkSLbPCqU0$Dn3sqEKnKdWmzc1Q1y7uLZbyHQZsRsCSVgGhT1dJaB3'`
	return []change{
		{
			// Its own group, of its name and without other members, is no group that anybody made.
			name: "user added, as useradd does it",
			do:   "useradd --uid 1700 eve", undo: "userdel eve",
			facet: inventory.Users, key: "eve", op: baseline.Added,
		},
		{
			name: "user added into a group that is there",
			do:   "useradd --uid 1700 --no-user-group --gid team eve", undo: "userdel eve",
			facet: inventory.Users, key: "eve", op: baseline.Added,
		},
		{
			name: "user removed",
			do:   "userdel dave", undo: "useradd --uid 1604 --no-user-group --gid users dave",
			facet: inventory.Users, key: "dave", op: baseline.Removed,
		},
		changed("shell", "usermod --shell /bin/sh alice", "usermod --shell /bin/bash alice", "alice", "shell", "/bin/bash", "/bin/sh"),
		changed("uid", "usermod --uid 1999 alice", "usermod --uid 1601 alice", "alice", "uid", "1601", "1999"),
		changed("home", "usermod --home /srv alice", "usermod --home /home/alice alice", "alice", "home", "/home/alice", "/srv"),
		changed("groups: one more", "usermod --append --groups vault bob", "gpasswd --delete bob vault >/dev/null", "bob", "groups", "team", "team,vault"),
		changed("groups: the first", "usermod --append --groups vault alice", "gpasswd --delete alice vault >/dev/null", "alice", "groups", "", "vault"),
		changed("groups: one less", "gpasswd --delete bob team >/dev/null", "usermod --append --groups team bob", "bob", "groups", "team", ""),
		changed("password: locked, then set", "echo 'bob:s3cret' | chpasswd", "usermod --password '!' bob", "bob", "password", "locked", "set"),
		changed("password: set, then locked", "usermod --lock alice", "usermod --unlock alice", "alice", "password", "set", "locked"),
		changed("password: set, then expired", "chage --lastday 0 alice", "chage --lastday 2026-01-01 alice", "alice", "password", "set", "expired"),
		changed("password: set, then none", "passwd --delete --quiet alice", "usermod --password "+aliceHash+" alice", "alice", "password", "set", "none"),
		changed("password: none, then set", "usermod --password "+aliceHash+" carol", "passwd --delete --quiet carol", "carol", "password", "none", "set"),
	}
}

func groupChanges() []change {
	return []change{
		{
			name: "group added", do: "groupadd --gid 1800 crew", undo: "groupdel crew",
			facet: inventory.Groups, key: "crew", op: baseline.Added,
		},
		{
			name: "group removed", do: "groupdel vault", undo: "groupadd --gid 1501 vault",
			facet: inventory.Groups, key: "vault", op: baseline.Removed,
		},
		{
			name: "group id", do: "groupmod --gid 1900 vault", undo: "groupmod --gid 1501 vault",
			facet: inventory.Groups, key: "vault", op: baseline.Changed, fields: field("gid", "1501", "1900"),
		},
		{
			name: "group with a member that is no local user",
			do:   "sed -i 's/^vault:.*/&ghost/' /etc/group", undo: "sed -i '/^vault:/s/ghost$//' /etc/group",
			facet: inventory.Groups, key: "vault", op: baseline.Changed, fields: field("other_members", "", "ghost"),
		},
	}
}

func serviceChanges() []change {
	changed := func(name, do, undo, key string, fields map[string][2]string) change {
		return change{name: name, do: do, undo: undo, facet: inventory.Services, key: key, op: baseline.Changed, fields: fields}
	}
	up := map[string][2]string{"active": {"inactive", "active"}, "sub": {"dead", "running"}}
	down := map[string][2]string{"active": {"active", "inactive"}, "sub": {"running", "dead"}}
	const newUnit = `printf '%s\n' '[Service]' 'ExecStart=/bin/true' >/etc/systemd/system/fx-new.service`
	return []change{
		changed("service enabled", "systemctl enable --quiet fx-idle", "systemctl disable --quiet fx-idle", "fx-idle.service", field("enabled", "disabled", "enabled")),
		changed("service disabled", "systemctl disable --quiet fx-running", "systemctl enable --quiet fx-running", "fx-running.service", field("enabled", "enabled", "disabled")),
		changed("service masked", "systemctl mask --quiet fx-idle", "systemctl unmask --quiet fx-idle", "fx-idle.service", field("enabled", "disabled", "masked")),
		changed("running service masked", "systemctl mask --quiet fx-running", "systemctl unmask --quiet fx-running", "fx-running.service", field("enabled", "enabled", "masked")),
		changed("service stopped", "systemctl stop fx-running", "systemctl start fx-running", "fx-running.service", down),
		changed("service started", "systemctl start fx-idle", "systemctl stop fx-idle", "fx-idle.service", up),
		changed("one-shot stopped", "systemctl stop fx-oneshot", "systemctl start fx-oneshot", "fx-oneshot.service",
			map[string][2]string{"active": {"active", "inactive"}, "sub": {"exited", "dead"}}),
		// The start itself succeeds: it is the process that fails, a little later.
		changed("service failed", "systemctl start fx-fails; until systemctl is-failed --quiet fx-fails; do sleep 0.02; done",
			"systemctl reset-failed fx-fails", "fx-fails.service",
			map[string][2]string{"active": {"inactive", "failed"}, "sub": {"dead", "failed"}}),
		changed("running service killed", "systemctl kill --signal=SIGKILL fx-running; until systemctl is-failed --quiet fx-running; do sleep 0.02; done",
			"systemctl start fx-running", "fx-running.service",
			map[string][2]string{"active": {"active", "failed"}, "sub": {"running", "failed"}}),
		changed("timer enabled", "systemctl enable --quiet fx-tick.timer", "systemctl disable --quiet fx-tick.timer", "fx-tick.timer", field("enabled", "disabled", "enabled")),
		changed("timer started", "systemctl start fx-tick.timer", "systemctl stop fx-tick.timer", "fx-tick.timer",
			map[string][2]string{"active": {"inactive", "active"}, "sub": {"dead", "waiting"}}),
		changed("socket started", "systemctl start fx-listen.socket", "systemctl stop fx-listen.socket", "fx-listen.socket",
			map[string][2]string{"active": {"inactive", "active"}, "sub": {"dead", "listening"}}),
		{
			name: "unit file added", do: newUnit, undo: "rm /etc/systemd/system/fx-new.service",
			facet: inventory.Services, key: "fx-new.service", op: baseline.Added,
		},
		{
			name: "unit file added and loaded", do: newUnit + "; systemctl daemon-reload", undo: "rm /etc/systemd/system/fx-new.service; systemctl daemon-reload",
			facet: inventory.Services, key: "fx-new.service", op: baseline.Added,
		},
		{
			name: "unit file removed", do: "mv /usr/lib/systemd/system/fx-tick.timer /var/tmp", undo: "mv /var/tmp/fx-tick.timer /usr/lib/systemd/system",
			facet: inventory.Services, key: "fx-tick.timer", op: baseline.Removed,
		},
	}
}
