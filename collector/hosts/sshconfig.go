package hosts

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// readSSHConfig returns the aliases of an ssh_config and of the files that it includes:
//
//	Host web-1 web-2
//	  User deploy
//	Host *.example.com !bad
//
// gives web-1 and web-2.
func readSSHConfig(path string) (*tree, error) {
	t := newTree()
	return t, t.aliases(path, filepath.Dir(path), 0)
}

func (t *tree) aliases(path, dir string, depth int) error {
	if depth > 16 {
		return fmt.Errorf("%s: Include in Include, %d deep", path, depth)
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	for raw := range bytes.Lines(data) {
		fields := strings.Fields(strings.Replace(string(raw), "=", " ", 1))
		if len(fields) < 2 {
			continue
		}
		switch strings.ToLower(fields[0]) {
		case "host":
			for _, name := range fields[1:] {
				if name = unquote(name); !strings.ContainsAny(name, "*?!") {
					t.host("ungrouped", name, nil)
				}
			}
		case "include":
			for _, pattern := range fields[1:] {
				pattern = unquote(pattern)
				if rest, ok := strings.CutPrefix(pattern, "~/.ssh/"); ok {
					pattern = rest
				}
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(dir, pattern)
				}
				files, err := filepath.Glob(pattern)
				if err != nil {
					return fmt.Errorf("%s: Include %s: %w", path, pattern, err)
				}
				slices.Sort(files)
				for _, f := range files {
					if err := t.aliases(f, dir, depth+1); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
