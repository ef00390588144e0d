package vsphere

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

type ref = types.ManagedObjectReference

// An infra is what stands around the machines: where they are filed, and what their
// network cards can be attached to.
type infra struct {
	places   map[ref]place
	networks map[string]network // by the key that a card's backing has
	switches map[ref]string
	hosts    []host
	vlans    map[vlanKey]string // of standard port groups
	fields   map[int32]fieldDef // custom attributes
	computes map[ref]ref        // the cluster of each host
	tags     map[ref][]tagging
	tagsErr  error     // why tags could not be read
	old      time.Time // a snapshot taken before is old
	soon     time.Time // a certificate that is not good until then runs out
}

// A place is a folder, datacenter, cluster or resource pool.
type place struct {
	name   string
	parent ref
	folder ref // of a vApp, whose parent is a resource pool
}

// A network is a distributed port group or an opaque network.
type network struct {
	name, vlan string
	vlanKnown  bool
	parent     ref // the distributed switch
}

type host struct {
	object
	mo *mo.HostSystem
	// acceptance is the level of the software that the host takes, and why it is not known; both empty
	// where nobody asked.
	acceptance, noAcceptance string
}

// A vlanKey is a standard port group within a cluster. Each host has its own, of the same name.
type vlanKey struct {
	compute ref
	name    string
}

const mixed = "\x00" // the hosts of a cluster do not agree

func newInfra() *infra {
	return &infra{
		places: map[ref]place{}, networks: map[string]network{}, switches: map[ref]string{},
		vlans: map[vlanKey]string{}, fields: map[int32]fieldDef{}, computes: map[ref]ref{},
	}
}

// readInfra reads all but the virtual machines.
func readInfra(ctx context.Context, v *view) (*infra, error) {
	in := newInfra()
	var beside []types.ObjectSpec
	paths := infraPaths
	if m := v.client.ServiceContent.CustomFieldsManager; m != nil { // not on a host by itself
		beside = append(beside, types.ObjectSpec{Obj: *m})
		paths = map[string][]string{"CustomFieldsManager": {"field"}}
		for k, p := range infraPaths {
			paths[k] = p
		}
	}
	err := v.each(ctx, paths, beside, func(page []types.ObjectContent) error {
		for _, c := range page {
			if err := in.add(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	in.learnVLANs()
	return in, nil
}

func (in *infra) add(c types.ObjectContent) error {
	switch c.Obj.Type {
	case "HostSystem":
		o, h, err := load[mo.HostSystem](c)
		if err != nil {
			return err
		}
		in.hosts = append(in.hosts, host{object: o, mo: h})
	case "DistributedVirtualPortgroup":
		_, pg, err := load[mo.DistributedVirtualPortgroup](c)
		if err != nil {
			return err
		}
		n := network{name: unescapeName(pg.Name)}
		n.vlan, n.vlanKnown = vlanOf(pg.Config.DefaultPortConfig)
		if pg.Config.DistributedVirtualSwitch != nil {
			n.parent = *pg.Config.DistributedVirtualSwitch
		}
		in.networks[pg.Key] = n
	case "OpaqueNetwork":
		_, on, err := load[mo.OpaqueNetwork](c)
		if err != nil {
			return err
		}
		if sum, ok := on.Summary.(*types.OpaqueNetworkSummary); ok {
			in.networks[sum.OpaqueNetworkId] = network{name: unescapeName(on.Name)}
		}
	case "CustomFieldsManager":
		_, m, err := load[mo.CustomFieldsManager](c)
		if err != nil {
			return err
		}
		for _, f := range m.Field {
			in.fields[f.Key] = fieldDef{name: f.Name}
		}
	default:
		in.addPlace(c)
	}
	return nil
}

// addPlace reads name and parent, of whatever type it is: distributed switches of some
// vendors have types of their own.
func (in *infra) addPlace(c types.ObjectContent) {
	var p place
	for _, prop := range c.PropSet {
		switch v := prop.Val.(type) {
		case string:
			if prop.Name == "name" {
				p.name = unescapeName(v)
			}
		case ref:
			switch prop.Name {
			case "parent":
				p.parent = v
			case "parentFolder":
				p.folder = v
			}
		}
	}
	if strings.HasSuffix(c.Obj.Type, "DistributedVirtualSwitch") {
		in.switches[c.Obj] = p.name
		return
	}
	in.places[c.Obj] = p
}

// learnVLANs finds the VLAN of each standard port group of each cluster. Where the cluster's hosts
// do not agree it is not known: else it would change with every move of a VM.
func (in *infra) learnVLANs() {
	for _, h := range in.hosts {
		if h.mo.Parent != nil {
			in.computes[h.ref] = *h.mo.Parent
		}
		if h.mo.Parent == nil || h.mo.Config == nil || h.mo.Config.Network == nil {
			continue
		}
		for _, pg := range h.mo.Config.Network.Portgroup {
			k, v := vlanKey{*h.mo.Parent, pg.Spec.Name}, itoa(pg.Spec.VlanId)
			if had, ok := in.vlans[k]; ok && had != v {
				v = mixed
			}
			in.vlans[k] = v
		}
	}
}

// maxDepth is deeper than any inventory: the server may lie.
const maxDepth = 64

// path returns the names from the place up to, and not including, the first one
// that stop accepts, outermost first, and that one.
func (in *infra) path(r ref, stop func(ref, place) bool) (names []string, end ref) {
	for range maxDepth {
		p, ok := in.places[r]
		if !ok {
			return names, ref{}
		}
		if stop(r, p) {
			return names, r
		}
		names = slices.Insert(names, 0, p.name)
		r = p.parent
	}
	return names, ref{}
}

// unescapeName undoes the escapes that vSphere itself puts into names.
func unescapeName(name string) string {
	if !strings.Contains(name, "%") {
		return name
	}
	return nameEscapes.Replace(name)
}

var nameEscapes = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`, "%25", "%")
