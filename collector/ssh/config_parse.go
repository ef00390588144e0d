package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A directive is one line of an ssh_config file.
type directive struct {
	file string
	line int
	key  string   // in lower case
	args []string // unquoted, without comment
	rest string   // the line after the keyword, as it stands: ProxyCommand is read so
}

func (d directive) at() string { return fmt.Sprintf("%s:%d", d.file, d.line) }

func (d directive) value() string {
	if len(d.args) == 0 {
		return ""
	}
	return d.args[0]
}

// A block is a run of directives that hold under the same conditions: those of
// its Host or Match line, and those around the Include that brought it here.
type block struct {
	when  []directive // host and match lines, all of which must match
	lines []directive
}

// maxIncludeDepth is OpenSSH's.
const maxIncludeDepth = 16

// configReader flattens ssh_config files and what they include into blocks.
type configReader struct {
	home   string
	blocks []block
}

// readFile appends the blocks of one file. Relative includes are looked for in dir.
func (r *configReader) readFile(path, dir string, outer []directive, depth int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	when := outer
	r.blocks = append(r.blocks, block{when: when})
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		d, err := parseDirective(text)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if d.key == "" {
			continue
		}
		d.file, d.line = path, n
		if len(d.args) == 0 && d.key != "proxycommand" {
			return fmt.Errorf("%s: %s has no value", d.at(), d.key)
		}
		switch d.key {
		case "host", "match":
			if d.key == "match" {
				if err := checkMatch(d); err != nil {
					return err
				}
			}
			when = append(outer[:len(outer):len(outer)], d)
			r.blocks = append(r.blocks, block{when: when})
		case "include":
			if err := r.include(d, dir, when, depth); err != nil {
				return err
			}
			r.blocks = append(r.blocks, block{when: when})
		default:
			b := &r.blocks[len(r.blocks)-1]
			b.lines = append(b.lines, d)
		}
	}
	return nil
}

func (r *configReader) include(d directive, dir string, when []directive, depth int) error {
	if depth >= maxIncludeDepth {
		return fmt.Errorf("%s: files include one another more than %d deep", d.at(), maxIncludeDepth)
	}
	for _, arg := range d.args {
		pattern := expandTilde(arg, r.home)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("%s: include %q: %w", d.at(), arg, err)
		}
		for _, path := range paths {
			err := r.readFile(path, dir, when, depth+1)
			if errors.Is(err, fs.ErrNotExist) {
				continue // as ssh does
			}
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("%s: include: %w", d.at(), err)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// parseDirective splits `Keyword value…` and `Keyword=value…`. An empty key is a
// blank line or a comment.
func parseDirective(line string) (directive, error) {
	line = strings.Trim(line, " \t\r\n\f")
	if line == "" || line[0] == '#' {
		return directive{}, nil
	}
	end := strings.IndexAny(line, " \t\r\f=")
	if end < 0 {
		end = len(line)
	}
	if end == 0 {
		return directive{}, errors.New("the line begins with =")
	}
	rest := strings.TrimLeft(line[end:], " \t\r\f")
	if strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], " \t\r\f")
	}
	d := directive{key: strings.ToLower(line[:end]), rest: rest}
	if d.key == "proxycommand" {
		d.args = []string{rest}
		return d, nil
	}
	var err error
	d.args, err = splitArgs(rest)
	return d, err
}

// splitArgs splits as OpenSSH does: at blanks, with quotes of both kinds, with a
// backslash before quote, backslash and blank, up to a word that begins with #.
func splitArgs(s string) ([]string, error) {
	var args []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if s[i] == '#' {
			break
		}
		var word []byte
		quote := byte(0)
		for ; i < len(s); i++ {
			c := s[i]
			if c == '\\' && i+1 < len(s) {
				if n := s[i+1]; n == '\'' || n == '"' || n == '\\' || n == ' ' && quote == 0 {
					word = append(word, n)
					i++
					continue
				}
			}
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
			switch {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				word = append(word, c)
			}
		}
		if quote != 0 {
			return nil, fmt.Errorf("the quote %c is not closed", quote)
		}
		args = append(args, string(word))
	}
	return args, nil
}
