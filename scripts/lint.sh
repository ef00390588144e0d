#!/bin/sh
# lint.sh: the linters, at set versions. Each runs even if one before it complained.
set -u

failed=''
lint() {
	name=$1
	shift
	echo "$name" >&2
	"$@" || failed="$failed $name"
}

formatted() {
	unformatted=$(go run mvdan.cc/gofumpt@v0.12.0 -l .) || return 1
	[ -z "$unformatted" ] || { echo "run gofumpt -w on: $unformatted" >&2; return 1; }
}

# govulncheck needs its data, which is not to be had everywhere.
vulnerable() {
	out=$(go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./... 2>&1)
	status=$?
	case $out in
	*'dial tcp'* | *'no such host'* | *Forbidden* | *'HTTP GET'* | *'fetching vulnerabilities'*)
		echo 'govulncheck: skipped, its data cannot be reached from here' >&2
		return 0
		;;
	esac
	[ "$status" -eq 0 ] || echo "$out" >&2
	return "$status"
}

lint gofumpt formatted
lint vet go vet ./...
lint staticcheck go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
lint govulncheck vulnerable
lint shellcheck shellcheck collector/guest/probe.sh scripts/*.sh .ci/run
lint shellcheck shellcheck -S warning -s sh internal/realguest/*.sh e2e/*.sh bench/*.sh

[ -z "$failed" ] || { echo "complaints of:$failed" >&2; exit 1; }
