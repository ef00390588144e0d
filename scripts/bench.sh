#!/bin/sh
# bench.sh: the figures that the README quotes. Trust ratios, bytes and rows; times
# vary with what else the machine does. About twelve minutes on two cores.
set -eu
go=${GO:-go}

missed=''

# bench TITLE ARGS...: one that misses its bound does not keep the others from being measured.
bench() {
	title=$1
	echo
	echo "== $title"
	shift
	"$go" test -run '^$' "$@" || missed="$missed
  $title"
}

bench 'Collecting, against the leanest commands by a bare client, round by round' \
	-timeout 20m -benchtime 1x -bench '^BenchmarkNearTheFloor$' ./bench
bench 'Parsing (MB/s; beside a bare split and copy)' -bench '^BenchmarkParse(Dpkg|DpkgStatus|RPM|SS|Accounts)$' ./collector/guest
bench 'Diff (ns per item; beside a bare merge)' -bench '^BenchmarkDiff$' ./baseline
bench 'vCenter: 10,000 machines listed, beside one bare call for the same properties (ratio, calls, MB)' \
	-timeout 20m -benchtime 2x -bench '^BenchmarkList10000$' ./collector/vsphere
bench 'Store: disk (bytes per VM-night), quiet night, cold ingest' -timeout 20m -benchtime 1x \
	-bench '^Benchmark(DiskPerVMNight|QuietNight|ColdIngest)$' ./store
bench 'A quiet night of 10,000 machines through the queue and the database' -timeout 20m -benchtime 1x -bench '^BenchmarkNight10000$' ./internal/worker
bench 'One run by one, two and four worker processes' -timeout 20m -benchtime 1x -bench '^BenchmarkWorkers$' ./cmd/vmdrift
bench 'A hundred nights: what the last ones cost beside the first months' -timeout 20m -benchtime 1x -bench '^BenchmarkHundredNights$' ./store
bench 'Store: find' -timeout 20m -benchtime 20x -bench '^BenchmarkFind$' ./store

[ -z "$missed" ] || { echo; echo "These miss a bound:$missed" >&2; exit 1; }
