#!/bin/sh
# vmdrift's probe: it reads what a machine is, prints it, and changes nothing.
#
# POSIX sh without fd tricks or here-documents (some shells keep those in files).
# It writes no file, asks no network, and starts about seven short processes.
# On standard input: one line "NONCE sudo=auto|never directory=yes|no". The output
# is sections between lines that begin with the nonce, which nobody on the
# machine knows beforehand; package guest reads them.

main() {
	PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
	LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0
	export PATH LC_ALL SYSTEMD_COLORS SYSTEMD_URLIFY
	unset GREP_OPTIONS DPKG_ADMINDIR DPKG_ROOT
	nl='
'
	nonce=${vmdrift_hello%% *}
	case $nonce in
	'' | *[!0-9a-f]*) exit 64 ;;
	esac

	vmdrift_script=${vmdrift_script-}
	euid=''
	who_am_i 2>/dev/null
	how=user
	case $euid in
	0)
		how=root
		case $vmdrift_hello in *' sudo=done '*) how=sudo ;; esac
		;;
	*)
		case $vmdrift_hello in *' sudo=auto '*) become_root ;; esac
		;;
	esac

	say "$nl$nonce hello 1 $how"
	machine
	finished machine
	packages
	finished packages
	ports
	finished ports
	accounts
	finished accounts
	services
	finished services
	say "$nl$nonce done"
	exit 0
}

# mksh has no printf of its own, and what an external printf is told can be seen by ps.
# shellcheck disable=SC3044,SC2039,SC3045
if [ -n "${KSH_VERSION-}" ]; then
	say() { print -r -- "$1"; }
else
	say() { printf '%s\n' "$1"; }
fi

# finished PART: all sections of that part were sent, however many they are.
finished() { say "$nl$nonce read $1"; }

# run NAME COMMAND...: one section, and the command's exit status.
run() {
	section=$1
	shift
	say "$nl$nonce begin $section"
	"$@" </dev/null 2>/dev/null
	status=$?
	say "$nl$nonce end $section $status"
	return "$status"
}

# try is run, and where it fails a second run for what it has to say about it.
try() {
	run "$@" && return 0
	failed=$status
	[ "$failed" -eq 127 ] && return 127
	shift
	say "$nl$nonce begin $section.why"
	"$@" 2>&1 </dev/null >/dev/null
	say "$nl$nonce end $section.why $?"
	return "$failed"
}

who_am_i() {
	while read -r key _ effective _; do
		case $key in Uid:) euid=$effective && return ;; esac
	done </proc/self/status
	euid=$(id -u)
}

# become_root runs all of this once more under one sudo, if sudo lets it. Nonce and
# script go by standard input, not by argument: arguments end up in ps and the log.
become_root() {
	again="$nonce sudo=done ${vmdrift_hello#* sudo=auto }"
	say "$nl$nonce begin sudo"
	if [ "$0" = vmdrift ]; then
		{
			say "$again"
			say "$vmdrift_script"
		} | sudo -n sh -c 'IFS= read -r vmdrift_hello; vmdrift_script=$(cat); eval "$vmdrift_script"' vmdrift 2>&1
	else
		say "$again" | sudo -n "$0" 2>&1
	fi
	status=$?
	[ "$status" -eq 0 ] && exit 0
	say "$nl$nonce end sudo $status"
}

# first KEY FILE: the first line of a file, without a process of its own.
first() {
	[ -r "$2" ] || return 1
	line=
	IFS= read -r line <"$2" || [ -n "$line" ] || return 1
	say "$1=$line"
}

machine() {
	say "$nl$nonce begin os"
	os_facts 2>/dev/null
	say "$nl$nonce end os $?"
}

os_facts() {
	for file in /etc/os-release /usr/lib/os-release; do
		[ -r "$file" ] || continue
		while IFS= read -r line || [ -n "$line" ]; do
			case $line in
			ID=* | ID_LIKE=* | NAME=* | VERSION_ID=* | VERSION_CODENAME=*) say "release.$line" ;;
			esac
		done <"$file"
		break
	done
	first point_release /etc/debian_version
	first machine_id /etc/machine-id || first machine_id /var/lib/dbus/machine-id
	first hostname /proc/sys/kernel/hostname || say "hostname=$(uname -n)"
	first kernel /proc/sys/kernel/osrelease || say "kernel=$(uname -r)"
	first architecture /proc/sys/kernel/arch || say "architecture=$(uname -m)"
	first smbios_uuid /sys/class/dmi/id/product_uuid
	[ -e /sys/class/dmi/id/product_uuid ] || say no_smbios=
	first boot_id /proc/sys/kernel/random/boot_id
	first asset_tag /sys/class/dmi/id/board_asset_tag
	virtualization
	return 0
}

# virtualization asks the firmware's own words first: systemd-detect-virt costs
# as much as a list of all sockets.
virtualization() {
	first container /run/systemd/container && return
	[ -e /.dockerenv ] && say container=docker && return
	[ -e /run/.containerenv ] && say container=podman && return
	first vendor /sys/class/dmi/id/sys_vendor && vendor=$line
	first product /sys/class/dmi/id/product_name
	case ${vendor-} in
	QEMU | VMware* | 'Amazon EC2' | Google | Xen | 'Microsoft Corporation' | 'innotek GmbH') return ;;
	esac
	say "detected=$(systemd-detect-virt </dev/null)"
	say "hypervisor=$(grep -m 1 -c -w hypervisor /proc/cpuinfo </dev/null)"
}

# A database is asked where there is one, not where there is a command for it:
# busybox has an rpm and a dpkg, and Debian packages rpm.
packages() {
	if [ -s /var/lib/dpkg/status ]; then
		# dpkg-query takes five times as long to say the same. It is asked while dpkg
		# has something written down that is not in the database yet.
		set -- /var/lib/dpkg/updates/[0-9]*
		if [ -e "$1" ] || ! run dpkg.status grep -a -E '^(Package: |Status: |Architecture: |Version: |Source: |$)' /var/lib/dpkg/status; then
			# shellcheck disable=SC2016
			try dpkg dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\t${source:Package}\n'
		fi
	fi
	for file in /usr/lib/sysimage/rpm /var/lib/rpm; do
		if [ -s "$file/rpmdb.sqlite" ] || [ -s "$file/Packages.db" ] || [ -s "$file/Packages" ]; then
			try rpm rpm -qa --qf '%{NAME}\t%{ARCH}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{SOURCERPM}\n'
			break
		fi
	done
	for file in /lib/apk/db/installed /usr/lib/apk/db/installed; do
		if [ -s "$file" ]; then
			run apk grep -a -E '^([PVAo]:|$)' "$file"
			[ -r /etc/apk/world ] && run apk.world grep -a '' /etc/apk/world
			break
		fi
	done
	if [ -e /var/lib/pacman/local/ALPM_DB_VERSION ]; then
		run pacman grep -a -h -A 1 -E '^%(NAME|VERSION|BASE|ARCH)%$' /var/lib/pacman/local/*/desc
		run pacman.conf grep -a -E '^[[:space:]]*IgnorePkg' /etc/pacman.conf
	fi
}

# Without ss, the kernel's own tables say the same, and /proc/PID/fd says who holds a
# socket. The pattern takes the headings, TCP that listens and UDP that is not connected.
ports() {
	try ss ss -l -t -u -n -p -e && return
	if [ -r /proc/net/tcp ]; then
		run procnet grep -a -s -H -E 'local_address|: [0-9A-F]+:[0-9A-F]{4} 0+:0000 (0A|07) ' \
			/proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6
		[ "$euid" = 0 ] || return
		run procfd held_sockets
		run proccomm grep -a -s -H '' /proc/[0-9]*/comm
	else
		try netstat netstat -l -t -u -n -p
	fi
}

held_sockets() {
	# shellcheck disable=SC2010,SC2317 # find has no -printf everywhere; run calls this
	ls -l /proc/[0-9]*/fd/ | grep -a -E '^/proc/[0-9]+/fd/:|[0-9]+ -> socket:'
}

# The password field never leaves the machine: sed puts a letter in its place
# (N none, X see shadow, L locked, S set), drops the comment field, and replaces
# every line of another shape by "!". The file between the files is one line, "Linux".
# The range of ephemeral ports comes along: it can only be read in one piece.
accounts() {
	set -- /proc/sys/net/ipv4/ip_local_port_range /etc/passwd /proc/sys/kernel/ostype /etc/group
	[ -r /etc/shadow ] && set -- "$@" /proc/sys/kernel/ostype /etc/shadow
	run accounts sed -E "$letters" "$@"
	case $vmdrift_hello in
	*' directory=yes'*)
		say "$nl$nonce begin directory"
		{
			timeout 20 getent passwd
			say "=$?"
			timeout 20 getent group
			say "=$?"
		} </dev/null 2>/dev/null | sed -E "$letters"
		say "$nl$nonce end directory $?"
		;;
	esac
}

letters='
s/^Linux$/=/
s/^([0-9]+)[[:blank:]]+([0-9]+)$/=\1 \2/
/^=[0-9 ]*$/b
/^[+#]/d
/^$/d
/^[^:]+:/!s/.*/!/
/^!$/b
s/^[^:]*:[^:]*$/&:/
s/^([^:]*)::/\1:N:/
t letter
s/^([^:]*):x:/\1:X:/
t letter
s/^([^:]*):[!*][^:]*:/\1:L:/
t letter
s/^([^:]*):(\$[^:]*|_[.\/0-9A-Za-z]{19}|[.\/0-9A-Za-z]{13}):/\1:S:/
t letter
s/^([^:]*):[^:]*:/\1:L:/
t letter
:letter
s/\$[0-9a-z]+\$[^:]*/!/g
t shape
:shape
/^[^:]*:[A-Z](:-?[0-9]*){7}$/b
s/^([^:]*:[A-Z]:[0-9]*:[0-9]*):[^:]*/\1/
t
/^[^:]*:[A-Z]:[0-9]*:[0-9]*$/b
/^[^:]*:[A-Z]:[0-9]*(:[^:]*)?$/b
s/.*/!/
'

# services: what runs, and what the unit files say. Not list-unit-files: that
# makes the manager read every unit from the disk.
services() {
	if [ -d /run/systemd/system ] || [ -x /usr/lib/systemd/systemd ] || [ -x /lib/systemd/systemd ]; then
		try units systemctl list-units --all --plain --full --no-legend --no-pager --type=service,socket,timer,path
		unit_files
	elif [ -d /run/openrc ]; then
		run openrc find /etc/init.d /etc/runlevels /run/openrc -maxdepth 2
		try openrc.status rc-status -a -f ini
	elif [ -d /etc/init.d ]; then
		run sysv find -H /etc/init.d /etc/rc.d /etc/rc?.d -maxdepth 2
	fi
}

unit_files() {
	set -- /usr/lib/systemd/system
	[ -L /lib ] || set -- /lib/systemd/system "$@"
	for dir in usr/local/lib/systemd/system run/systemd/generator.late run/systemd/generator run/systemd/system.attached \
		run/systemd/system etc/systemd/system.attached etc/systemd/system run/systemd/generator.early \
		run/systemd/transient run/systemd/system.control etc/systemd/system.control; do
		[ -d "/$dir" ] && set -- "/$dir" "$@"
	done
	# Nothing here makes find look into a file's inode, which would double its cost. The entry of
	# a process in /proc is made when it is looked at: its age is the time of day.
	run unitfiles find -H "$@" /proc/self/cmdline -maxdepth 2 -name cmdline -printf 'now %Ts\n' \
		-o -name '*.[spt][eoia][rcmt][vkeh]*' -printf '%y %p\t%l\n' -o -name '*.conf' -printf '%y %p\t%l\n'

	# The pattern means .service, .socket, .timer and .path, in one reading of each folder.
	kinds='*.[spt][eoia][rcmt][vkeh]*'
	for dir in "$@"; do
		# shellcheck disable=SC2086
		set -- "$@" "$dir"/$kinds "$dir"/$kinds.d/*.conf
		shift
	done
	run unitkeys grep -a -s -H -E '^[[:space:]]*(\[|(WantedBy|RequiredBy|UpheldBy|Alias|Also|DefaultInstance|Type|BusName|RemainAfterExit|Accept|Service|Unit)[[:space:]]*=)' "$@"
}

if [ "$0" != vmdrift ]; then
	# Installed on the machine and forced by authorized_keys: what else the client sends is not looked at.
	vmdrift_hello=
	IFS= read -r vmdrift_hello || exit 64
fi
main
