#!/bin/sh
# bench.sh: the figures that the README quotes. Trust ratios, bytes and rows; times
# vary with what else the machine does. About eight minutes on two cores.
set -eu
go=${GO:-go}

bench() {
	echo
	echo "== $1"
	shift
	"$go" test -run '^$' "$@"
}

bench 'Collecting, against the leanest commands by a bare client, round by round' \
	-timeout 20m -benchtime 1x -bench '^BenchmarkNearTheFloor$' ./bench
bench 'Parsing (MB/s)' -bench '^BenchmarkParse(Dpkg|DpkgStatus|RPM|SS|Accounts)$' ./collector/guest
bench 'Diff (ns per item)' -bench '^BenchmarkDiff$' ./baseline
bench 'vCenter: 10,000 machines listed, beside one bare call for the same properties (ratio, calls, MB)' \
	-timeout 20m -benchtime 2x -bench '^BenchmarkList10000$' ./collector/vsphere
bench 'Store: disk (bytes per VM-night), quiet night, cold ingest, find' -timeout 20m -benchtime 1x \
	-bench '^Benchmark(DiskPerVMNight|QuietNight|ColdIngest|Find)$' ./store
