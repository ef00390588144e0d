package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/collector/guest"
	"github.com/vmdrift/vmdrift/collector/hosts"
	"github.com/vmdrift/vmdrift/collector/local"
	"github.com/vmdrift/vmdrift/collector/ssh"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/inventory"
)

// A reach holds the flags that say which machines to reach and how.
type reach struct {
	app   *app
	flags *pflag.FlagSet

	local       bool
	targetsFile string
	ssh         struct {
		config, identities, knownHosts        []string
		user, jump, passwordFile, passwordCmd string
		port                                  int
		acceptNew                             bool
	}
	concurrency int
	timeout     time.Duration
	sudo        string
	directory   bool

	svc       *drift.Service       // knows which names are of one machine; nil for a command without a database
	problems  []sourceProblem      // of the sources that were asked
	answered  []drift.SourceAnswer // those of them that listed all they have
	listed    []collector.Listed   // everything that is listed, wanted here or not
	sightings []drift.Sighting     // the same, machine by machine
}

const (
	defaultConcurrency = 50 // a few megabytes and two milliseconds of CPU each
	defaultTimeout     = 2 * time.Minute
)

// addReach adds the flags of a command that goes into machines.
func (a *app) addReach(c *cobra.Command, many bool) *reach {
	r := &reach{app: a, flags: c.Flags()}
	f := c.Flags()
	f.BoolVar(&r.local, "local", false, "look at the machine that vmdrift runs on")
	f.StringArrayVarP(&r.ssh.config, "ssh-config", "F", nil, "ssh_config `file` instead of ~/.ssh/config (none for none)")
	f.StringArrayVarP(&r.ssh.identities, "identity", "i", nil, "private key `file`")
	f.StringVarP(&r.ssh.jump, "jump", "J", "", "jump hosts, `[user@]host[:port]`, several with commas")
	f.StringVarP(&r.ssh.user, "login", "l", "", "login `name`")
	f.IntVarP(&r.ssh.port, "port", "p", 0, "`port` of the SSH server")
	f.StringArrayVar(&r.ssh.knownHosts, "known-hosts", nil, "known_hosts `file` instead of the usual ones")
	f.BoolVar(&r.ssh.acceptNew, "accept-new", false, "record the key of a host that is not known yet; a changed key always stops")
	f.StringVar(&r.ssh.passwordFile, "password-file", "", "`file` that holds the password or passphrase")
	f.StringVar(&r.ssh.passwordCmd, "password-command", "", "`command` that prints the password or passphrase")
	f.DurationVar(&r.timeout, "timeout", defaultTimeout, "the time that one machine may take")
	f.StringVar(&r.sudo, "sudo", "auto", "auto: read as root where sudo allows it without a password; never: don't ask")
	f.BoolVar(&r.directory, "directory", false, "also list the users and groups of directory services (LDAP, SSSD)")
	if many {
		f.StringVar(&r.targetsFile, "targets", "", "`file` with a target per line (- for standard input)")
		f.IntVar(&r.concurrency, "concurrency", defaultConcurrency, "machines in flight at once")
	}
	_ = c.RegisterFlagCompletionFunc("sudo", cobra.FixedCompletions([]string{"auto", "never"}, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		_ = a.configure()
		var names []string
		for _, m := range a.config.Machines {
			names = append(names, m.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return r
}

// limits returns the bounds of the collection: flags before configuration before defaults.
func (r *reach) limits() (collector.Limits, error) {
	l := collector.Limits{Concurrency: r.concurrency, Timeout: r.timeout}
	if c := r.app.config.Scan; !r.flags.Changed("concurrency") && c.Concurrency > 0 {
		l.Concurrency = c.Concurrency
	}
	if c := r.app.config.Scan; !r.flags.Changed("timeout") && c.Timeout > 0 {
		l.Timeout = time.Duration(c.Timeout)
	}
	if l.Concurrency < 1 && r.flags.Lookup("concurrency") != nil {
		return l, fmt.Errorf("--concurrency is at least 1, not %d", l.Concurrency)
	}
	if l.Timeout <= 0 {
		return l, fmt.Errorf("--timeout is longer than nothing, not %s", l.Timeout)
	}
	return l, nil
}

// targets returns what is to be reached: those that are named, or, if none is, the
// machines of the configuration and of its sources. Two names of one machine are one target.
func (r *reach) targets(ctx context.Context, names []string) ([]collector.Target, error) {
	if r.targetsFile != "" {
		more, err := readTargets(r.app, r.targetsFile)
		if err != nil {
			return nil, err
		}
		names = append(slices.Clone(names), more...)
	}
	machines, err := r.named(ctx, names)
	if err != nil {
		return nil, err
	}
	if len(machines) == 0 && len(r.problems) == 0 {
		return nil, errors.New("no machine to look at: name a target ([user@]host[:port]), use --local, or list machines or sources in vmdrift.yaml")
	}
	options, err := r.guestOptions()
	if err != nil {
		return nil, err
	}
	if r.svc != nil {
		if machines, err = r.joined(ctx, machines); err != nil {
			return nil, err
		}
	}
	ways := newWays(r.sshOptions(), options, r.ssh.jump != "")
	r.app.closers = append(r.app.closers, ways.Close)
	var out []collector.Target
	seen := map[inventory.MachineID]bool{}
	for _, m := range machines {
		if seen[m.Machine.ID] {
			continue
		}
		seen[m.Machine.ID] = true
		t, err := ways.Target(m)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	for _, w := range ways.warnings() {
		fmt.Fprintf(r.app.stderr, "vmdrift: %s\n", w)
	}
	return out, nil
}

// joined returns the wanted machines, each once, with what all places say of it that list it.
func (r *reach) joined(ctx context.Context, wanted []collector.Listed) ([]collector.Listed, error) {
	all, empty, err := r.svc.Register(ctx, slices.Concat(wanted, r.listed), r.answered)
	if err != nil {
		return nil, err
	}
	r.sightings = all
	for _, sentence := range empty {
		fmt.Fprintf(r.app.stderr, "vmdrift: %s\n", sentence)
	}
	place := map[inventory.MachineID]int{}
	for i, s := range all {
		for _, p := range s.Parts {
			place[p.Machine.ID] = i
		}
	}
	out := make([]collector.Listed, len(wanted))
	for i, w := range wanted {
		out[i] = all[place[w.Machine.ID]].Joined()
	}
	return out, nil
}

// named returns the machines of those names: as the configuration or a source lists
// them, or else as targets. No names are all that is listed.
func (r *reach) named(ctx context.Context, names []string) ([]collector.Listed, error) {
	var out []collector.Listed
	if r.local {
		out = append(out, listedAt(config.Machine{Address: localAddress}))
	}
	if r.local && len(names) == 0 {
		return out, nil
	}
	var own []collector.Listed
	for _, m := range r.app.config.Machines {
		own = append(own, listedAt(m))
	}
	all, known := onceByName(own)
	sources, err := r.sourcesFor(ctx, names, known)
	if err != nil {
		return nil, err
	}
	if len(sources) > 0 {
		listed, answered, problems := listAll(ctx, sources)
		r.problems, r.answered = append(r.problems, problems...), answered
		r.listed = append(r.listed, listed...)
		all, known = onceByName(slices.Concat(own, listed))
	}
	if len(names) == 0 {
		return all, nil
	}
	r.listed = append(all, r.listed...)
	for _, name := range names {
		l, ok := known[name]
		if !ok {
			if strings.TrimSpace(name) == "" {
				return nil, errors.New("a target is empty; name one as [user@]host[:port]")
			}
			// With its port: on one host there may be several machines behind several ports.
			l = listedAt(config.Machine{Address: withLogin(name, "", r.ssh.port)})
		}
		out = append(out, l)
	}
	return out, nil
}

// onceByName leaves out the lines of inventories that repeat a name: that is one machine, and the first says where it
// is. A platform's names prove nothing: its machines are what its ids say.
func onceByName(listed []collector.Listed) ([]collector.Listed, map[string]collector.Listed) {
	known := make(map[string]collector.Listed, len(listed))
	var all []collector.Listed
	for _, l := range listed {
		_, twice := known[l.Machine.Name]
		if !twice {
			known[l.Machine.Name] = l
		}
		if !twice || l.Kind != collector.Host {
			all = append(all, l)
		}
	}
	return all, known
}

// sourcesFor returns the sources to ask for the machines of those names: all, unless each stands in the
// configuration, as known says; then those that are known to list one of them too.
func (r *reach) sourcesFor(ctx context.Context, names []string, known map[string]collector.Listed) ([]source, error) {
	if len(r.app.config.Sources) == 0 {
		return nil, nil
	}
	all, err := r.app.sources(ctx)
	if err != nil {
		return nil, err
	}
	var ids []inventory.MachineID
	for _, n := range names {
		l, ok := known[n]
		if !ok {
			return all, nil
		}
		ids = append(ids, l.Machine.ID)
	}
	switch {
	case len(names) == 0:
		return all, nil
	case r.svc == nil:
		return nil, nil
	}
	also, err := r.svc.SourcesOf(ctx, ids)
	return slices.DeleteFunc(all, func(s source) bool { return !slices.Contains(also, s.Name()) }), err
}

// wayIn reports whether there is a guest to go into, and if there is one that can't be entered, why.
func wayIn(m collector.Listed) (*collector.Error, bool) {
	switch {
	case !m.Kind.HasGuest():
		return nil, false
	case m.Power == collector.PowerOff:
		return &collector.Error{Outcome: collector.SwitchedOff, Err: errors.New("so source " + m.Machine.ID.Source + " says")}, false
	case m.Machine.Address == "":
		return &collector.Error{
			Outcome: collector.NoAddress, Err: fmt.Errorf("source %s does not say where it can be reached", m.Machine.ID.Source),
			Hint: "vSphere knows it from VMware Tools: look whether they run in the machine.",
		}, false
	}
	return nil, true
}

const (
	localAddress = hosts.Local
	targetSource = collector.Typed
	configSource = "config" // of what stands in vmdrift.yaml
	localSource  = "local"
)

// maxAnswers bounds what all machines in flight may have sent, in bytes, beyond the usual.
const maxAnswers = 256 << 20

// listedAt makes a machine of an entry of the configuration, or, if it has no name, of
// an address, by which it is then named.
func listedAt(m config.Machine) collector.Listed {
	source, id := configSource, m.Name
	address := either(m.Address, m.Name)
	switch {
	case m.Name != "":
	case address == localAddress:
		m.Name, source, id = local.Name(), localSource, localID()
	default:
		m.Name = nameOf(address)
		source, id = targetSource, m.Name
	}
	return collector.Listed{Kind: collector.Host, Machine: withLabels(inventory.Machine{
		ID: inventory.MachineID{Source: source, NativeID: id}, Name: m.Name, Address: address, Labels: m.Labels,
	}, collector.Host)}
}

// localID is what this machine calls itself whatever its name is; its name where it has nothing better.
func localID() string {
	id, err := os.ReadFile("/etc/machine-id")
	if text := strings.TrimSpace(string(id)); err == nil && text != "" {
		return inventory.Escape(text)
	}
	return local.Name()
}

// withLabels gives a machine the labels that baselines can always select by: kind, name and source.
func withLabels(m inventory.Machine, k collector.Kind) inventory.Machine {
	labels := map[string]string{"kind": string(k), "name": labelValue(m.Name), "source": m.ID.Source}
	maps.Copy(labels, m.Labels)
	m.Labels = labels
	return m
}

// labelValue makes a name fit for a label's value.
func labelValue(name string) string {
	v := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, name)
	if len(v) > 63 {
		v = v[:63]
	}
	return strings.Trim(v, "-_.")
}

// nameOf is a target without its user.
func nameOf(target string) string {
	if i := strings.LastIndexByte(target, '@'); i >= 0 {
		target = target[i+1:]
	}
	return strings.TrimSuffix(target, ":22")
}

func (r *reach) guestOptions() (guest.Options, error) {
	o := guest.Options{Directory: r.directory || r.app.config.Scan.Directory, Memory: guest.NewMemory(maxAnswers)}
	sudo := r.sudo
	if c := r.app.config.Scan.Sudo; c != "" && !r.flags.Changed("sudo") {
		sudo = c
	}
	switch sudo {
	case "auto":
		o.Sudo = guest.SudoAuto
	case "never":
		o.Sudo = guest.SudoNever
	default:
		return o, fmt.Errorf("--sudo is auto or never, not %q", sudo)
	}
	return o, nil
}

func (r *reach) sshOptions() ssh.Options {
	c, f := r.app.config.SSH, r.ssh
	resolve := func(flag, file []string) []string {
		if len(flag) > 0 {
			return flag
		}
		var out []string
		for _, p := range file {
			if p != "none" { // a word, not a file
				p = r.app.config.Resolve(p)
			}
			out = append(out, p)
		}
		return out
	}
	password, command := f.passwordFile, f.passwordCmd
	if password == "" && command == "" {
		password, command = r.app.config.Resolve(c.PasswordFile), c.PasswordCommand
	}
	return ssh.Options{
		ConfigFiles:     resolve(f.config, c.Config),
		IdentityFiles:   resolve(f.identities, c.IdentityFiles),
		KnownHosts:      resolve(f.knownHosts, c.KnownHosts),
		User:            either(f.user, c.User),
		Port:            either(f.port, c.Port),
		Jump:            either(f.jump, c.Jump),
		AcceptNew:       f.acceptNew || c.AcceptNew,
		PasswordFile:    password,
		PasswordCommand: command,
		// Whoever has both a password and an encrypted key has an agent, or one secret for both.
		PassphraseFile:    password,
		PassphraseCommand: command,
	}
}

// either returns a unless it is zero.
func either[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// readTargets reads a target per line; # begins a comment.
func readTargets(a *app, path string) ([]string, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read targets: %w", err)
		}
		defer f.Close()
		in = f
	}
	var out []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		out = append(out, strings.Fields(line)...)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read targets: %s: %w", path, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no target", path)
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
