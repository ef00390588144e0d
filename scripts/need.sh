#!/bin/sh
# need.sh demo|test|bench: make sure that the tools are there which that target
# runs. Missing ones are installed by apt as root; elsewhere one sentence says
# what is missing, and, for test and bench, what goes unseen without it.
set -eu

what=$1
missing='' packages=''

# need TOOL PACKAGES: the folders are where distributions keep tools that are not on everybody's PATH.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	for dir in /usr/sbin /sbin /usr/local/go/bin /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
		[ -x "$dir/$1" ] && return
	done
	missing="$missing $1" packages="$packages $2"
}

need go golang-go
need git git
need initdb postgresql
case $what in
test | bench)
	need gcc 'gcc libc6-dev'
	need sshd openssh-server
	need ssh-keygen openssh-client
	need ss iproute2
	need sudo sudo
	need mmdebstrap mmdebstrap
	need systemd-nspawn systemd-container
	need busybox busybox
	;;
esac
if [ "$what" = test ]; then
	need dash dash
	need bash bash
	need mksh mksh
	need dropbear dropbear-bin
	need rpm rpm
	need rpmbuild rpm
	need vercmp makepkg
	need shellcheck shellcheck
	need chromium chromium
fi

[ -z "$missing" ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "Installing:$packages" >&2
	# The server's package would start a cluster of its own, which nobody here needs.
	mkdir -p /etc/postgresql-common/createcluster.d
	[ -e /etc/postgresql-common/createcluster.d/vmdrift.conf ] ||
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/vmdrift.conf
	log=$(mktemp)
	# shellcheck disable=SC2086
	if apt-get update >"$log" 2>&1 &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >>"$log" 2>&1; then
		rm -f "$log"
		exit 0
	fi
	cat "$log" >&2
	rm -f "$log"
fi

echo "make $what needs$missing; install them: apt-get install$packages" >&2
case " $missing " in
*' go '* | *' git '* | *' initdb '*) exit 1 ;;
esac
[ "${CI-}" = true ] && exit 1
echo 'Going on without: the tests that need them say that they are skipped.' >&2
