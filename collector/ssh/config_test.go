package ssh

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/internal/sshtest"
)

const manyFeatures = `
# Order matters: the first value wins.
User=first
Host web-* !web-9 # a comment
	HostName %h.example.com
	Port 2201
	IdentityFile ~/.ssh/"id web"
	IdentityFile ~/.ssh/%r@%h-%p
Include more.conf
Host web-1
	User nobody
	ProxyJump bastion,inner@second:2222
Host bastion
	HostName = 192.0.2.1
	ProxyJump none
Match host *.example.com user first
	IdentitiesOnly yes
	CertificateFile ~/.ssh/cert.pub
Match originalhost second final
	ConnectTimeout 7
Match final all
	Compression yes
	HostKeyAlias alias-of-all
Host *
	Port 22
	User last
	UserKnownHostsFile ~/.ssh/k1 ~/.ssh/k2
`

const included = `
Host web-2
  User included
  IdentityFile ~/.ssh/inc
`

// TestSettingsAreThoseOfSSH holds our reading against that of `ssh -G`.
func TestSettingsAreThoseOfSSH(t *testing.T) {
	ssh := sshtest.Need(t, "ssh")
	home := t.TempDir()
	dir := filepath.Join(home, ".ssh")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	more := filepath.Join(dir, "more.conf")
	sshtest.WriteFile(t, more, included)
	path := filepath.Join(dir, "config")
	// ssh takes ~ from the user database, not from HOME: so it gets the full path.
	sshtest.WriteFile(t, path, strings.Replace(manyFeatures, "Include more.conf", "Include "+more, 1))
	d, err := New(Options{ConfigFiles: []string{path}, Home: home, AgentSocket: "none"})
	if err != nil {
		t.Fatal(err)
	}
	userHome, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{"web-1", "web-2", "web-9", "bastion", "second", "other.example.com", "me@web-1"} {
		var said bytes.Buffer
		cmd := exec.Command(ssh, "-G", "-F", path, alias)
		cmd.Stdout = &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("ssh -G %s: %v", alias, err)
		}
		want := map[string][]string{}
		for line := range strings.Lines(said.String()) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
			want[k] = append(want[k], strings.ReplaceAll(v, userHome+"/.ssh", dir))
		}
		h, err := d.Host(alias)
		if err != nil {
			t.Fatal(err)
		}
		jump := ""
		for hop := h.jump; hop != nil; hop = hop.jump {
			jump = strings.TrimPrefix(hop.name+","+jump, ",")
		}
		for key, got := range map[string]string{
			"hostname": h.host, "user": h.user, "port": fmt.Sprint(h.port),
			"identitiesonly": map[bool]string{true: "yes", false: "no"}[h.identitiesOnly],
		} {
			if got != want[key][0] {
				t.Errorf("%s: %s is %q, ssh has %q", alias, key, got, want[key][0])
			}
		}
		if w := strings.Join(want["proxyjump"], ""); strings.TrimSuffix(jump, ",") != w && w != "none" {
			t.Errorf("%s: proxyjump is %q, ssh has %q", alias, jump, w)
		}
		if got, w := h.certificates, want["certificatefile"]; len(got) != len(w) {
			t.Errorf("%s: certificates %q, ssh has %q", alias, got, w)
		}
		if len(h.identities) > 0 {
			var w []string
			for _, path := range want["identityfile"] {
				path, err := h.path(path, directive{})
				if err != nil {
					t.Fatal(err)
				}
				w = append(w, strings.Replace(path, "~/.ssh", dir, 1))
			}
			if !slices.Equal(h.identities, w) {
				t.Errorf("%s: identities %q, ssh has %q", alias, h.identities, w)
			}
		}
	}
}

func newFrom(t *testing.T, text string) (*Dialer, string, error) {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "config")
	sshtest.WriteFile(t, path, text)
	d, err := New(Options{ConfigFiles: []string{path}, Home: home, AgentSocket: "none"})
	return d, path, err
}

func TestBadConfigurationIsNamedByFileAndLine(t *testing.T) {
	for text, want := range map[string]string{
		"Host a\n  User \"b\n":    `:2: the quote " is not closed`,
		"\n\nPort\n":              ":3: port has no value",
		"Match exec true\n":       ":1: match exec is not supported",
		"Match host\n":            ":1: match host has no pattern",
		"Port x\n":                `:1: port "x" is not a number`,
		"User -oProxyCommand=x\n": ":1: user:",
		"HostName a;b\n":          ":1: hostname:",
		"HostName %q\n":           ":1: hostname: %q is not supported",
		"IdentityFile ${NO_SUCH_VARIABLE_HERE}/x\n": ":1: identityfile: the variable NO_SUCH_VARIABLE_HERE is not set",
		"IdentitiesOnly maybe\n":                    ":1: identitiesonly",
		"ConnectTimeout soon\n":                     ":1: connecttimeout",
		"StrictHostKeyChecking never\n":             ":1: stricthostkeychecking",
		"RevokedHostKeys /x\n":                      ":1: revokedhostkeys is not supported",
		"CanonicalizeHostname yes\n":                ":1: canonicalizehostname is not supported",
		"KnownHostsCommand /bin/x\n":                ":1: knownhostscommand is not supported",
		"ProxyJump a@\n":                            ":1: proxyjump",
		"Ciphers nonsense\n":                        ":1: ciphers: none of these is supported",
		"Host target\nProxyJump b\nHost b\nProxyJump c\nHost c\nProxyJump b\n": "circle: b → c → b",
		"ProxyJump target\n": "circle",
	} {
		d, path, err := newFrom(t, text)
		if err == nil {
			_, err = d.Host("target")
		}
		if err == nil || !strings.Contains(err.Error(), want) || want[0] == ':' && !strings.Contains(err.Error(), path+want[:2]) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestIncludesThatGoRoundAreStopped(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "config")
	sshtest.WriteFile(t, path, "Include "+path+"\n")
	if _, err := New(Options{ConfigFiles: []string{path}, Home: home}); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

func TestDefaultFilesNeedNotExistAndNamedOnesMust(t *testing.T) {
	home := t.TempDir()
	if _, err := New(Options{Home: home}); err != nil {
		t.Errorf("default: %v", err)
	}
	for _, o := range []Options{
		{ConfigFiles: []string{home + "/none-such"}},
		{IdentityFiles: []string{home + "/none-such"}},
		{KnownHosts: []string{home + "/none-such"}},
		{PasswordFile: home + "/none-such"},
	} {
		o.Home = home
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), home+"/none-such") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestDirectivesWithoutEffectAreReportedOnce(t *testing.T) {
	d, path, err := newFrom(t, "Host *\n  CASignatureAlgorithms ssh-ed25519\n  ForwardAgent yes\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"a", "b"} {
		if _, err := d.Host(target); err != nil {
			t.Fatal(err)
		}
	}
	if w := d.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0], path+":2: casignaturealgorithms") {
		t.Errorf("got %q", w)
	}
}

func TestTargetsAndFlags(t *testing.T) {
	d, _, err := newFrom(t, "Host db\nHostName 10.0.0.5\nPort 2022\nUser admin\nConnectTimeout 1m30s\n")
	if err != nil {
		t.Fatal(err)
	}
	d.opts.User, d.opts.Port = "flag", 2200
	for spec, want := range map[string]string{
		"db": "flag@10.0.0.5:2200", "me@db:1": "me@10.0.0.5:1", "[::1]:7": "flag@[::1]:7", "ssh://x@fe80::1": "x@[fe80::1]:2200",
	} {
		h, err := d.Host(spec)
		if err != nil {
			t.Fatal(err)
		}
		if h.Address() != want {
			t.Errorf("%s: %s, want %s", spec, h.Address(), want)
		}
	}
	h, _ := d.Host("me@db:1")
	if h.Name() != "db:1" || h.limits.Connect != 90*time.Second {
		t.Errorf("name %s, connect limit %s", h.Name(), h.limits.Connect)
	}
}

func TestAlgorithmListsAsOpenSSHWritesThem(t *testing.T) {
	def, have := []string{"a1", "a2", "b1"}, []string{"a1", "a2", "b1", "old"}
	for spec, want := range map[string]string{
		"b1,unknown": "b1", "+old": "a1 a2 b1 old", "-a*": "b1", "^b1": "b1 a1 a2", "a?": "a1 a2",
	} {
		got, err := pickAlgorithms(spec, def, have)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v; want %s", spec, got, err, want)
		}
	}
}

func BenchmarkLookupAmongFiveThousandHosts(b *testing.B) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "Host host-%d\n  HostName 10.0.%d.%d\n", i, i/256, i%256)
	}
	home := b.TempDir()
	path := filepath.Join(home, "config")
	sshtest.WriteFile(b, path, text.String())
	d, err := New(Options{ConfigFiles: []string{path}, Home: home, AgentSocket: "none"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Host("host-4999"); err != nil {
			b.Fatal(err)
		}
	}
}
