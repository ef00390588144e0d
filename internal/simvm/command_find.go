package simvm

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// A finding is one run of find: what it looks for, and what it does with it.
type finding struct {
	p                  *process
	follow             bool
	minDepth, maxDepth int
	test               func(name string, n *node, depth int) bool
	out                bytes.Buffer
	args               []string // of the expression, not yet read
	prints             bool     // the expression has an action of its own
	failed             string   // what can't be done
	status             int
}

// find [-H] [PATH…] [EXPRESSION]
func find(p *process) int {
	f := &finding{p: p, maxDepth: 1 << 30}
	args := p.args[1:]
	if len(args) > 0 && args[0] == "-H" {
		f.follow, args = true, args[1:]
	}
	var starts []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		starts, args = append(starts, args[0]), args[1:]
	}
	if len(starts) == 0 {
		starts = []string{"."}
	}
	f.args = args
	f.test = f.either()
	if len(f.args) > 0 && f.failed == "" {
		f.failed = f.args[0]
	}
	if f.failed != "" {
		return p.unsimulated(f.failed)
	}
	for _, start := range starts {
		n, err := p.resolve(absolute(p.dir, start), f.follow)
		if err != nil {
			f.status = p.fail(1, "%s: %s", start, errno(err))
			continue
		}
		f.walk(start, n, 0)
	}
	p.stdout.Write(f.out.Bytes()) //nolint:errcheck // the client may have gone
	return f.status
}

func (f *finding) walk(name string, n *node, depth int) {
	if depth >= f.minDepth && f.test(name, n, depth) && !f.prints {
		f.out.WriteString(name + "\n")
	}
	if !n.mode.IsDir() || depth == f.maxDepth {
		return
	}
	if !f.p.may(n, 0o4) {
		f.status = f.p.fail(1, "%s: Permission denied", name)
		return
	}
	for _, entry := range n.order {
		f.walk(strings.TrimSuffix(name, "/")+"/"+entry, n.entries[entry], depth+1)
	}
}

type test = func(name string, n *node, depth int) bool

// either reads A -o B …
func (f *finding) either() test {
	t := f.all()
	for len(f.args) > 0 && (f.args[0] == "-o" || f.args[0] == "-or") {
		f.args = f.args[1:]
		a, b := t, f.all()
		t = func(name string, n *node, depth int) bool { return a(name, n, depth) || b(name, n, depth) }
	}
	return t
}

// all reads A [-a] B …
func (f *finding) all() test {
	t := func(string, *node, int) bool { return true }
	for len(f.args) > 0 && f.failed == "" && f.args[0] != "-o" && f.args[0] != "-or" && f.args[0] != ")" {
		if f.args[0] == "-a" {
			f.args = f.args[1:]
			continue
		}
		a, b := t, f.one()
		t = func(name string, n *node, depth int) bool { return a(name, n, depth) && b(name, n, depth) }
	}
	return t
}

// one reads a single test or action.
func (f *finding) one() test {
	word := f.args[0]
	f.args = f.args[1:]
	value := func() string {
		if len(f.args) == 0 {
			f.failed = word + " without a value"
			return ""
		}
		v := f.args[0]
		f.args = f.args[1:]
		return v
	}
	always := func(string, *node, int) bool { return true }
	switch word {
	case "(":
		t := f.either()
		if value() != ")" {
			f.failed = "( without )"
		}
		return t
	case "!", "-not":
		t := f.one()
		return func(name string, n *node, depth int) bool { return !t(name, n, depth) }
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(value())
		if err != nil {
			f.failed = word
		} else if word == "-maxdepth" {
			f.maxDepth = n
		} else {
			f.minDepth = n
		}
		return always
	case "-name":
		pattern := value()
		return func(name string, _ *node, _ int) bool {
			ok, err := path.Match(pattern, path.Base(name))
			return ok && err == nil
		}
	case "-type":
		letter := value()
		return func(_ string, n *node, _ int) bool { return string(typeLetter(n)) == letter }
	case "-print":
		f.prints = true
		return func(name string, _ *node, _ int) bool { f.out.WriteString(name + "\n"); return true }
	case "-printf":
		f.prints = true
		format := value()
		if f.p.image.dist.init == openrc {
			f.failed = "busybox: -printf" // its find has none
		}
		return func(name string, n *node, _ int) bool { f.printf(format, name, n); return true }
	}
	f.failed = word
	return always
}

// printf writes a find format: %y %s %T@ %Ts %p %f %l %m, \t, \n, \0.
func (f *finding) printf(format, name string, n *node) {
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' && c != '\\' || i+1 == len(format) {
			f.out.WriteByte(c)
			continue
		}
		i++
		if c == '\\' {
			f.out.WriteByte(unescape(format[i]))
			continue
		}
		in := info{n, f.p.session}
		switch format[i] {
		case 'y':
			f.out.WriteByte(typeLetter(n))
		case 's':
			fmt.Fprint(&f.out, in.Size())
		case 'p':
			f.out.WriteString(name)
		case 'f':
			f.out.WriteString(path.Base(name))
		case 'm':
			fmt.Fprintf(&f.out, "%o", n.mode.Perm())
		case 'l':
			if n.mode&fs.ModeSymlink != 0 {
				f.out.WriteString(n.text(f.p.session))
			}
		case 'T':
			i++ // the letter after it: s and @ are both seconds
			fmt.Fprint(&f.out, in.ModTime().Unix())
		default:
			f.out.WriteByte(format[i])
		}
	}
}

func unescape(c byte) byte {
	switch c {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case '0':
		return 0
	}
	return c
}

func typeLetter(n *node) byte {
	switch {
	case n.mode.IsDir():
		return 'd'
	case n.mode&fs.ModeSymlink != 0:
		return 'l'
	case n.name == "null":
		return 'c'
	}
	return 'f'
}
