package vsphere

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// List implements collector.Source. A session that has expired is renewed, also in the middle, and
// the listing begun again: half of one session's answers is no listing. An error is one
// sentence, in a *collector.Error with the way out.
func (s *Source) List(ctx context.Context) (collector.Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	for again := 0; ; again++ {
		l, err := s.list(ctx)
		if err == nil {
			return l, nil
		}
		// What broke may have broken the session too: the next listing begins with a login.
		_ = s.end() // err is what matters
		if ctx.Err() != nil {
			err = ctx.Err() // the cause of whatever the library says
		} else if again < maxAgain && moved(err) {
			continue
		}
		return collector.Listing{}, s.explain(err)
	}
}

// maxAgain is how often a listing is begun again before it is given up.
const maxAgain = 2

// moved reports whether the listing failed because the inventory or the session moved on
// under it: an object or the view is gone, or a page is no longer at hand.
func moved(err error) bool {
	switch f := faultOf(err).(type) {
	case *types.NotAuthenticated, *types.ManagedObjectNotFound:
		return true
	case *types.InvalidProperty:
		return f.Name == "token"
	case *types.InvalidPropertyFault:
		return f.Name == "token"
	case types.BaseInvalidArgument:
		return f.GetInvalidArgument().InvalidProperty == "token"
	}
	return false
}

func (s *Source) list(ctx context.Context) (out collector.Listing, err error) {
	ses, err := s.open(ctx)
	if err != nil {
		return collector.Listing{}, err
	}
	v, err := ses.view(ctx, viewKinds(), s.page)
	if err != nil {
		return collector.Listing{}, err
	}
	defer func() { // a view is the server's memory; after an error it ends with the session
		if err == nil {
			v.close(ctx)
		}
	}()

	in, err := readInfra(ctx, v)
	if err != nil {
		return collector.Listing{}, err
	}
	if s.opts.Acceptance {
		in.readAcceptance(ctx, v.client)
	}
	in.old, in.soon = s.now().Add(-s.opts.OldSnapshot), s.now().Add(expiresSoon)
	if ses.client.IsVC() { // a host by itself has no tags
		if in.tags, in.tagsErr = s.readTags(ctx, ses); in.tagsErr != nil {
			if ctx.Err() != nil {
				return collector.Listing{}, in.tagsErr
			}
			p := s.tagsProblem(in.tagsErr)
			in.tagsErr = p.Err
			out.Problems = append(out.Problems, p)
		}
	}
	out.Machines = in.listHosts(s.opts.Name)
	var unknown []string
	err = v.each(ctx, map[string][]string{"VirtualMachine": vmPaths}, nil, func(page []types.ObjectContent) error {
		for _, c := range page {
			o, vm, err := load[mo.VirtualMachine](c)
			if err != nil {
				return err
			}
			if vm.Config != nil && vm.Config.Template && !s.opts.Templates {
				continue
			}
			if m, ok := in.listVM(s.opts.Name, o, vm); ok {
				out.Machines = append(out.Machines, m)
			} else {
				unknown = append(unknown, nameless(o, vm))
			}
		}
		return nil
	})
	if err != nil {
		return collector.Listing{}, err
	}
	out.Problems = append(out.Problems, unidentified(unknown)...)
	out.Problems = append(out.Problems, sortMachines(&out)...)
	return out, nil
}

// nameless says which machine has no identity, and why.
func nameless(o object, vm *mo.VirtualMachine) string {
	name, why := sentence(unescapeName(vm.Name)), string(vm.Runtime.ConnectionState)
	if name == "" {
		name = sentence(o.ref.Value)
	}
	if f, ok := o.missing["config.instanceUuid"].(*types.NoPermission); ok {
		why = missingPrivilege(f)
	}
	return name + " (" + sentence(why) + ")"
}

// unidentified is the problem of machines that the platform knows only by name.
func unidentified(which []string) []collector.Problem {
	if len(which) == 0 {
		return nil
	}
	slices.Sort(which)
	const shown = 5
	list := strings.Join(which[:min(shown, len(which))], ", ")
	if n := len(which) - shown; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return []collector.Problem{{
		Part: "virtual machines",
		Err:  fmt.Errorf("the platform gives no configuration, and so no identity, of %s", list),
		Hint: "See in vCenter whether their files are within reach; " + lowerFirst(roleHint),
	}}
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// sortMachines puts the machines in order, each id once. Two with one id are a copy that vCenter has not
// told apart: the first by name stays, so that it is the same one every night.
func sortMachines(l *collector.Listing) []collector.Problem {
	slices.SortStableFunc(l.Machines, func(a, b collector.Listed) int {
		return cmp.Or(cmp.Compare(a.Machine.ID.NativeID, b.Machine.ID.NativeID), cmp.Compare(a.Machine.Name, b.Machine.Name))
	})
	var twins []string
	kept := l.Machines[:0]
	for _, m := range l.Machines {
		if n := len(kept); n > 0 && kept[n-1].Machine.ID == m.Machine.ID {
			if kept[n-1].Machine.Name != m.Machine.Name {
				twins = append(twins, m.Machine.Name)
			}
			continue
		}
		kept = append(kept, m)
	}
	l.Machines = kept
	if twins == nil {
		return nil
	}
	return []collector.Problem{{
		Part: "virtual machines", Err: errors.New("these have the instance UUID of another machine: " + sentence(strings.Join(twins, ", "))),
		Hint: "Give them an instance UUID of their own; until then only one of each is listed.",
	}}
}

// faultText returns why a property was refused, as the end of a sentence.
func faultText(f types.BaseMethodFault) string {
	if np, ok := f.(*types.NoPermission); ok {
		return ": " + missingPrivilege(np)
	}
	return ""
}
