package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/aws"
	"github.com/vmdrift/vmdrift/collector/hosts"
	"github.com/vmdrift/vmdrift/collector/vsphere"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/inventory"
)

// A source is one that the configuration names, with the machines of it that are wanted.
type source struct {
	collector.Source
	conf  config.Source
	from  string // what it lists
	where labels.Selector
	rules []guestRule // how to get into its machines
}

// sources makes the sources that the configuration names. They contact nothing yet.
func (a *app) sources(ctx context.Context) ([]source, error) {
	var out []source
	for _, c := range a.config.Sources {
		where, err := labels.Parse(c.Where)
		if err != nil {
			return nil, fmt.Errorf("source %s: where: %w", c.Name, err)
		}
		s := source{conf: c, from: a.config.Resolve(c.Path), where: where}
		if s.rules, err = guestRules(c.Guests, a.config.Resolve); err != nil {
			return nil, fmt.Errorf("source %s: guests: %w", c.Name, err)
		}
		switch c.Type {
		case "ansible":
			s.Source = hosts.Ansible(c.Name, s.from)
		case "ssh_config":
			s.Source = hosts.SSHConfig(c.Name, s.from)
		case "vsphere":
			s.from = c.URL
			s.Source, err = a.vsphere(c)
		case "aws":
			s.from = either(strings.Join(c.Regions, ","), "all regions")
			s.Source, err = newAWS(ctx, c)
		default:
			err = fmt.Errorf("source %s: there is no type %q", c.Name, c.Type)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (a *app) vsphere(c config.Source) (collector.Source, error) {
	s, err := vsphere.New(vsphere.Options{
		Name: c.Name, URL: c.URL, User: c.User, CAFile: a.config.Resolve(c.CAFile), Thumbprint: c.Thumbprint, Templates: c.Templates, Acceptance: c.Acceptance, OldSnapshot: time.Duration(c.OldSnapshot),
		Password: func() (string, error) { return a.config.Secret(c.Password) },
	})
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, s.Close)
	return s, nil
}

func newAWS(ctx context.Context, c config.Source) (collector.Source, error) {
	o := aws.Options{
		Name: c.Name, Profile: c.Profile, Regions: c.Regions, ECS: c.ECS, UserData: c.UserData,
		TerminationProtection: c.TerminationProtection, PublicAddress: c.Address.Prefer == "public",
	}
	for _, r := range c.Roles {
		o.Roles = append(o.Roles, aws.Role{ARN: r.ARN, ExternalID: r.ExternalID})
	}
	return aws.New(ctx, o)
}

// A sourceProblem is what a source could not list.
type sourceProblem struct {
	source string
	collector.Problem
}

func (p sourceProblem) reason() string {
	text := inventory.Escape(p.Err.Error())
	if p.Part != "" {
		text = inventory.Escape(p.Part) + ": " + text
	}
	return text
}

func (p sourceProblem) text(paint func(string) string) string {
	return fmt.Sprintf("source %s  %s: %s", p.source, paint("not listed"), p.reason())
}

// listAll lists the sources, all at once, and returns the wanted machines in the order
// of the sources. A source that fails is a problem, and the others are listed; answered has those
// that listed all they have, wanted or not.
func listAll(ctx context.Context, sources []source) (machines []collector.Listed, answered []drift.SourceAnswer, problems []sourceProblem) {
	type answer struct {
		collector.Listing
		err error
	}
	answers := make([]answer, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() { answers[i].Listing, answers[i].err = s.List(ctx) })
	}
	wg.Wait()
	for i, a := range answers {
		name := sources[i].Name()
		if a.err != nil {
			p := collector.Problem{Err: a.err}
			var e *collector.Error
			if errors.As(a.err, &e) {
				p.Hint = e.Hint
			}
			problems = append(problems, sourceProblem{name, p})
		}
		for _, p := range a.Problems {
			problems = append(problems, sourceProblem{name, p})
		}
		if a.err == nil && len(a.Problems) == 0 {
			whole := drift.SourceAnswer{Source: name}
			for _, m := range a.Machines {
				whole.IDs = append(whole.IDs, m.Machine.ID.NativeID)
			}
			answered = append(answered, whole)
		}
		for _, m := range a.Machines {
			m.Machine = withLabels(m.Machine, m.Kind)
			sources[i].wayTo(&m)
			if m.At.IsZero() {
				m.At = time.Now().UTC()
			}
			if sources[i].where.Matches(labels.Set(m.Machine.Labels)) {
				machines = append(machines, m)
			}
		}
	}
	return machines, answered, problems
}

func (a *app) sourcesCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "sources", GroupID: "know", Short: "Show where machines are listed"})
	c.AddCommand(a.sourcesList(), a.sourcesTest())
	return c
}

func (a *app) sourcesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the sources of vmdrift.yaml", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			type row struct {
				Schema string `json:"schema"`
				Source string `json:"source"`
				Type   string `json:"type"`
				From   string `json:"from"`
				Where  string `json:"where,omitempty"`
			}
			rows, cells := []row{}, [][]string{}
			sources, err := a.sources(c.Context())
			if err != nil {
				return err
			}
			for _, s := range sources {
				rows = append(rows, row{"vmdrift.source/v1", s.Name(), s.conf.Type, s.from, s.where.String()})
				cells = append(cells, []string{s.Name(), s.conf.Type, s.from, s.where.String()})
			}
			return a.print(listing{rows, []string{"source", "type", "from", "where"}, cells, func(w io.Writer) {
				if len(rows) == 0 {
					fmt.Fprintln(w, "No source. docs/configuration.md tells how to name one in vmdrift.yaml.")
					return
				}
				t, flush := columns(w)
				defer flush()
				fmt.Fprintln(t, "SOURCE\tTYPE\tFROM\tWHERE")
				for _, r := range rows {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Source, r.Type, r.From, either(r.Where, "(all)"))
				}
			}})
		},
	}
}

func (a *app) sourcesTest() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "List the machines that a source gives, and what went wrong", Args: args(cobra.ExactArgs(1)),
		Long: `Test asks one source for its machines and says what went wrong. No machine is contacted.

Exit status: 0, or 2 if the source could not list all its machines.`,
		RunE: func(c *cobra.Command, names []string) error {
			sources, err := a.sources(c.Context())
			if err != nil {
				return err
			}
			for _, s := range sources {
				if s.Name() == names[0] {
					return a.testSource(c.Context(), s)
				}
			}
			return fmt.Errorf("there is no source %s; vmdrift sources list shows those there are", names[0])
		},
	}
}

func (a *app) testSource(ctx context.Context, s source) error {
	type row struct {
		Schema  string            `json:"schema"`
		Machine string            `json:"machine"`
		Kind    collector.Kind    `json:"kind"`
		Power   collector.Power   `json:"power,omitempty"`
		Address string            `json:"address"`
		Labels  map[string]string `json:"labels"`
	}
	listed, _, problems := listAll(ctx, []source{s})
	rows, cells := []row{}, [][]string{}
	for _, m := range listed {
		rows = append(rows, row{"vmdrift.listed/v1", m.Machine.Name, m.Kind, m.Power, m.Machine.Address, m.Machine.Labels})
		cells = append(cells, []string{m.Machine.Name, string(m.Kind), string(m.Power), m.Machine.Address, labelText(m.Machine.Labels)})
	}
	err := a.print(listing{rows, []string{"machine", "kind", "power", "address", "labels"}, cells, func(w io.Writer) {
		t, flush := columns(w)
		fmt.Fprintln(t, "MACHINE\tKIND\tPOWER\tADDRESS\tLABELS")
		for _, r := range rows {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Machine, r.Kind, either(string(r.Power), "-"), either(r.Address, "-"), either(labelText(r.Labels), "-"))
		}
		flush()
		fmt.Fprintf(w, "\n%s from %s\n", count(len(rows), "machine", "machines"), s.Name())
	}})
	for _, p := range problems {
		fmt.Fprintf(a.stderr, "vmdrift: %s\n", p.text(a.style.alarm))
		if p.Hint != "" {
			fmt.Fprintf(a.stderr, "vmdrift: %s\n", p.Hint)
		}
	}
	if err == nil && len(problems) > 0 {
		err = exitStatus(exitTrouble)
	}
	return err
}
