#!/bin/sh
# An upgrade restarts the service; only a removal stops it. deb says remove, rpm says 0.
set -e
case "${1:-}" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now vmdrift.service 'vmdrift-work@*.service' || true
	fi
	;;
esac
