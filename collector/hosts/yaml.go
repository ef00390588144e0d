package hosts

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseYAML reads Ansible's YAML form:
//
//	all:
//	  vars: {ansible_user: root}
//	  children:
//	    web:
//	      hosts:
//	        web-[1:3]: {ansible_port: 2222}
func (t *tree) parseYAML(name string, data []byte) error {
	var root yaml.Node
	if err := yaml.Load(data, &root, yaml.WithUniqueKeys()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(root.Content) == 0 {
		return nil
	}
	y := yamlReader{t, name}
	return y.pairs(root.Content[0], func(group string, n *yaml.Node) error { return y.group(group, n, 0) })
}

type yamlReader struct {
	t    *tree
	name string
}

const maxDepth = 50 // of groups in groups

func (y yamlReader) bad(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", y.name, n.Line, n.Column, fmt.Sprintf(format, args...))
}

// pairs calls f for each key and value of a mapping. Nothing is an empty mapping.
func (y yamlReader) pairs(n *yaml.Node, f func(key string, value *yaml.Node) error) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || n.Value == "") {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return y.bad(n, "a mapping is expected here")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := f(n.Content[i].Value, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (y yamlReader) group(name string, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return y.bad(n, "groups in groups in groups, %d deep", depth)
	}
	y.t.group(name)
	return y.pairs(n, func(key string, value *yaml.Node) error {
		switch key {
		case "hosts":
			return y.pairs(value, func(pattern string, vars *yaml.Node) error {
				names, err := expand(pattern)
				if err != nil {
					return y.bad(vars, "%v", err)
				}
				own, err := y.vars(vars)
				if err != nil {
					return err
				}
				for _, host := range names {
					y.t.host(name, host, own)
				}
				return nil
			})
		case "vars":
			vars, err := y.vars(value)
			if err != nil {
				return err
			}
			for k, v := range vars {
				y.t.group(name).vars[k] = v
			}
			return nil
		case "children":
			return y.pairs(value, func(child string, n *yaml.Node) error {
				y.t.group(name).children[child] = true
				return y.group(child, n, depth+1)
			})
		}
		return y.bad(value, "a group has hosts, vars and children, and no %q", key)
	})
}

// vars returns the variables that are plain values; lists and mappings say nothing here.
func (y yamlReader) vars(n *yaml.Node) (map[string]string, error) {
	out := map[string]string{}
	err := y.pairs(n, func(key string, value *yaml.Node) error {
		if value.Kind == yaml.ScalarNode && value.Tag != "!vault" {
			out[key] = value.Value
		}
		return nil
	})
	return out, err
}

// parseJSON reads what `ansible-inventory --list` prints:
//
//	{"_meta": {"hostvars": {"web-1": {"ansible_host": "192.0.2.1"}}},
//	 "all": {"children": ["ungrouped", "web"]}, "web": {"hosts": ["web-1"]}}
func (t *tree) parseJSON(name string, data []byte) error {
	var groups map[string]json.RawMessage
	if err := json.Unmarshal(data, &groups); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var meta struct {
		Hostvars map[string]map[string]any `json:"hostvars"`
	}
	if raw, ok := groups["_meta"]; ok {
		if err := json.Unmarshal(raw, &meta); err != nil {
			return fmt.Errorf("%s: _meta: %w", name, err)
		}
	}
	delete(groups, "_meta")
	for group, raw := range groups {
		var g struct {
			Hosts    []string       `json:"hosts"`
			Children []string       `json:"children"`
			Vars     map[string]any `json:"vars"`
		}
		if err := json.Unmarshal(raw, &g); err != nil {
			if err2 := json.Unmarshal(raw, &g.Hosts); err2 != nil { // the old form: a list of hosts
				return fmt.Errorf("%s: group %s: %w", name, group, err)
			}
		}
		for k, v := range scalars(g.Vars) {
			t.group(group).vars[k] = v
		}
		for _, c := range g.Children {
			t.group(group).children[c] = true
			t.group(c)
		}
		for _, h := range g.Hosts {
			t.host(group, h, scalars(meta.Hostvars[h]))
		}
	}
	for h, vars := range meta.Hostvars {
		t.host("all", h, scalars(vars))
	}
	if len(t.hosts) == 0 {
		return fmt.Errorf("%s: %w", name, errors.New("there is no host in it"))
	}
	return nil
}

// scalars returns the variables that are plain values, as text.
func scalars(vars map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range vars {
		switch v := v.(type) {
		case string:
			out[k] = v
		case float64:
			out[k] = strings.TrimSuffix(fmt.Sprintf("%.0f", v), ".0")
		}
	}
	return out
}
