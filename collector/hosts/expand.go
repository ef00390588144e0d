package hosts

import (
	"fmt"
	"strconv"
	"strings"
)

// maxHosts bounds what one pattern may stand for.
const maxHosts = 100_000

// expand returns the names that a pattern stands for: web-[01:20], db-[a:f], rack[1:9:2]-[1:4].
func expand(pattern string) ([]string, error) {
	open := strings.IndexByte(pattern, '[')
	if open < 0 {
		return []string{pattern}, nil
	}
	length := strings.IndexByte(pattern[open:], ']')
	if length < 0 {
		return nil, fmt.Errorf("%q: the range is not closed", pattern)
	}
	inside := pattern[open+1 : open+length]
	if open == 0 && strings.Count(inside, ":") > 2 || strings.Contains(inside, "::") {
		return []string{pattern}, nil // an IPv6 address
	}
	middle, err := expandRange(inside)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	tails, err := expand(pattern[open+length+1:])
	if err != nil {
		return nil, err
	}
	if len(middle)*len(tails) > maxHosts {
		return nil, fmt.Errorf("%q stands for more than %d hosts", pattern, maxHosts)
	}
	var out []string
	for _, m := range middle {
		for _, tail := range tails {
			out = append(out, pattern[:open]+m+tail)
		}
	}
	return out, nil
}

// expandRange reads FROM:TO or FROM:TO:STEP, numbers (with leading zeros kept) or letters.
func expandRange(s string) ([]string, error) {
	parts := strings.Split(s, ":")
	step := 1
	var err error
	if len(parts) == 3 {
		step, err = strconv.Atoi(parts[2])
	}
	if len(parts) < 2 || len(parts) > 3 || err != nil || step < 1 {
		return nil, fmt.Errorf("[%s] is no range; write [1:9], [01:20] or [a:f]", s)
	}
	from, to := parts[0], parts[1]
	if len(from) == 1 && len(to) == 1 && isLetter(from[0]) && isLetter(to[0]) && from[0] <= to[0] {
		var out []string
		for c := int(from[0]); c <= int(to[0]); c += step {
			out = append(out, string(rune(c)))
		}
		return out, nil
	}
	if from == "" {
		from = "0"
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if errA != nil || errB != nil || a < 0 || a > b {
		return nil, fmt.Errorf("[%s] is no range; write [1:9], [01:20] or [a:f]", s)
	}
	if (b-a)/step >= maxHosts {
		return nil, fmt.Errorf("[%s] stands for more than %d hosts", s, maxHosts)
	}
	width := 0
	if strings.HasPrefix(from, "0") && len(from) > 1 {
		width = len(from)
	}
	var out []string
	for n := a; n <= b; n += step {
		out = append(out, fmt.Sprintf("%0*d", width, n))
	}
	return out, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
