package simvm

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A grepping is one run of grep.
type grepping struct {
	p                                *process
	pattern                          *regexp.Regexp
	silent, names, noNames           bool
	count, invert, only, list, quiet bool
	most, after                      int
	found                            bool
	out                              bytes.Buffer
}

// grep in the options that scripts use. Patterns are Go's, which read the same as
// extended regular expressions in all that the probe needs.
func grep(p *process) int {
	g := grepping{p: p, most: -1}
	var pattern string
	havePattern, fixed, extended, ignoreCase, word, line := false, false, false, false, false, false
	args := p.args[1:]
	for ; len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-'; args = args[1:] {
		if args[0] == "--" {
			args = args[1:]
			break
		}
		for letters := args[0][1:]; letters != ""; {
			letter := letters[0]
			letters = letters[1:]
			if strings.IndexByte("meA", letter) >= 0 {
				value := letters
				if letters = ""; value == "" {
					if len(args) < 2 {
						return p.fail(2, "option requires an argument -- %c", letter)
					}
					args, value = args[1:], args[1]
				}
				n, err := strconv.Atoi(value)
				switch {
				case letter == 'e':
					pattern, havePattern = value, true
				case err != nil:
					return p.fail(2, "%s: invalid number", value)
				case letter == 'm':
					g.most = n
				default:
					g.after = n
				}
				continue
			}
			flag := map[byte]*bool{
				's': &g.silent, 'H': &g.names, 'h': &g.noNames, 'c': &g.count, 'v': &g.invert, 'o': &g.only, 'l': &g.list, 'q': &g.quiet,
				'F': &fixed, 'E': &extended, 'i': &ignoreCase, 'w': &word, 'x': &line, 'a': new(bool),
			}[letter]
			if flag == nil {
				return p.unsimulated("-" + string(letter))
			}
			*flag = true
		}
	}
	if !havePattern {
		if len(args) == 0 {
			return p.fail(2, "no pattern")
		}
		pattern, args = args[0], args[1:]
	}
	if fixed {
		pattern = regexp.QuoteMeta(pattern)
	} else if !extended && strings.ContainsAny(pattern, "+?{}()|\\") {
		return p.unsimulated("a basic regular expression such as " + pattern)
	}
	if word {
		pattern = `\b(?:` + pattern + `)\b`
	}
	if line {
		pattern = `^(?:` + pattern + `)$`
	}
	if ignoreCase {
		pattern = "(?i)" + pattern
	}
	var err error
	if g.pattern, err = compiled(pattern); err != nil {
		return p.fail(2, "%v", err)
	}
	return g.files(args)
}

// compiled keeps patterns: there are few, the probe's own.
func compiled(pattern string) (*regexp.Regexp, error) {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(pattern)
	if err == nil {
		patterns.Store(pattern, re)
	}
	return re, err
}

var patterns sync.Map

func (g *grepping) files(names []string) int {
	status := 0
	if len(names) == 0 {
		text, err := io.ReadAll(io.LimitReader(g.p.stdin, maxInput))
		if err != nil {
			return 2
		}
		g.file("(standard input)", string(text), g.names)
	}
	for _, name := range names {
		text, err := g.p.read(g.p.dir, name)
		if err != nil {
			if status = 2; !g.silent {
				g.p.fail(2, "%s: %s", name, errno(err))
			}
			continue
		}
		g.file(name, text, g.names || len(names) > 1 && !g.noNames)
	}
	if !g.quiet {
		g.p.stdout.Write(g.out.Bytes()) //nolint:errcheck // the client may have gone
	}
	switch {
	case status == 0 && !g.found:
		return 1
	case g.quiet && g.found:
		return 0
	}
	return status
}

func (g *grepping) file(name, text string, named bool) {
	hits, trailing := 0, 0
	last := false // the line before was written
	write := func(mark byte, line string) {
		if named {
			g.out.WriteString(name)
			g.out.WriteByte(mark)
		}
		g.out.WriteString(line)
		g.out.WriteByte('\n')
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if g.pattern.MatchString(line) == g.invert || hits == g.most {
			if last = trailing > 0; last {
				trailing--
				write('-', line)
			}
			continue
		}
		hits++
		g.found = true
		if g.count || g.list || g.quiet {
			continue
		}
		if g.after > 0 && !last && g.out.Len() > 0 {
			g.out.WriteString("--\n")
		}
		last, trailing = true, g.after
		if !g.only {
			write(':', line)
			continue
		}
		for _, part := range g.pattern.FindAllString(line, -1) {
			write(':', part)
		}
	}
	switch {
	case g.list && hits > 0:
		fmt.Fprintln(&g.out, name)
	case g.count && named:
		fmt.Fprintf(&g.out, "%s:%d\n", name, hits)
	case g.count:
		fmt.Fprintln(&g.out, hits)
	}
}
