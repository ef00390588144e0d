package guest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

// A small answer in which facets lean on one another: a port of a directory's user, a
// local group with a member of the directory, a UDP socket of a client.
const leaning = `
NONCE hello 1 root

NONCE begin os
release.ID=debian
hostname=h
kernel=6.1
architecture=x86_64

NONCE end os 0

NONCE read machine

NONCE begin dpkg.status
Package: base
Status: install ok installed
Architecture: amd64
Version: 1


NONCE end dpkg.status 0

NONCE read packages

NONCE begin ss
Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
tcp   LISTEN 0      128          0.0.0.0:22   0.0.0.0:*    users:(("sshd",pid=57,fd=3)) ino:25955 sk:1001 cgroup:/ <->
tcp   LISTEN 0      128          0.0.0.0:8080 0.0.0.0:*    users:(("java",pid=58,fd=3)) uid:20001 ino:25956 sk:1002 cgroup:/ <->
udp   UNCONN 0      0            0.0.0.0:41234 0.0.0.0:*   users:(("dig",pid=999,fd=3)) uid:1000 ino:2036 sk:2 cgroup:/ <->

NONCE end ss 0

NONCE read ports

NONCE begin accounts
=32768 60999
root:X:0:0:/root:/bin/sh
alice:X:1000:1000:/home/alice:/bin/sh
=
root:X:0:
alice:X:1000:carol
docker:X:998:alice,carol
=
root:S:20000:0:99999:7:::
alice:L:20000:0:99999:7:::

NONCE end accounts 0

NONCE begin directory
carol:L:20001:20001:/home/carol:/bin/sh
=0
carol:L:20001:
devs:L:20100:carol,alice
=0

NONCE end directory 0

NONCE read accounts

NONCE begin units
ssh.service loaded active running OpenSSH

NONCE end units 0

NONCE begin unitfiles
now 1700000000
f /usr/lib/systemd/system/ssh.service	

NONCE end unitfiles 0

NONCE begin unitkeys
/usr/lib/systemd/system/ssh.service:[Install]
/usr/lib/systemd/system/ssh.service:WantedBy=multi-user.target

NONCE end unitkeys 0

NONCE read services

NONCE done
`

// contradiction returns what less says otherwise than full: unknown is not absent, and
// differs from nothing.
func contradiction(full, less inventory.Snapshot) string {
	for _, o := range less.Observations {
		if o.State == nil {
			continue
		}
		want, _ := full.Observation(o.Facet)
		for _, it := range o.State.Items() {
			there, ok := want.State.Get(it.Key())
			if !ok {
				return fmt.Sprintf("%s has %s", o.Facet, it.Line())
			}
			for f := range it.Fields() {
				if v, known := there.Field(f.Name); known && v != f.Value {
					return fmt.Sprintf("%s: %s: %s is %q, and was %q", o.Facet, it.Key(), f.Name, f.Value, v)
				}
			}
		}
		if o.ItemsComplete && o.State.Len() < want.State.Len() {
			return fmt.Sprintf("%s is %s with %d items of %d", o.Facet, o.Status, o.State.Len(), want.State.Len())
		}
	}
	return ""
}

func whole(t *testing.T, answer string) inventory.Snapshot {
	t.Helper()
	s, err := collect(t, canned{answer: answer})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Observations {
		if o.Status != inventory.Complete {
			t.Fatalf("%s is %s: %s", o.Facet, o.Status, o.Reason)
		}
	}
	return s
}

func TestAnAnswerCutAnywhereContradictsNothing(t *testing.T) {
	full := whole(t, leaning)
	for cut := range len(leaning) {
		s, _ := collect(t, canned{answer: leaning[:cut]})
		if what := contradiction(full, s); what != "" {
			t.Fatalf("cut at %d, after %q: %s", cut, leaning[max(0, cut-30):cut], what)
		}
	}
}

func TestACommandThatWasKilledContradictsNothing(t *testing.T) {
	full := whole(t, leaning)
	for _, section := range []string{"dpkg.status", "ss", "accounts", "directory", "units", "unitfiles", "unitkeys"} {
		begin, end := "NONCE begin "+section+"\n", "\nNONCE end "+section+" "
		before, rest, _ := strings.Cut(leaning, begin)
		body, after, ok := strings.Cut(rest, end+"0\n")
		if !ok {
			t.Fatalf("there is no section %s", section)
		}
		statuses := []string{"127", "137"}
		if section == "accounts" {
			statuses = append(statuses, "4")
		}
		for _, status := range statuses {
			for cut := range len(body) {
				s, _ := collect(t, canned{answer: before + begin + body[:cut] + end + status + "\n" + after})
				if what := contradiction(full, s); what != "" {
					t.Fatalf("%s ended by %s after %q: %s", section, status, body[max(0, cut-30):cut], what)
				}
			}
		}
	}
}

func TestADirectoryThatFailsContradictsNothing(t *testing.T) {
	full := whole(t, leaning)
	_, rest, _ := strings.Cut(leaning, "NONCE begin directory\n")
	body, _, _ := strings.Cut(rest, "\nNONCE end directory")
	for _, failed := range []string{
		"=124\n=0\n", "=127\n=127\n", "=0\n",
		strings.Replace(body, "=0", "=124", 1),
		strings.Replace(body, "carol,alice\n=0", "carol\n=2", 1),
		strings.Replace(body, "devs:L:20100:carol,alice\n=0", "", 1),
	} {
		s, err := collect(t, canned{answer: strings.Replace(leaning, body, failed, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if what := contradiction(full, s); what != "" {
			t.Errorf("directory says %q: %s", failed, what)
		}
		if o := observation(t, s, inventory.Groups); o.Status != inventory.Partial || o.ItemsComplete {
			t.Errorf("directory says %q: groups are %s", failed, o.Status)
		}
	}
}

func TestWithoutAGroupFileMembershipIsUnknown(t *testing.T) {
	full := whole(t, leaning)
	s, _ := collect(t, canned{answer: strings.Replace(leaning, "root:X:0:\nalice:X:1000:carol\ndocker:X:998:alice,carol\n", "", 1)})
	if what := contradiction(full, s); what != "" {
		t.Error(what)
	}
}

func TestAPrivilegeThatTheProbeDoesNotKnowIsNone(t *testing.T) {
	s, _ := collect(t, canned{answer: strings.Replace(leaning, "hello 1 root", "hello 1 \x1b]0;title\a", 1)})
	if s.Privilege != "" {
		t.Errorf("privilege is %q", s.Privilege)
	}
}

func TestARootThatSeesNoProcessesKnowsNoHolders(t *testing.T) {
	full := whole(t, leaning)
	for name, answer := range map[string]string{
		"none":        strings.NewReplacer(`users:(("sshd",pid=57,fd=3)) `, "", `users:(("java",pid=58,fd=3)) `, "", `users:(("dig",pid=999,fd=3)) `, "").Replace(leaning),
		"another's":   strings.NewReplacer(`users:(("sshd",pid=57,fd=3)) `, "", `users:(("java",pid=58,fd=3)) `, "").Replace(leaning),
		"but its own": strings.Replace(leaning, `users:(("java",pid=58,fd=3)) `, "", 1),
	} {
		s, err := collect(t, canned{answer: answer})
		if what := contradiction(full, s); what != "" || err != nil {
			t.Errorf("%s: %s %v", name, what, err)
		}
		if o := observation(t, s, inventory.Ports); o.Status != inventory.Partial || !o.ItemsComplete {
			t.Errorf("%s: ports are %s", name, o.Status)
		}
	}
	kernel := strings.Replace(leaning, "\n\nNONCE end ss", "\nudp   UNCONN 0 0 0.0.0.0:111 0.0.0.0:* ino:9 sk:9 cgroup:/ <->\n\nNONCE end ss", 1)
	if it, _ := observation(t, whole(t, kernel), inventory.Ports).State.Get("udp/0.0.0.0:111"); !strings.Contains(it.Line(), "process=\t") {
		t.Errorf("a socket of the kernel's: %s", it.Line())
	}
}
