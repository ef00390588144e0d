package simvm_test

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/inventory"
)

// A scan as root sees all that the model has, and nothing else.
func TestScanSeesExactlyTheModel(t *testing.T) {
	t.Parallel()
	eachDistribution(t, func(t *testing.T, d simvm.Distribution) {
		l, h := one(t, d)
		snap := l.collect(t, h, simvm.Root)
		for _, o := range snap.Observations {
			// Where the kernel's tables are all there is, nobody knows of a socket for both families.
			if o.Status != inventory.Complete && !(d == simvm.Alpine320 && o.Facet == inventory.Ports && slices.Equal(o.Missing, []string{"dual_stack"})) {
				t.Errorf("%s is %s: %s", o.Facet, o.Status, o.Reason)
			}
		}
		for _, c := range []struct {
			facet inventory.Facet
			want  []string
		}{
			{inventory.Packages, packages(h)},
			{inventory.Ports, ports(h)},
			{inventory.Users, users(h)},
			{inventory.Groups, groups(h)},
			{inventory.Services, services(h)},
		} {
			slices.Sort(c.want)
			have := strings.Split(strings.TrimSuffix(state(t, snap, c.facet).Text(), "\n"), "\n")
			if diff := gocmp.Diff(c.want, have); diff != "" {
				t.Errorf("%s: -model +scan\n%s", c.facet, diff)
			}
		}
		kernel, _ := state(t, snap, inventory.OS).Get("kernel")
		if v, _ := kernel.Field("value"); v != h.Kernel() {
			t.Errorf("kernel is %q, want %q", v, h.Kernel())
		}
	})
}

func packages(h *simvm.Host) []string {
	manager := map[simvm.Distribution]string{simvm.Rocky9: "rpm", simvm.Alpine320: "apk", simvm.Arch: "pacman"}[h.Distribution()]
	manager = cmp.Or(manager, "deb")
	byKey := map[string]simvm.Package{}
	for _, p := range h.Packages() {
		if p.Removed || p.Name == "gpg-pubkey" {
			continue
		}
		key := fmt.Sprintf("%s/%s:%s", manager, p.Name, p.Arch)
		if first, ok := byKey[key]; ok {
			p.Version = first.Version + "," + p.Version // rpm's kernels, side by side
		}
		byKey[key] = p
	}
	var out []string
	for key, p := range byKey {
		hold := "hold=" + yesNo(p.Held) + "\t"
		if manager == "rpm" {
			hold = ""
		}
		out = append(out, fmt.Sprintf("%s\t%ssource=%s\tstate=installed\tversion=%s", key, hold, p.Source, p.Version))
	}
	return out
}

func ports(h *simvm.Host) []string {
	var out []string
	for _, p := range h.Ports() {
		line := p.String()
		if v6 := strings.Contains(p.Addr, ":") || p.Addr == "*"; h.Distribution() != simvm.Alpine320 || !v6 {
			line += "\tdual_stack=" + yesNo(p.Addr == "*")
		}
		ephemeral := p.Port >= 32768 && p.Port <= 60999
		line += "\tephemeral=" + yesNo(ephemeral)
		if !ephemeral || p.Proto == "tcp" {
			line += "\tprocess=" + p.Process + "\tuser=" + p.User
		}
		out = append(out, strings.Replace(line, "127.0.0.53:", "127.0.0.53%lo:", 1))
	}
	return out
}

func users(h *simvm.Host) []string {
	var out []string
	for _, u := range h.Users() {
		var member []string
		for _, g := range h.Groups() {
			if slices.Contains(g.Members, u.Name) {
				member = append(member, g.Name)
			}
		}
		slices.Sort(member)
		out = append(out, fmt.Sprintf("%s\tgid=%d\tgroups=%s\thome=%s\tpassword=%s\tshell=%s\tuid=%d",
			u.Name, u.GID, strings.Join(member, ","), u.Home, u.Password, u.Shell, u.UID))
	}
	return out
}

// groups are those that do not merely accompany their user.
func groups(h *simvm.Host) []string {
	var out []string
	for _, g := range h.Groups() {
		others := slices.Clone(g.Members)
		private := false
		for _, u := range h.Users() {
			others = slices.DeleteFunc(others, func(m string) bool { return m == u.Name })
			private = private || u.Name == g.Name && u.GID == g.GID
		}
		if !private || len(others) > 0 {
			out = append(out, fmt.Sprintf("%s\tgid=%d\tother_members=%s", g.Name, g.GID, strings.Join(others, ",")))
		}
	}
	return out
}

func services(h *simvm.Host) []string {
	var out []string
	for _, v := range h.Services() {
		if h.Distribution() == simvm.Alpine320 {
			level, active := "", "started"
			if v.Enabled {
				level = v.WantedBy
			}
			if v.State == simvm.Stopped {
				active = "stopped"
			}
			out = append(out, fmt.Sprintf("openrc/%s\tactive=%s\tenabled=%s", v.Name, active, level))
			continue
		}
		enabled := "disabled"
		switch {
		case v.Masked:
			enabled = "masked"
		case v.Runtime:
			enabled = "enabled-runtime"
		case v.WantedBy == "":
			enabled = "static"
		case v.Enabled:
			enabled = "enabled"
		}
		line := func(name string) string {
			active, sub := activity(h, v)
			return fmt.Sprintf("%s\tactive=%s\tenabled=%s\tsub=%s", name, active, enabled, sub)
		}
		if !strings.Contains(v.Name, "@.") {
			out = append(out, line(v.Name))
			continue
		}
		out = append(out, v.Name+"\tenabled="+enabled) // a template does not run
		if v.Instance != "" {
			out = append(out, line(strings.Replace(v.Name, "@.", "@"+v.Instance+".", 1)))
		}
	}
	return out
}

// activity is what a unit does, on a machine that nobody touches.
func activity(h *simvm.Host, v simvm.Service) (active, sub string) {
	if startedByOthers(h, v) {
		return "on-demand", "on-demand"
	}
	switch v.State {
	case simvm.Running:
		return "active", cmp.Or(map[string]string{".socket": "listening", ".timer": "waiting", ".path": "waiting"}[path.Ext(v.Name)], "running")
	case simvm.Exited:
		return "active", "exited"
	case simvm.Failed:
		return "failed", "failed"
	}
	return "inactive", "dead"
}

func startedByOthers(h *simvm.Host, v simvm.Service) bool {
	name, ok := strings.CutSuffix(v.Name, ".service")
	if !ok || v.Enabled || v.Runtime || v.Masked || v.PulledBy != "" || v.Type == "oneshot" || v.State == simvm.Failed {
		return false
	}
	if v.WantedBy == "" && v.BusName != "" {
		return true
	}
	return slices.ContainsFunc(h.Services(), func(s simvm.Service) bool {
		return s.Name != v.Name && strings.TrimSuffix(s.Name, path.Ext(s.Name)) == name && (v.WantedBy == "" || s.Enabled)
	})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func compileGlob(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}
