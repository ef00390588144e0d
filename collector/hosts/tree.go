package hosts

import (
	"maps"
	"slices"
)

// A tree is an inventory: hosts and groups with their variables, and which group is in which.
type tree struct {
	hosts  map[string]map[string]string
	groups map[string]*group
}

type group struct {
	hosts    map[string]bool
	children map[string]bool
	vars     map[string]string
}

func newTree() *tree {
	return &tree{hosts: map[string]map[string]string{}, groups: map[string]*group{}}
}

func (t *tree) group(name string) *group {
	g := t.groups[name]
	if g == nil {
		g = &group{hosts: map[string]bool{}, children: map[string]bool{}, vars: map[string]string{}}
		t.groups[name] = g
	}
	return g
}

// host adds a host to a group, with variables of its own.
func (t *tree) host(inGroup, name string, vars map[string]string) {
	if t.hosts[name] == nil {
		t.hosts[name] = map[string]string{}
	}
	maps.Copy(t.hosts[name], vars)
	t.group(inGroup).hosts[name] = true
}

func (t *tree) hostNames() []string { return slices.Sorted(maps.Keys(t.hosts)) }

// groupsOf returns the groups that each host is in: those that name it last, those
// around them before, so that variables can be taken in that order.
func (t *tree) groupsOf() map[string][]string {
	depth := map[string]int{}
	var sink func(name string, d int, way map[string]bool)
	sink = func(name string, d int, way map[string]bool) {
		if way[name] { // a group that holds itself
			return
		}
		if old, seen := depth[name]; seen && old >= d {
			return
		}
		depth[name] = d
		way[name] = true
		if g := t.groups[name]; g != nil {
			for child := range g.children {
				sink(child, d+1, way)
			}
		}
		delete(way, name)
	}
	sink("all", 0, map[string]bool{})
	for name := range t.groups {
		sink(name, 1, map[string]bool{})
	}

	parents := map[string][]string{}
	for name, g := range t.groups {
		for child := range g.children {
			parents[child] = append(parents[child], name)
		}
	}
	out := map[string][]string{}
	for name := range t.hosts {
		in := map[string]bool{"all": true}
		var rise func(g string)
		rise = func(g string) {
			if !in[g] {
				in[g] = true
				for _, p := range parents[g] {
					rise(p)
				}
			}
		}
		for g, group := range t.groups {
			if group.hosts[name] {
				rise(g)
			}
		}
		list := slices.Sorted(maps.Keys(in))
		slices.SortStableFunc(list, func(a, b string) int { return depth[a] - depth[b] })
		out[name] = list
	}
	return out
}

// varsOf returns a host's variables: of its groups, the inner before the outer, and its own before all.
func (t *tree) varsOf(host string, groups []string) map[string]string {
	out := map[string]string{}
	for _, g := range groups {
		if group := t.groups[g]; group != nil {
			maps.Copy(out, group.vars)
		}
	}
	maps.Copy(out, t.hosts[host])
	return out
}
