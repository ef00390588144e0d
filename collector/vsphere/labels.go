package vsphere

import (
	"strings"

	"github.com/vmdrift/vmdrift/inventory"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// A fieldDef is the definition of a custom attribute.
type fieldDef struct{ name string }

// places are where a machine is filed. An empty one is unknown, or does not apply.
type places struct {
	datacenter, cluster, pool string
	folder                    []string
}

// vmPlaces finds where a virtual machine is filed. On which host it runs is left out:
// DRS moves it.
func (in *infra) vmPlaces(vm *mo.VirtualMachine) places {
	var p places
	if at := in.parentOf(vm); at != (ref{}) {
		names, dc := in.path(at, isDatacenter)
		p.datacenter = in.places[dc].name
		if len(names) > 0 && dc != (ref{}) { // below the folder "vm" that every datacenter has
			p.folder = names[1:]
		}
	}
	p.cluster = in.clusterName(in.computeOf(vm))
	if vm.ResourcePool != nil {
		names, _ := in.path(*vm.ResourcePool, func(r ref, _ place) bool { return strings.HasSuffix(r.Type, "ComputeResource") })
		if len(names) > 1 { // below the pool "Resources" that every cluster has
			p.pool = strings.Join(names[1:], "/")
		}
	}
	return p
}

// parentOf returns the folder of a machine, or of the vApp that holds it.
func (in *infra) parentOf(vm *mo.VirtualMachine) ref {
	if vm.Parent != nil {
		return *vm.Parent
	}
	if vm.ParentVApp == nil {
		return ref{}
	}
	app := *vm.ParentVApp
	for range maxDepth { // only the outermost of nested ones is in a folder
		p, ok := in.places[app]
		if !ok || p.folder != (ref{}) {
			return p.folder
		}
		app = p.parent
	}
	return ref{}
}

func (in *infra) hostPlaces(h *mo.HostSystem) places {
	var p places
	if h.Parent != nil {
		_, dc := in.path(*h.Parent, isDatacenter)
		p.datacenter, p.cluster = in.places[dc].name, in.clusterName(*h.Parent)
	}
	return p
}

func (in *infra) clusterName(compute ref) string {
	if compute.Type != "ClusterComputeResource" {
		return ""
	}
	return in.places[compute].name
}

func isDatacenter(r ref, _ place) bool { return r.Type == "Datacenter" }

func (in *infra) vmLabels(o object, vm *mo.VirtualMachine) map[string]string {
	m := in.labels(o.ref, in.vmPlaces(vm), vm.CustomValue)
	if vm.Config.Template {
		m["template"] = "yes"
	}
	return m
}

// labels returns what selectors select by. Their language has few characters, so that each
// other one becomes a _; the facet tags has the names as they are.
func (in *infra) labels(r ref, p places, attributes []types.BaseCustomFieldValue) map[string]string {
	m := map[string]string{}
	set := func(key, value string) {
		if value = label(value); value != "" && key != "" {
			m[key] = value
		}
	}
	set("datacenter", p.datacenter)
	set("cluster", p.cluster)
	set("folder", strings.Join(p.folder, "."))
	set("resource_pool", strings.ReplaceAll(p.pool, "/", "."))
	for _, a := range in.attributes(attributes) {
		if name := label(a.name); name != "" {
			set("attribute/"+name, a.value)
		}
	}
	for _, t := range in.tags[r] {
		category := label(t.category)
		switch {
		case category == "":
		case t.single:
			set("tag/"+category, t.name)
		default: // a machine may have many of these: a label for each
			if name := label(t.category + "." + t.name); name != "" {
				m["tag/"+name] = "yes"
			}
		}
	}
	return m
}

// maxLabel is what selectors take.
const maxLabel = 63

// label returns text as a label's name or value: letters, digits, and in between - _ and .
func label(text string) string {
	out := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			return c
		}
		return '_'
	}, text)
	out = strings.TrimLeft(out, "-_.")
	if len(out) > maxLabel {
		out = out[:maxLabel]
	}
	return strings.TrimRight(out, "-_.")
}

// An attribute is a custom attribute of a machine.
type attribute struct{ name, value string }

// attributes returns the custom attributes that have a value.
func (in *infra) attributes(values []types.BaseCustomFieldValue) []attribute {
	var out []attribute
	for _, v := range values {
		s, ok := v.(*types.CustomFieldStringValue)
		if !ok || s.Value == "" {
			continue
		}
		if def, known := in.fields[s.Key]; known {
			out = append(out, attribute{unescapeName(def.name), s.Value})
		}
	}
	return out
}

// tagsOf observes what people wrote on the machine, and where they filed it.
func (in *infra) tagsOf(o object, p places, attributes []types.BaseCustomFieldValue) inventory.Observation {
	l := newList(inventory.Tags)
	if l.read(o, "parent") {
		for key, value := range map[string]string{
			"datacenter": p.datacenter, "cluster": p.cluster, "folder": strings.Join(p.folder, "/"), "resource_pool": p.pool,
		} {
			if value != "" {
				l.add(key, text("value", value))
			}
		}
	}
	if l.read(o, "customValue") {
		for _, a := range in.attributes(attributes) {
			l.add("attribute/"+a.name, text("value", a.value))
		}
	}
	if in.tagsErr != nil {
		l.missing, l.refusal = append(l.missing, "tags"), ": "+in.tagsErr.Error()
	}
	for category, names := range byCategory(in.tags[o.ref]) {
		l.add("tag/"+category, text("value", strings.Join(names, ",")))
	}
	return l.observation(inventory.Tags)
}
