# Unit files in every state that systemctl list-unit-files knows, in every folder
# that systemd reads, for the proof that what vmdrift derives is what systemd says.
# Runs in the guest's files before it boots; zooRuntime adds what needs a running systemd.
vendor=/usr/lib/systemd/system local=/usr/local/lib/systemd/system etc=/etc/systemd/system
mkdir -p "$local" /opt/units

plain() { printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' "$@"; }
install() { plain '[Install]' "$@"; }

# Where a unit file can live; the earlier folder wins.
install WantedBy=multi-user.target >"$vendor/zoo-vendor.service"
install WantedBy=multi-user.target >"$local/zoo-local.service"
install WantedBy=multi-user.target >"$etc/zoo-etc.service"
plain >"$vendor/zoo-static.service"
plain >"$vendor/zoo-overridden.service"
install WantedBy=multi-user.target >"$etc/zoo-overridden.service"
install WantedBy=multi-user.target >"$vendor/zoo-made-static.service"
plain >"$etc/zoo-made-static.service"

# What the install section can say.
install WantedBy=multi-user.target >"$vendor/zoo-wanted.service"
install RequiredBy=multi-user.target >"$vendor/zoo-required.service"
install UpheldBy=multi-user.target >"$vendor/zoo-upheld.service"
install 'WantedBy=multi-user.target graphical.target' >"$vendor/zoo-twice.service"
install Alias=zoo-other-name.service >"$vendor/zoo-aliased.service"
install Alias=zoo-alias-off.service >"$vendor/zoo-alias-disabled.service"
install 'WantedBy=multi-user.target' 'Alias=zoo-both-alias.service' >"$vendor/zoo-both.service"
install Also=zoo-wanted.service >"$vendor/zoo-also.service"
install Also=zoo-static.service >"$vendor/zoo-also-static.service"
install Also=zoo-never.service >"$vendor/zoo-also-disabled.service"
install WantedBy=multi-user.target >"$vendor/zoo-never.service"
install WantedBy= >"$vendor/zoo-empty-wantedby.service"
plain '[Install]' >"$vendor/zoo-empty-install.service"
printf '%s\n' '[Install]' 'WantedBy=zoo-late.service' '[Service]' 'ExecStart=/usr/bin/true' >"$vendor/zoo-install-first.service"
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' '# [Install]' '#WantedBy=multi-user.target' >"$vendor/zoo-commented.service"
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' '[Install]' 'WantedBy=multi-user.target \' '  graphical.target' >"$vendor/zoo-continued.service"
printf '[Service]\r\nExecStart=/usr/bin/true\r\n' >"$vendor/zoo-crlf.service"
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' '  [Install]' '  WantedBy = multi-user.target' >"$vendor/zoo-indented.service"
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' '[X-Install]' 'WantedBy=multi-user.target' >"$vendor/zoo-x-install.service"

# Templates and instances.
install WantedBy=multi-user.target >"$vendor/zoo-template@.service"
install WantedBy=multi-user.target DefaultInstance=one >"$vendor/zoo-default@.service"
install WantedBy=multi-user.target DefaultInstance=two >"$vendor/zoo-default-off@.service"
plain >"$vendor/zoo-template-static@.service"
install WantedBy=multi-user.target >"$vendor/zoo-instance-only@.service"

# Links by hand.
ln -s zoo-vendor.service "$vendor/zoo-vendor-alias.service"
ln -s "$vendor/zoo-vendor.service" "$etc/zoo-admin-alias.service"
ln -s /dev/null "$etc/zoo-static-masked.service"
plain >"$vendor/zoo-static-masked.service"
install WantedBy=multi-user.target >"$vendor/zoo-masked.service"
install WantedBy=multi-user.target >"$vendor/zoo-masked-enabled.service"
ln -s /dev/null "$vendor/zoo-vendor-masked.service"
ln -s /dev/null "$etc/zoo-masked-nothing.service"
: >"$etc/zoo-empty-file.service"
install WantedBy=multi-user.target >/opt/units/zoo-linked.service
plain >/opt/units/zoo-linked-static.service
ln -s /opt/units/zoo-linked.service "$etc/zoo-linked.service"
ln -s /opt/units/zoo-linked-static.service "$etc/zoo-linked-static.service"
install WantedBy=multi-user.target >/opt/units/zoo-linked-enabled.service
ln -s /opt/units/nowhere.service "$etc/zoo-dangling.service"
mkdir -p "$vendor/multi-user.target.wants" "$etc/multi-user.target.wants"
plain >"$vendor/zoo-vendor-wanted.service"
ln -s ../zoo-vendor-wanted.service "$vendor/multi-user.target.wants/"
install WantedBy=multi-user.target >"$vendor/zoo-vendor-enabled.service"
ln -s ../zoo-vendor-enabled.service "$vendor/multi-user.target.wants/"
install WantedBy=multi-user.target >"$vendor/zoo-wanted-by-hand.service"
mkdir -p "$etc/zoo-static.service.wants"
ln -s "$vendor/zoo-wanted-by-hand.service" "$etc/zoo-static.service.wants/"
plain >"$vendor/zoo-static-wanted.service"
ln -s "$vendor/zoo-static-wanted.service" "$etc/multi-user.target.wants/"
ln -s "$vendor/zoo-no-such.service" "$etc/multi-user.target.wants/zoo-no-such.service"
ln -s /elsewhere/zoo-odd-target.service "$etc/multi-user.target.wants/zoo-odd-target.service"
install WantedBy=multi-user.target >"$vendor/zoo-odd-target.service"

# Drop-ins: one adds an install section, which systemd does not read for this; one is for a prefix.
plain >"$vendor/zoo-dropin.service"
mkdir -p "$etc/zoo-dropin.service.d"
printf '%s\n' '[Install]' 'WantedBy=multi-user.target' >"$etc/zoo-dropin.service.d/10.conf"

# Other types.
printf '%s\n' '[Timer]' 'OnCalendar=yearly' '[Install]' 'WantedBy=timers.target' >"$vendor/zoo-wanted.timer"
printf '%s\n' '[Socket]' 'ListenStream=/run/zoo' '[Install]' 'WantedBy=sockets.target' >"$vendor/zoo-wanted.socket"
printf '%s\n' '[Path]' 'PathExists=/run/zoo-path' '[Install]' 'WantedBy=paths.target' >"$vendor/zoo-wanted.path"
printf '%s\n' '[Unit]' 'Description=a fixture' '[Install]' 'WantedBy=multi-user.target' >"$vendor/zoo-group.target"

# Units that are made when the machine boots: by a generator, and from a SysV script.
mkdir -p /etc/systemd/system-generators
cat >/etc/systemd/system-generators/zoo <<'END'
#!/bin/sh
printf '%s\n' '[Service]' 'ExecStart=/usr/bin/true' >"$1/zoo-generated.service"
END
cat >/etc/init.d/zoo-sysv <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          zoo-sysv
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: a fixture
### END INIT INFO
exit 0
END
chmod 0755 /etc/systemd/system-generators/zoo /etc/init.d/zoo-sysv
ln -s ../init.d/zoo-sysv /etc/rc2.d/S01zoo-sysv
install WantedBy=multi-user.target >"$vendor/zoo-runtime.service"
install WantedBy=multi-user.target >"$vendor/zoo-both-times.service"
install WantedBy=multi-user.target >"$vendor/zoo-masked-runtime.service"

# Names that need care.
install WantedBy=multi-user.target >"$vendor/zoo-with\\x20escape.service"
install WantedBy=multi-user.target >"$vendor/zoo:colon_under.dot.service"
install WantedBy=multi-user.target >"$vendor/zoo not a unit name.service"
install WantedBy=multi-user.target >"$vendor/zoo-no-suffix"

systemctl enable --quiet zoo-wanted.service zoo-required.service zoo-upheld.service zoo-twice.service \
	zoo-aliased.service zoo-both.service zoo-overridden.service zoo-local.service zoo-etc.service \
	zoo-template@a.service zoo-template@b.service zoo-default@.service zoo-instance-only@x.service \
	zoo-masked-enabled.service zoo-continued.service \
	zoo-wanted.timer zoo-wanted.socket 'zoo-with\x20escape.service' /opt/units/zoo-linked-enabled.service 2>/tmp/zoo.err || {
	cat /tmp/zoo.err >&2
	exit 1
}
systemctl mask --quiet zoo-masked.service zoo-masked-enabled.service
