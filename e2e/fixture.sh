# Makes the guest a machine on which something can change: packages at hand in
# two versions, users in every state, units in every state. Runs in the guest's
# files before it boots, so nothing here may need a running systemd.

# deb NAME VERSION [ARCH]: a tiny package in /var/tmp/debs, with one configuration file.
mkdir /var/tmp/debs
deb() {
	d=$(mktemp -d)
	chmod 0755 "$d"
	mkdir -p "$d/DEBIAN" "$d/etc/$1"
	echo "of $2" >"$d/etc/$1/conf"
	echo "/etc/$1/conf" >"$d/DEBIAN/conffiles"
	printf '%s\n' "Package: $1" "Version: $2" "Architecture: ${3:-all}" \
		"Source: vmdrift-source (0.1)" "Maintainer: nobody <nobody@example.com>" \
		"Description: for a test" >"$d/DEBIAN/control"
	dpkg-deb --build --root-owner-group "$d" "/var/tmp/debs/$1_$2.deb" >/dev/null
	rm -r "$d"
}
deb vmdrift-here 1:1.0-1
deb vmdrift-here 1:1.0-2
deb vmdrift-new 0.9~rc1 amd64
deb vmdrift-gone 2
deb vmdrift-rc 3
dpkg --install /var/tmp/debs/vmdrift-here_1:1.0-1.deb /var/tmp/debs/vmdrift-gone_2.deb \
	/var/tmp/debs/vmdrift-rc_3.deb >/dev/null
dpkg --remove vmdrift-rc >/dev/null # its configuration stays: state rc from the start

# Users: alice has a password, bob is locked, carol has none at all.
groupadd --gid 1500 team
groupadd --gid 1501 vault
useradd --uid 1601 --create-home --shell /bin/bash alice
useradd --uid 1602 --create-home --shell /bin/sh --groups team bob
useradd --uid 1603 --gid team --shell /usr/sbin/nologin carol
useradd --uid 1604 --no-user-group --gid users dave
echo 'alice:$y$j9T$4xcr1vQOsLnHGkSLbPCqU0$Dn3sqEKnKdWmzc1Q1y7uLZbyHQZsRsCSVgGhT1dJaB3' | chpasswd --encrypted
chage --lastday 2026-01-01 alice
passwd --delete --quiet carol

# Units, in the vendor's folder where they can be masked.
units=/usr/lib/systemd/system
mkdir -p "$units" # where /lib is a folder of its own, systemd reads both
unit() { # unit NAME SECTION… : a unit whose lines are read from standard input
	cat >"$units/$1"
}
service() { # service NAME EXEC [EXTRA-LINE…]
	name=$1 exec=$2
	shift 2
	{
		printf '%s\n' '[Unit]' "Description=a fixture, $name" '[Service]' "ExecStart=$exec" "$@"
	} | unit "$name.service"
}
service fx-running '/bin/sleep infinity' '[Install]' 'WantedBy=multi-user.target'
service fx-idle '/bin/sleep infinity' '[Install]' 'WantedBy=multi-user.target'
service fx-fails '/bin/false' '[Install]' 'WantedBy=multi-user.target'
service fx-oneshot '/bin/true' 'Type=oneshot' 'RemainAfterExit=yes' '[Install]' 'WantedBy=multi-user.target'
service fx-tick '/bin/true' 'Type=oneshot'
unit fx-tick.timer <<'END'
[Unit]
Description=a fixture, ticks yearly
[Timer]
OnCalendar=yearly
[Install]
WantedBy=timers.target
END
unit fx-listen.socket <<'END'
[Unit]
Description=a fixture, listens
[Socket]
ListenStream=/run/fx-listen
Accept=yes
[Install]
WantedBy=sockets.target
END
service fx-listen@ '/bin/cat' 'StandardInput=socket'
unit ssh-second.socket <<'END'
[Unit]
Description=a fixture, a port that systemd itself holds
[Socket]
ListenStream=127.0.0.1:2222
Accept=yes
[Install]
WantedBy=sockets.target
END
service ssh-second@ '/bin/cat' 'StandardInput=socket'
systemctl enable --quiet fx-running.service fx-oneshot.service ssh-second.socket
