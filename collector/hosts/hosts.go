// Package hosts lists machines from files: Ansible inventories (INI, YAML, and the
// JSON that `ansible-inventory --list` prints) and the aliases of an ssh_config.
//
// It reads files and runs nothing: no dynamic inventory scripts, no templates, no
// vaults. Of the variables it takes what tells where a machine is; the others may be
// secrets, and stay where they are.
package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// maxFile bounds one inventory file.
const maxFile = 64 << 20

// Local is the address of the machine that vmdrift runs on.
const Local = "local"

// A Source lists the machines of one inventory.
type Source struct {
	name, path string
	read       func(path string) (*tree, error)
}

var _ collector.Source = (*Source)(nil)

// Ansible returns the source of that name over an Ansible inventory: a file, or a folder
// whose files are read together, as Ansible does (no group_vars, no host_vars).
func Ansible(name, path string) *Source { return &Source{name, path, readAnsible} }

// SSHConfig returns the source of that name over the aliases of an ssh_config: the
// names after Host that hold no wildcard. Where they lead is the transport's to know.
func SSHConfig(name, path string) *Source { return &Source{name, path, readSSHConfig} }

// Name implements collector.Source.
func (s *Source) Name() string { return s.name }

// List implements collector.Source. A machine's labels are group/NAME=true for each
// group that it is in, however deep; all and ungrouped go without saying.
func (s *Source) List(context.Context) (collector.Listing, error) {
	t, err := s.read(s.path)
	if err != nil {
		return collector.Listing{}, fmt.Errorf("read inventory: %w", err)
	}
	var out collector.Listing
	groups := t.groupsOf()
	for _, name := range t.hostNames() {
		vars := t.varsOf(name, groups[name])
		address, err := addressOf(name, vars)
		if err == nil {
			err = checkName(name)
		}
		if err != nil {
			out.Problems = append(out.Problems, collector.Problem{Part: inventory.Escape(name), Err: err})
			continue
		}
		labels := map[string]string{}
		for _, g := range groups[name] {
			key := "group/" + g
			if g == "all" || g == "ungrouped" {
				continue
			}
			if len(validation.IsQualifiedName(key)) > 0 {
				out.Problems = append(out.Problems, collector.Problem{
					Part: inventory.Escape(name), Err: fmt.Errorf("group %s can be no label", inventory.Escape(g)),
				})
				continue
			}
			labels[key] = "true"
		}
		out.Machines = append(out.Machines, collector.Listed{
			Machine: inventory.Machine{
				ID: inventory.MachineID{Source: s.name, NativeID: name}, Name: name, Address: address, Labels: labels,
			},
			Kind: collector.Host,
		})
	}
	return out, nil
}

func checkName(name string) error {
	if inventory.Escape(name) != name || strings.ContainsAny(name, " /") || strings.HasPrefix(name, "-") {
		return errors.New("this is no host name")
	}
	return nil
}

// addressOf returns where the variables say that the machine is: [user@]host[:port].
func addressOf(name string, vars map[string]string) (string, error) {
	first := func(names ...string) string {
		for _, n := range names {
			if v := vars[n]; v != "" {
				return v
			}
		}
		return ""
	}
	if first("ansible_connection") == "local" {
		return Local, nil
	}
	host := first("ansible_host", "ansible_ssh_host")
	user, port := first("ansible_user", "ansible_ssh_user"), first("ansible_port", "ansible_ssh_port")
	for _, v := range []string{host, user, port} {
		if strings.Contains(v, "{{") || strings.Contains(v, "{%") {
			return "", fmt.Errorf("%s is a template, and only Ansible can fill it in; use the output of: ansible-inventory --list", inventory.Escape(v))
		}
	}
	if host == "" {
		host = name
	}
	address := host
	if strings.Contains(host, ":") && port != "" {
		address = "[" + host + "]"
	}
	if user != "" {
		address = user + "@" + address
	}
	if port != "" {
		address += ":" + port
	}
	if inventory.Escape(address) != address || strings.ContainsAny(address, " \"'") || strings.HasPrefix(address, "-") {
		return "", fmt.Errorf("%s is no address", inventory.Escape(address))
	}
	return address, nil
}

// readAnsible reads a file or the files of a folder.
func readAnsible(path string) (*tree, error) {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = inventoryFiles(path); err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("there is no inventory in %s", path)
		}
	}
	t := newTree()
	for _, file := range files {
		data, err := readFile(file)
		if err != nil {
			return nil, err
		}
		if err := t.parse(file, data); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// inventoryFiles returns the files of a folder that Ansible would read, sorted.
func inventoryFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	ignored := []string{"~", ".orig", ".bak", ".ini.swp", ".cfg", ".retry", ".pyc", ".pyo", ".md", ".rst", ".sh", ".py"}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || slices.ContainsFunc(ignored, func(s string) bool { return strings.HasSuffix(name, s) }) {
			continue
		}
		out = append(out, filepath.Join(dir, name))
	}
	return out, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeType != 0:
		return nil, fmt.Errorf("%s is no file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	}
	return os.ReadFile(path)
}

// parse adds one file to the tree, whichever of the three forms it has.
func (t *tree) parse(name string, data []byte) error {
	text := bytes.TrimSpace(data)
	switch {
	case bytes.HasPrefix(text, []byte("#!")):
		return fmt.Errorf("%s is a script; vmdrift does not run inventories: use the output of ansible-inventory --list", name)
	case bytes.HasPrefix(text, []byte("{")):
		return t.parseJSON(name, data)
	case bytes.HasPrefix(text, []byte("---")), strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"):
		return t.parseYAML(name, data)
	}
	return t.parseINI(name, data)
}
