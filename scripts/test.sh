#!/bin/sh
# test.sh: all tests. A package that passes is a line, of one that fails everything
# is shown, and what was skipped stands at the end, with its reason.
set -u
status=$(mktemp)
trap 'rm -f "$status"' EXIT

{
	"${GO:-go}" test -race -timeout 20m -v "${@:-./...}" 2>&1
	echo $? >"$status"
} | awk '
	/^(=== |ok |\?|PASS$)/ || /^ *--- PASS/ { if ($1 == "ok" || $1 == "?") { print; fflush(); shown = "" }; next }
	/NOT COVERED HERE/ { skipped = skipped $0 "\n" }
	/^FAIL\t/ { printf "%s", shown; print; shown = ""; fflush(); next }
	{ shown = shown $0 "\n" }
	END { printf "%s", shown; if (skipped) printf "\nNot covered here:\n%s", skipped }
'
exit "$(cat "$status")"
