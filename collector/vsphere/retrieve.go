package vsphere

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// pageSize is how many objects an answer has at most; the server may give fewer. A VM is
// some 20 kB, so that a page is some 10 MB.
const pageSize = 500

// A view is a list of objects that the server keeps for a session: traversing it passes over
// what was deleted since, where a list of references would fail for one dead reference.
type view struct {
	*session
	ref  types.ManagedObjectReference
	page int32
}

// view opens a view of all objects below the root that are of one of those types.
func (s *session) view(ctx context.Context, kinds []string, page int32) (*view, error) {
	res, err := methods.CreateContainerView(ctx, s.client, &types.CreateContainerView{
		This: *s.client.ServiceContent.ViewManager, Container: s.client.ServiceContent.RootFolder,
		Type: kinds, Recursive: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open a view of the inventory: %w", err)
	}
	return &view{s, res.Returnval, page}, nil
}

// close ends the view. The server ends it with the session at the latest.
func (v *view) close(ctx context.Context) {
	_, _ = methods.DestroyView(ctx, v.client, &types.DestroyView{This: v.ref})
}

// each calls f with the objects of the view, page by page. An unknown property path
// fails the call, so that paths are those which every supported release has. Also
// asked are the objects beside the view, if there are any.
func (v *view) each(ctx context.Context, paths map[string][]string, beside []types.ObjectSpec, f func([]types.ObjectContent) error) error {
	skip := true
	spec := types.PropertyFilterSpec{ObjectSet: append([]types.ObjectSpec{{
		Obj: v.ref, Skip: &skip,
		SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: "ContainerView", Path: "view"}},
	}}, beside...)}
	for _, kind := range sortedKeys(paths) {
		spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: kind, PathSet: paths[kind]})
	}
	collector := v.client.ServiceContent.PropertyCollector
	first, err := methods.RetrievePropertiesEx(ctx, v.client, &types.RetrievePropertiesEx{
		This: collector, SpecSet: []types.PropertyFilterSpec{spec}, Options: types.RetrieveOptions{MaxObjects: v.page},
	})
	if err != nil {
		return fmt.Errorf("read the inventory: %w", err)
	}
	if first.Returnval == nil { // nothing at all
		return nil
	}
	objects, token := first.Returnval.Objects, first.Returnval.Token
	for {
		if err := f(objects); err != nil {
			return err
		}
		if token == "" {
			return nil
		}
		next, err := methods.ContinueRetrievePropertiesEx(ctx, v.client, &types.ContinueRetrievePropertiesEx{This: collector, Token: token})
		if err != nil {
			return fmt.Errorf("read the inventory's next page: %w", err)
		}
		objects, token = next.Returnval.Objects, next.Returnval.Token
	}
}

// An object is one object of the inventory: its properties, and those that it did not give.
type object struct {
	ref     types.ManagedObjectReference
	missing map[string]types.BaseMethodFault
}

// load puts an object's properties into one of package mo's types.
func load[T any](c types.ObjectContent) (o object, dst *T, err error) {
	// The library assigns by reflection, and panics on a value of a type that it does not expect.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s %s: a property has an unexpected type", sentence(c.Obj.Type), sentence(c.Obj.Value))
		}
	}()
	o.ref = c.Obj
	for _, m := range c.MissingSet {
		if o.missing == nil {
			o.missing = map[string]types.BaseMethodFault{}
		}
		o.missing[m.Path] = m.Fault.Fault
	}
	c.MissingSet = nil // an object without one property is still an object
	v, err := mo.ObjectContentToType(c, true)
	if err != nil {
		return o, nil, fmt.Errorf("%s %s: %w", sentence(c.Obj.Type), sentence(c.Obj.Value), err)
	}
	dst, ok := v.(*T)
	if !ok {
		return o, nil, fmt.Errorf("%s %s is not of the expected type", sentence(c.Obj.Type), sentence(c.Obj.Value))
	}
	return o, dst, nil
}
