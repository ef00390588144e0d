package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"

	"github.com/vmdrift/vmdrift/collector"
)

// A tagging is a tag that a machine has.
type tagging struct {
	category, name string
	single         bool // a machine has at most one of the category
}

// readTags asks the REST API for all tags and what they are attached to: a call per category and
// tag, and one for every hundred tags; none per machine.
func (s *Source) readTags(ctx context.Context, ses *session) (map[ref][]tagging, error) {
	c := rest.NewClient(ses.client)
	g := &restGuard{next: limited{ses.client.DefaultTransport()}}
	c.Client.Client.Transport = g
	out, err := s.askTags(ctx, c)
	if err != nil {
		return nil, &tagsError{g.refused, err}
	}
	return out, nil
}

func (s *Source) askTags(ctx context.Context, c *rest.Client) (map[ref][]tagging, error) {
	password, err := s.opts.Password()
	if err != nil {
		return nil, &passwordError{err}
	}
	if err := c.Login(ctx, url.UserPassword(s.opts.User, password)); err != nil {
		return nil, without(password, fmt.Errorf("log in for tags: %w", err))
	}
	defer func() { // also when ctx has ended: sessions are few
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
		defer cancel()
		_ = c.Logout(end)
	}()

	m := tags.NewManager(c)
	categories, err := m.GetCategories(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the categories of tags: %w", err)
	}
	all, err := m.GetTags(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tags: %w", err)
	}
	named, ids := map[string]tagging{}, []string{}
	for _, t := range all {
		i := slices.IndexFunc(categories, func(c tags.Category) bool { return c.ID == t.CategoryID })
		if i < 0 { // made between the two questions, or not ours to see
			continue
		}
		named[t.ID] = tagging{category: categories[i].Name, name: t.Name, single: categories[i].Cardinality == "SINGLE"}
		ids = append(ids, t.ID)
	}
	out := map[ref][]tagging{}
	for part := range slices.Chunk(ids, 100) {
		attached, err := m.ListAttachedObjectsOnTags(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("read what tags are attached to: %w", err)
		}
		for _, a := range attached {
			for _, o := range a.ObjectIDs {
				out[o.Reference()] = append(out[o.Reference()], named[a.TagID])
			}
		}
	}
	return out, nil
}

// byCategory returns the names of the tags of each category, sorted.
func byCategory(ts []tagging) map[string][]string {
	out := map[string][]string{}
	for _, t := range ts {
		out[t.category] = append(out[t.category], t.name)
	}
	for c, names := range out {
		slices.Sort(names)
		out[c] = slices.Compact(names)
	}
	return out
}

// A tagsError is a refusal of the REST API.
type tagsError struct {
	status int // of HTTP; 0 if there was no answer
	err    error
}

func (e *tagsError) Error() string { return e.err.Error() }
func (e *tagsError) Unwrap() error { return e.err }

// tagsProblem says what it means that tags could not be read.
func (s *Source) tagsProblem(err error) collector.Problem {
	p := collector.Problem{Part: "tags"}
	var refused *tagsError
	if errors.As(err, &refused) {
		switch refused.status {
		case http.StatusUnauthorized, http.StatusForbidden:
			p.Err = errors.New("the user may not read tags")
			p.Hint = "Tags are read by the REST API: give the user the role Read-only as a global permission."
			return p
		case http.StatusNotFound, http.StatusServiceUnavailable:
			p.Err = errors.New("the service that keeps tags does not answer")
			p.Hint = "See in vCenter whether the service vapi-endpoint is running."
			return p
		}
	}
	var said *collector.Error
	if p.Err = s.explain(err); errors.As(p.Err, &said) {
		p.Err, p.Hint = said.Err, said.Hint
	}
	return p
}
