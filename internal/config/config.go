// Package config reads vmdrift.yaml: which machines there are, how they are
// reached, and where what was seen of them is kept.
//
// It knows the form of the file and nothing else: flags, defaults of other
// packages and wiring are the command's.
package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vmdrift/vmdrift/internal/cron"
)

// A File is the content of vmdrift.yaml. docs/configuration.md describes it.
type File struct {
	// Path is where the file was read; empty if there is none. Relative paths in it are relative to its folder.
	Path string `yaml:"-" json:"-"`

	Vmdrift  string    `yaml:"vmdrift" json:"vmdrift" jsonschema:"enum=config/v1,description=The form of this file: config/v1."`
	Database string    `yaml:"database" json:"database,omitempty" jsonschema:"description=A Postgres URL; or env:NAME; file:PATH or command:COMMAND to take it from. Without one vmdrift runs a private cluster in data."`
	Data     string    `yaml:"data" json:"data,omitempty" jsonschema:"description=The data folder: holds the private cluster."`
	SSH      SSH       `yaml:"ssh" json:"ssh,omitempty" jsonschema:"description=How machines are reached; as the flags of the same names."`
	Scan     Scan      `yaml:"scan" json:"scan,omitempty" jsonschema:"description=Bounds of a scan."`
	Machines []Machine `yaml:"machines" json:"machines,omitempty" jsonschema:"description=The machines to scan."`
	Sources  []Source  `yaml:"sources" json:"sources,omitempty" jsonschema:"description=Where more machines are listed."`

	Schedules []Schedule `yaml:"schedules" json:"schedules,omitempty" jsonschema:"description=When which machines are scanned; by vmdrift serve."`
	KeepDays  int        `yaml:"keep_days" json:"keep_days,omitempty" jsonschema:"description=For how many days history is kept; 400 if left out.,minimum=1"`
	Notify    []Channel  `yaml:"notify" json:"notify,omitempty" jsonschema:"description=Who is told what a scheduled run found."`
}

// A Schedule is one entry of schedules.
type Schedule struct {
	Name        string   `yaml:"name" json:"name" jsonschema:"description=Its name: its identity."`
	Cron        string   `yaml:"cron" json:"cron" jsonschema:"description=Minute; hour; day of the month; month; day of the week. 0 2 * * * is every night at two."`
	TimeZone    string   `yaml:"time_zone" json:"time_zone,omitempty" jsonschema:"description=Of cron and blackouts; such as Europe/Berlin; UTC if left out."`
	Where       string   `yaml:"where" json:"where,omitempty" jsonschema:"description=A label selector; all machines if left out."`
	Sources     []string `yaml:"sources" json:"sources,omitempty" jsonschema:"description=Only machines that these sources list (config for those of this file); all if left out."`
	Concurrency int      `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"description=Machines in flight at once in one worker; as many as it has slots if left out.,minimum=1"`
	Deadline    Duration `yaml:"deadline" json:"deadline,omitempty" jsonschema:"type=string,description=After which what is left is given up; 12h if left out."`
	Jitter      Duration `yaml:"jitter" json:"jitter,omitempty" jsonschema:"type=string,description=A run begins up to that much later."`
	Blackouts   []string `yaml:"blackouts" json:"blackouts,omitempty" jsonschema:"description=When nothing is scanned: 22:00-06:00 or mon;fri 08:00-18:00 (with a comma) or 2026-12-24/2027-01-02."`
	MinCoverage float64  `yaml:"min_coverage" json:"min_coverage,omitempty" jsonschema:"description=The share of machines below which a run raises the alarm; 0.9 if left out.,minimum=0,maximum=1"`
}

// A Channel is one entry of notify. Which of the fields count depends on the type.
type Channel struct {
	Name string `yaml:"name" json:"name" jsonschema:"description=Its name."`
	Type string `yaml:"type" json:"type" jsonschema:"enum=webhook,enum=slack,enum=teams,enum=alertmanager,enum=email,description=webhook: JSON to any URL. slack and teams: an incoming webhook. alertmanager: its API. email: by SMTP."`
	When string `yaml:"when" json:"when,omitempty" jsonschema:"enum=news,enum=alarm,enum=always,description=news: if something is new or a run saw too little (left out: this). alarm: only if a run saw too little. always: after every run."`
	// MinSeverity is the least of the drift that is told.
	MinSeverity string   `yaml:"min_severity" json:"min_severity,omitempty" jsonschema:"enum=info,enum=low,enum=medium,enum=high,enum=critical,description=Drift below it is counted and not told; info if left out."`
	Schedules   []string `yaml:"schedules" json:"schedules,omitempty" jsonschema:"description=Only runs of these schedules; all if left out."`

	URL     string `yaml:"url" json:"url,omitempty" jsonschema:"description=Where to; or env:NAME; file:PATH or command:COMMAND to take it from."`
	Secret  string `yaml:"secret" json:"secret,omitempty" jsonschema:"description=webhook: env:NAME; file:PATH or command:COMMAND of the secret that signs it."`
	Token   string `yaml:"token" json:"token,omitempty" jsonschema:"description=webhook and alertmanager: env:NAME; file:PATH or command:COMMAND of a bearer token."`
	CAFile  string `yaml:"ca_file" json:"ca_file,omitempty" jsonschema:"description=The authority of the receiver's certificate."`
	BaseURL string `yaml:"link" json:"link,omitempty" jsonschema:"description=Where people find vmdrift's dashboard; links in notices begin with it."`

	Server   string   `yaml:"server" json:"server,omitempty" jsonschema:"description=email: host:port of the SMTP server."`
	TLS      string   `yaml:"tls" json:"tls,omitempty" jsonschema:"enum=starttls,enum=tls,enum=none,description=email: starttls if left out; none only to loopback."`
	User     string   `yaml:"user" json:"user,omitempty" jsonschema:"description=email: login name, if one is needed."`
	Password string   `yaml:"password" json:"password,omitempty" jsonschema:"description=email: env:NAME; file:PATH or command:COMMAND."`
	From     string   `yaml:"from" json:"from,omitempty" jsonschema:"description=email: the sender's address."`
	To       []string `yaml:"to" json:"to,omitempty" jsonschema:"description=email: the receivers' addresses."`
}

// ChannelTypes are the types of channels that there are.
func ChannelTypes() []string { return []string{"alertmanager", "email", "slack", "teams", "webhook"} }

// SSH says how machines are reached.
type SSH struct {
	Config          []string `yaml:"config" json:"config,omitempty" jsonschema:"description=ssh_config files instead of the usual ones (-F)."`
	IdentityFiles   []string `yaml:"identity_files" json:"identity_files,omitempty" jsonschema:"description=Private keys (-i)."`
	User            string   `yaml:"user" json:"user,omitempty" jsonschema:"description=Login name (-l)."`
	Port            int      `yaml:"port" json:"port,omitempty" jsonschema:"description=Port (-p),minimum=1,maximum=65535"`
	Jump            string   `yaml:"jump" json:"jump,omitempty" jsonschema:"description=Jump hosts (-J)."`
	KnownHosts      []string `yaml:"known_hosts" json:"known_hosts,omitempty" jsonschema:"description=known_hosts files instead of the usual ones."`
	AcceptNew       bool     `yaml:"accept_new" json:"accept_new,omitempty" jsonschema:"description=Record the key of a host that is not known yet. A changed key always stops."`
	PasswordFile    string   `yaml:"password_file" json:"password_file,omitempty" jsonschema:"description=A file that holds the password."`
	PasswordCommand string   `yaml:"password_command" json:"password_command,omitempty" jsonschema:"description=A command that prints the password."`
}

// Scan bounds a scan.
type Scan struct {
	Concurrency int      `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"description=Machines in flight at once.,minimum=1"`
	Timeout     Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"type=string,description=The time one machine may take (30s or 2m)."`
	Sudo        string   `yaml:"sudo" json:"sudo,omitempty" jsonschema:"enum=auto,enum=never,description=auto: read as root where sudo allows it without a password."`
	UnseenAfter Duration `yaml:"unseen_after" json:"unseen_after,omitempty" jsonschema:"type=string,description=How long nobody may have been inside a machine before that is drift; 168h (a week) if left out."`
	Directory   bool     `yaml:"directory" json:"directory,omitempty" jsonschema:"description=Also list the users and groups of directory services."`
}

// A Machine is one entry of machines.
type Machine struct {
	Name    string            `yaml:"name" json:"name" jsonschema:"description=Its name here: its identity."`
	Address string            `yaml:"address" json:"address,omitempty" jsonschema:"description=[user@]host[:port] or an ssh_config alias; the name if left out; local for this machine."`
	Labels  map[string]string `yaml:"labels" json:"labels,omitempty" jsonschema:"description=Labels that baselines select by."`
}

// A Source is one entry of sources: where machines are listed. Which of the fields count depends on the type.
type Source struct {
	Name  string `yaml:"name" json:"name" jsonschema:"description=Its name here: part of the identity of its machines."`
	Type  string `yaml:"type" json:"type" jsonschema:"enum=ansible,enum=ssh_config,enum=vsphere,enum=aws,description=ansible: an inventory in INI or YAML or the JSON of ansible-inventory --list. ssh_config: the aliases of one. vsphere: a vCenter. aws: EC2 and ECS."`
	Where string `yaml:"where" json:"where,omitempty" jsonschema:"description=A label selector: only these machines."`
	Login string `yaml:"login" json:"login,omitempty" jsonschema:"description=Login name on its machines."`
	Port  int    `yaml:"port" json:"port,omitempty" jsonschema:"description=Port of the SSH server of its machines.,minimum=1,maximum=65535"`

	Path string `yaml:"path" json:"path,omitempty" jsonschema:"description=ansible and ssh_config: the file; of ansible also a folder."`

	URL         string   `yaml:"url" json:"url,omitempty" jsonschema:"description=vsphere: the vCenter."`
	User        string   `yaml:"user" json:"user,omitempty" jsonschema:"description=vsphere: who asks it."`
	Password    string   `yaml:"password" json:"password,omitempty" jsonschema:"description=vsphere: env:NAME; file:PATH or command:COMMAND."`
	CAFile      string   `yaml:"ca_file" json:"ca_file,omitempty" jsonschema:"description=vsphere: the authority of its certificate."`
	Thumbprint  string   `yaml:"thumbprint" json:"thumbprint,omitempty" jsonschema:"description=vsphere: its certificate itself instead of an authority."`
	Acceptance  bool     `yaml:"acceptance" json:"acceptance,omitempty" jsonschema:"description=vsphere: the acceptance level of each host; a call more per host."`
	OldSnapshot Duration `yaml:"old_snapshot" json:"old_snapshot,omitempty" jsonschema:"type=string,description=vsphere: the age at which a snapshot counts as forgotten; 168h (a week) if left out."`
	Templates   bool     `yaml:"templates" json:"templates,omitempty" jsonschema:"description=vsphere: templates too."`

	Profile               string   `yaml:"profile" json:"profile,omitempty" jsonschema:"description=aws: of the shared files."`
	Regions               []string `yaml:"regions" json:"regions,omitempty" jsonschema:"description=aws: all that are enabled if left out."`
	Roles                 []Role   `yaml:"roles" json:"roles,omitempty" jsonschema:"description=aws: a role for each account; the account of the credentials if left out."`
	ECS                   bool     `yaml:"ecs" json:"ecs,omitempty" jsonschema:"description=aws: also what ECS runs on Fargate."`
	UserData              bool     `yaml:"user_data" json:"user_data,omitempty" jsonschema:"description=aws: the digest of the user data; a call more per instance."`
	TerminationProtection bool     `yaml:"termination_protection" json:"termination_protection,omitempty" jsonschema:"description=aws: a call more per instance."`

	Address Address `yaml:"address" json:"address,omitempty" jsonschema:"description=Which of a guest's addresses to go to; what its platform puts forward if left out."`
	Guests  []Guest `yaml:"guests" json:"guests,omitempty" jsonschema:"description=How to get into its machines, by label: of each setting the first rule that selects the machine and has it counts."`
}

// An Address is the rule by which a guest's address is chosen.
type Address struct {
	From    string `yaml:"from" json:"from,omitempty" jsonschema:"enum=platform,enum=name,enum=label,description=platform: one that the platform knows (left out: this). name: the machine's name. label: the value of a label."`
	Suffix  string `yaml:"suffix" json:"suffix,omitempty" jsonschema:"description=name: what comes behind the name, such as .example.com."`
	Label   string `yaml:"label" json:"label,omitempty" jsonschema:"description=label: which one."`
	NIC     *int   `yaml:"nic" json:"nic,omitempty" jsonschema:"description=platform: only of this network card, from 0.,minimum=0"`
	Network string `yaml:"network" json:"network,omitempty" jsonschema:"description=platform: only of cards in this port group or subnet; * and ? stand for anything."`
	Prefer  string `yaml:"prefer" json:"prefer,omitempty" jsonschema:"enum=private,enum=public,description=platform: which to take first; private if left out."`
}

// A Guest is a rule that says how to get into machines.
type Guest struct {
	Where        string `yaml:"where" json:"where,omitempty" jsonschema:"description=A label selector; all machines if left out."`
	User         string `yaml:"user" json:"user,omitempty" jsonschema:"description=Login name."`
	Port         int    `yaml:"port" json:"port,omitempty" jsonschema:"description=Port of the SSH server.,minimum=1,maximum=65535"`
	IdentityFile string `yaml:"identity_file" json:"identity_file,omitempty" jsonschema:"description=Private key, before those for all machines."`
	Jump         string `yaml:"jump" json:"jump,omitempty" jsonschema:"description=Jump hosts; none goes straight."`
}

// A Role is how another AWS account is entered.
type Role struct {
	ARN        string `yaml:"arn" json:"arn"`
	ExternalID string `yaml:"external_id" json:"external_id,omitempty"`
}

// SourceTypes are the types of sources that there are.
func SourceTypes() []string { return []string{"ansible", "aws", "ssh_config", "vsphere"} }

// A Duration is a time.Duration in its text form.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is no duration; write 30s, 2m or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// FormV1 names the form of the file.
const FormV1 = "config/v1"

// Read reads the file at path. Its errors say file, line and column, all at once.
func Read(path string) (File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("read configuration: %w", err)
	}
	f := File{Path: path}
	if err := parse(path, data, &f); err != nil {
		return File{}, err
	}
	return f, nil
}

// Find returns the first configuration file there is of the usual places, or "".
func Find() string {
	places := []string{"vmdrift.yaml"}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "vmdrift", "vmdrift.yaml"))
	}
	for _, p := range append(places, "/etc/vmdrift/vmdrift.yaml") {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

func parse(name string, data []byte, f *File) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%s: the file is empty; begin with: vmdrift: %s", name, FormV1)
	}
	if err := yaml.Load(data, f, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return yamlError(name, err)
	}
	var root yaml.Node
	if err := yaml.Load(data, &root); err != nil {
		return yamlError(name, err)
	}
	return f.validate(name, &root)
}

// yamlError turns the library's errors into one line per mistake: file:line:column: what.
func yamlError(name string, err error) error {
	var all *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &all):
		var lines []error
		for _, e := range all.Errors {
			lines = append(lines, loadError(name, e))
		}
		return errors.Join(lines...)
	case errors.As(err, &one):
		return loadError(name, one)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func loadError(name string, e *yaml.LoadError) error {
	what := e.Message
	if field, _, ok := strings.Cut(strings.TrimPrefix(what, "field "), " not found in type "); ok && strings.HasPrefix(what, "field ") {
		what = fmt.Sprintf("there is no %q here%s", field, nearest(field))
	}
	if strings.HasPrefix(what, "did not find") || strings.HasPrefix(what, "found") {
		what += ": this is no YAML; look here, and on the lines before, for a bracket or a quote that is left open, a tab, or a wrong indentation"
	}
	return fmt.Errorf("%s:%d:%d: %s", name, e.Mark.Line, e.Mark.Column, strings.NewReplacer("!!str ", "", "!!", "").Replace(what))
}

func (f *File) validate(name string, root *yaml.Node) error {
	var errs []error
	bad := func(at *yaml.Node, format string, args ...any) {
		line, col := 1, 1
		if at != nil {
			line, col = at.Line, at.Column
		}
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", name, line, col, fmt.Sprintf(format, args...)))
	}
	if f.Vmdrift != FormV1 {
		bad(find(root, "vmdrift"), "the file must say vmdrift: %s, not %q", FormV1, f.Vmdrift)
	}
	if f.SSH.Port < 0 || f.SSH.Port > 65535 {
		bad(find(root, "ssh", "port"), "%d is no port", f.SSH.Port)
	}
	if f.Scan.Concurrency < 0 {
		bad(find(root, "scan", "concurrency"), "concurrency is at least 1")
	}
	if f.KeepDays < 0 {
		bad(find(root, "keep_days"), "keep_days is at least 1")
	}
	if s := f.Scan.Sudo; s != "" && s != "auto" && s != "never" {
		bad(find(root, "scan", "sudo"), "sudo is auto or never, not %q", s)
	}
	seen := map[string]int{}
	list := find(root, "machines")
	for i, m := range f.Machines {
		var at *yaml.Node
		if list != nil && i < len(list.Content) {
			at = list.Content[i]
		}
		if err := CheckName(m.Name); err != nil {
			bad(at, "%v", err)
		} else if first, twice := seen[m.Name]; twice {
			bad(at, "machine %s is there twice; the first one is number %d", m.Name, first+1)
		}
		seen[m.Name] = i
		for k, v := range m.Labels {
			if msgs := append(validation.IsQualifiedName(k), validation.IsValidLabelValue(v)...); len(msgs) > 0 {
				bad(at, "machine %s: label %s: %q: %s", m.Name, k, v, msgs[0])
			}
		}
	}
	f.validateSources(root, bad)
	f.validateSchedules(root, bad)
	f.validateChannels(root, bad)
	return errors.Join(errs...)
}

func (f *File) validateSchedules(root *yaml.Node, bad func(at *yaml.Node, format string, args ...any)) {
	seen := map[string]bool{}
	for i, s := range f.Schedules {
		at := entry(root, "schedules", i)
		switch {
		case CheckName(s.Name) != nil:
			bad(at, "schedule: %v", CheckName(s.Name))
		case seen[s.Name]:
			bad(at, "schedule %s is there twice", s.Name)
		case s.Cron == "":
			bad(at, "schedule %s: it needs a cron expression, such as cron: \"0 2 * * *\"", s.Name)
		}
		seen[s.Name] = true
		if _, err := cron.Parse(s.Cron, s.TimeZone); err != nil && s.Cron != "" {
			bad(at, "schedule %s: %v", s.Name, err)
		} else if _, err := cron.ParseBlackouts(s.Blackouts, s.TimeZone); err != nil {
			bad(at, "schedule %s: %v", s.Name, err)
		}
		if _, err := labels.Parse(s.Where); err != nil {
			bad(at, "schedule %s: where: %v", s.Name, err)
		}
		if s.Concurrency < 0 || s.MinCoverage < 0 || s.MinCoverage > 1 {
			bad(at, "schedule %s: concurrency is at least 1, and min_coverage a share from 0 to 1", s.Name)
		}
		for _, source := range s.Sources {
			if source != "config" && !slices.ContainsFunc(f.Sources, func(o Source) bool { return o.Name == source }) {
				bad(at, "schedule %s: there is no source %q in this file", s.Name, source)
			}
		}
	}
}

func (f *File) validateChannels(root *yaml.Node, bad func(at *yaml.Node, format string, args ...any)) {
	seen := map[string]bool{}
	for i, c := range f.Notify {
		at := entry(root, "notify", i)
		switch {
		case CheckName(c.Name) != nil:
			bad(at, "notify: %v", CheckName(c.Name))
		case seen[c.Name]:
			bad(at, "notify: %s is there twice", c.Name)
		case !slices.Contains(ChannelTypes(), c.Type):
			bad(at, "notify: %s: type is one of %s, not %q", c.Name, strings.Join(ChannelTypes(), ", "), c.Type)
		case c.Type == "email" && (c.Server == "" || c.From == "" || len(c.To) == 0):
			bad(at, "notify: %s: email needs server, from and to", c.Name)
		case c.Type != "email" && c.URL == "":
			bad(at, "notify: %s: it needs a url", c.Name)
		}
		seen[c.Name] = true
		if c.When != "" && c.When != "news" && c.When != "alarm" && c.When != "always" {
			bad(at, "notify: %s: when is news, alarm or always, not %q", c.Name, c.When)
		}
		if c.TLS != "" && c.TLS != "starttls" && c.TLS != "tls" && c.TLS != "none" {
			bad(at, "notify: %s: tls is starttls, tls or none, not %q", c.Name, c.TLS)
		}
		if s := c.MinSeverity; s != "" && !slices.Contains([]string{"info", "low", "medium", "high", "critical"}, s) {
			bad(at, "notify: %s: min_severity is info, low, medium, high or critical, not %q", c.Name, s)
		}
		for key, secret := range map[string]string{"secret": c.Secret, "token": c.Token, "password": c.Password} {
			if secret != "" && !isReference(secret) {
				bad(at, "notify: %s: a %s does not stand in this file; write env:NAME, file:PATH or command:COMMAND", c.Name, key)
			}
		}
	}
}

// entry is the i-th entry of a list at the top of the file, or nil.
func entry(root *yaml.Node, key string, i int) *yaml.Node {
	if list := find(root, key); list != nil && i < len(list.Content) {
		return list.Content[i]
	}
	return nil
}

func (f *File) validateSources(root *yaml.Node, bad func(at *yaml.Node, format string, args ...any)) {
	seen := map[string]bool{}
	list := find(root, "sources")
	for i, s := range f.Sources {
		var at *yaml.Node
		if list != nil && i < len(list.Content) {
			at = list.Content[i]
		}
		switch {
		case s.Name == "" || len(validation.IsDNS1123Label(s.Name)) > 0:
			bad(at, "%q is no name of a source; write lower-case letters, digits and dashes", s.Name)
		case s.Name == "config" || s.Name == "target" || s.Name == "local":
			bad(at, "%s is a source of its own; choose another name", s.Name)
		case seen[s.Name]:
			bad(at, "source %s is there twice", s.Name)
		case !slices.Contains(SourceTypes(), s.Type):
			bad(at, "source %s: type is one of %s, not %q", s.Name, strings.Join(SourceTypes(), ", "), s.Type)
		case (s.Type == "ansible" || s.Type == "ssh_config") && s.Path == "":
			bad(at, "source %s: it needs a path", s.Name)
		case s.Type == "vsphere" && (s.URL == "" || s.User == "" || s.Password == ""):
			bad(at, "source %s: it needs url, user and password", s.Name)
		case s.Type == "vsphere" && !isReference(s.Password):
			bad(at, "source %s: a password does not stand in this file; write env:NAME, file:PATH or command:COMMAND", s.Name)
		case s.Port < 0 || s.Port > 65535:
			bad(at, "source %s: %d is no port", s.Name, s.Port)
		}
		seen[s.Name] = true
		for _, err := range s.Address.faults() {
			bad(at, "source %s: address: %v", s.Name, err)
		}
		for n, g := range s.Guests {
			if _, err := labels.Parse(g.Where); err != nil {
				bad(at, "source %s: guests: rule %d: where: %v", s.Name, n+1, err)
			}
			if g.Port < 0 || g.Port > 65535 {
				bad(at, "source %s: guests: rule %d: %d is no port", s.Name, n+1, g.Port)
			}
			if g == (Guest{Where: g.Where}) {
				bad(at, "source %s: guests: rule %d says nothing: give it a user, port, identity_file or jump", s.Name, n+1)
			}
		}
		if _, err := labels.Parse(s.Where); err != nil {
			bad(at, "source %s: where: %v", s.Name, err)
		}
	}
}

// isReference reports whether text says where a secret is, and is none itself.
func isReference(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:") || strings.HasPrefix(text, "command:")
}

// faults are what is wrong with the rule.
func (a Address) faults() []error {
	var out []error
	switch a.From {
	case "", "platform", "name", "label":
	default:
		out = append(out, fmt.Errorf("from is platform, name or label, not %q", a.From))
	}
	if a.Prefer != "" && a.Prefer != "private" && a.Prefer != "public" {
		out = append(out, fmt.Errorf("prefer is private or public, not %q", a.Prefer))
	}
	if a.From == "label" && a.Label == "" {
		out = append(out, errors.New("from: label needs the name of the label: label: ip"))
	}
	if a.Label != "" && a.From != "label" || a.Suffix != "" && a.From != "name" {
		out = append(out, errors.New("label goes with from: label, and suffix with from: name"))
	}
	if (a.From == "name" || a.From == "label") && (a.NIC != nil || a.Network != "" || a.Prefer != "") {
		out = append(out, errors.New("nic, network and prefer choose among the platform's addresses; they do not go with from: "+a.From))
	}
	if a.NIC != nil && *a.NIC < 0 {
		out = append(out, fmt.Errorf("nic is counted from 0, not %d", *a.NIC))
	}
	return out
}

// CheckName says what is wrong with a machine's name, if anything.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("a machine has no name")
	case len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no name: at most 253 bytes, without spaces and control characters", name)
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("%q is no name: it begins with a dash", name)
	}
	return nil
}

// find returns the value at the path of keys, or nil.
func find(n *yaml.Node, path ...string) *yaml.Node {
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

// Resolve returns path, relative to the file's folder if it is relative, with ~ expanded.
func (f *File) Resolve(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) || f.Path == "" {
		return path
	}
	return filepath.Join(filepath.Dir(f.Path), path)
}

// secretPatience is how long a command may take that prints a secret: it may ask a vault.
const secretPatience = 30 * time.Second

// Secret returns the value that ref stands for: env:NAME, file:PATH, command:COMMAND (the first line of what
// it prints, run by sh in the file's folder), or itself. Its errors never quote what a command printed.
func (f *File) Secret(ref string) (string, error) {
	if command, ok := strings.CutPrefix(ref, "command:"); ok {
		ctx, cancel := context.WithTimeout(context.Background(), secretPatience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.WaitDelay = time.Second
		if f.Path != "" {
			cmd.Dir = filepath.Dir(f.Path)
		}
		out, err := cmd.Output()
		if ctx.Err() != nil {
			err = fmt.Errorf("it took longer than %s", secretPatience)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		if line = strings.TrimSpace(line); err == nil && line == "" {
			err = errors.New("it printed nothing")
		}
		if err != nil {
			return "", fmt.Errorf("run the command for a secret: %w", err)
		}
		return line, nil
	}
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("the environment has no %s", name)
		}
		return v, nil
	}
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		data, err := os.ReadFile(f.Resolve(path))
		return strings.TrimSpace(string(data)), err
	}
	return ref, nil
}

// nearest names the known key that a mistyped one resembles most.
func nearest(word string) string {
	known := []string{
		"vmdrift", "database", "data", "ssh", "scan", "machines", "config", "identity_files", "user", "port", "jump", "known_hosts",
		"accept_new", "password_file", "password_command", "concurrency", "timeout", "sudo", "unseen_after", "directory", "name", "address", "labels",
		"sources", "type", "path", "where", "login", "url", "password", "ca_file", "thumbprint", "templates", "acceptance", "old_snapshot", "profile", "regions",
		"schedules", "notify", "keep_days", "cron", "time_zone", "deadline", "jitter", "blackouts", "min_coverage", "when", "min_severity", "secret", "token", "link", "server", "tls", "to",
		"roles", "ecs", "user_data", "termination_protection", "arn", "external_id", "from", "suffix", "label", "nic", "network", "prefer", "guests", "identity_file",
	}
	best, at := 3, ""
	for _, k := range known {
		if d := distance(word, k); d < best {
			best, at = d, k
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", at)
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := slices.Clone(row)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
		}
	}
	return row[len(b)]
}
