//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Sample is what reaching all machines once cost.
type Sample struct {
	Wall  time.Duration
	CPU   time.Duration // of this process, the client
	Bytes int64         // received over the network
}

// A Round is one sample of each side, taken one after the other.
type Round struct{ Floor, VMDrift Sample }

// A job reaches all machines once.
type job func(ctx context.Context) error

// interleave takes rounds, so that whatever else the computer does meanwhile hits
// both sides alike. Which side goes first alternates. A round before the first
// one warms both up and is not counted.
func interleave(ctx context.Context, rounds int, floor, vmdrift job) ([]Round, error) {
	out := make([]Round, 0, rounds)
	for i := range rounds + 1 {
		var r Round
		sides := []struct {
			name string
			job  job
			into *Sample
		}{{"floor", floor, &r.Floor}, {"vmdrift", vmdrift, &r.VMDrift}}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			var err error
			if *s.into, err = sample(ctx, s.job); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		if i > 0 {
			out = append(out, r)
		}
	}
	return out, nil
}

func sample(ctx context.Context, j job) (Sample, error) {
	cpu, received := cpuTime(), receivedBytes()
	start := time.Now()
	err := j(ctx)
	return Sample{Wall: time.Since(start), CPU: cpuTime() - cpu, Bytes: receivedBytes() - received}, err
}

// eachPort calls f for every port at once.
func eachPort(ports []int, f func(port int) error) error {
	errs := make([]error, len(ports))
	var wg sync.WaitGroup
	for i, port := range ports {
		wg.Go(func() { errs[i] = f(port) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// receivedBytes returns what the loopback interface of this network has carried,
// both ways: the measured machines are all there is on it.
func receivedBytes() int64 {
	dev, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(dev)) {
		if name, rest, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "lo" {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// median returns the middle of what f says of each round.
func median(rounds []Round, f func(Round) float64) float64 {
	v := values(rounds, f)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// values returns what f says of each round, sorted.
func values(rounds []Round, f func(Round) float64) []float64 {
	v := make([]float64, len(rounds))
	for i, r := range rounds {
		v[i] = f(r)
	}
	slices.Sort(v)
	return v
}
