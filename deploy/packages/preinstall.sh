#!/bin/sh
# The account that vmdrift runs as, without rights of its own.
set -e
getent group vmdrift >/dev/null || groupadd --system vmdrift
getent passwd vmdrift >/dev/null ||
	useradd --system --gid vmdrift --home-dir /var/lib/vmdrift --no-create-home --shell /usr/sbin/nologin vmdrift
