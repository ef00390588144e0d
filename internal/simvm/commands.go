package simvm

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// maxInput bounds what a command reads from standard input.
const maxInput = 4 << 20

// commands returns what can be run on machines of this distribution.
func (d *distribution) commands() map[string]command {
	d.once.Do(func() { d.table = d.commandTable() })
	return d.table
}

func (d *distribution) commandTable() map[string]command {
	c := map[string]command{
		"sh": shell, "sudo": sudo, "cat": cat, "ls": ls, "grep": grep, "sed": sed, "find": find, "cut": cut,
		"id": id, "uname": uname, "hostname": hostname, "date": date, "timeout": timeout, "which": which, "shell builtin": builtin,
	}
	if d.init == systemd {
		c["bash"], c["ss"], c["getent"] = shell, ss, getent
		c["systemctl"], c["systemd-detect-virt"] = systemctl, detectVirt
	} else {
		c["ash"], c["rc-status"], c["netstat"] = shell, rcStatus, netstat
		// Busybox has these names too, and nothing that they could read.
		c["rpm"], c["dpkg"] = busyboxOnly, busyboxOnly
	}
	switch d.manager {
	case dpkg:
		c["dash"], c["dpkg-query"] = shell, dpkgQuery
	case rpm:
		c["rpm"] = rpmQuery
	}
	return c
}

// executables puts the commands where they are looked for.
func (i *image) executables(t *node) {
	for name := range i.dist.commands() {
		if !strings.Contains(name, " ") {
			t.file("/usr/bin/"+name, "").mode = 0o755
			if i.dist.init == openrc {
				t.file("/bin/"+name, "").mode = 0o755
			}
		}
	}
}

// cat copies files, or standard input.
func cat(p *process) int {
	status := 0
	if len(p.args) == 1 {
		if _, err := io.Copy(p.stdout, io.LimitReader(p.stdin, maxInput)); err != nil {
			return 1
		}
	}
	for _, name := range p.args[1:] {
		text, err := p.read(p.dir, name)
		if err != nil {
			status = p.fail(1, "%s: %s", name, errno(err))
			continue
		}
		io.WriteString(p.stdout, text) //nolint:errcheck // the client may have gone
	}
	return status
}

// cut -c1-N FILE…
func cut(p *process) int {
	if len(p.args) < 3 || !strings.HasPrefix(p.args[1], "-c1-") {
		return p.unsimulated(strings.Join(p.args[1:], " "))
	}
	var n int
	if _, err := fmt.Sscan(p.args[1][len("-c1-"):], &n); err != nil {
		return p.fail(1, "%v", err)
	}
	status := 0
	for _, name := range p.args[2:] {
		text, err := p.read(p.dir, name)
		if err != nil {
			status = p.fail(1, "%s: %s", name, errno(err))
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			fmt.Fprintln(p.stdout, line[:min(n, len(line))])
		}
	}
	return status
}

// id [-u|-g|-un]
func id(p *process) int {
	switch option := strings.Join(p.args[1:], " "); option {
	case "-u":
		fmt.Fprintln(p.stdout, p.uid)
	case "-g":
		fmt.Fprintln(p.stdout, p.gids[0])
	case "-un", "-u -n":
		fmt.Fprintln(p.stdout, p.user)
	case "":
		fmt.Fprintf(p.stdout, "uid=%d(%s) gid=%d\n", p.uid, p.user, p.gids[0])
	default:
		return p.unsimulated(option)
	}
	return 0
}

// uname -s, -n, -r, -m, several of them, or -a
func uname(p *process) int {
	letters := strings.ReplaceAll(strings.Join(p.args[1:], ""), "-", "")
	switch letters {
	case "":
		letters = "s"
	case "a":
		letters = "snrm"
	}
	var words []string
	for _, letter := range letters {
		switch letter {
		case 's':
			words = append(words, "Linux")
		case 'n':
			words = append(words, p.image.state.hostname)
		case 'r':
			words = append(words, p.image.state.kernel)
		case 'm':
			words = append(words, "x86_64")
		default:
			return p.unsimulated("-" + string(letter))
		}
	}
	fmt.Fprintln(p.stdout, strings.Join(words, " "))
	return 0
}

func hostname(p *process) int {
	fmt.Fprintln(p.stdout, p.image.state.hostname)
	return 0
}

// date [+%s]
func date(p *process) int {
	switch strings.Join(p.args[1:], " ") {
	case "":
		fmt.Fprintln(p.stdout, time.Now().UTC().Format(time.UnixDate))
	case "+%s":
		fmt.Fprintln(p.stdout, time.Now().Unix())
	default:
		return p.unsimulated(p.args[1])
	}
	return 0
}

// timeout SECONDS COMMAND…: nothing here takes long, so it only runs the command.
func timeout(p *process) int {
	if len(p.args) < 3 {
		return p.fail(125, "missing operand")
	}
	child := *p
	child.args = p.args[2:]
	return child.run()
}

// which is what the shell's command -v becomes.
func which(p *process) int {
	status := 1
	for _, name := range p.args[1:] {
		if _, ok := p.image.dist.commands()[path.Base(name)]; ok {
			fmt.Fprintln(p.stdout, path.Join("/usr/bin", path.Base(name)))
			status = 0
		}
	}
	return status
}

// builtin stands for what the interpreter would ask the host.
func builtin(p *process) int {
	p.args = p.args[1:]
	if p.args[0] == "." || p.args[0] == "source" {
		return p.fail(2, "not simulated here")
	}
	p.args[0] = "which"
	return which(p)
}

// getent passwd|group: no directory service.
func getent(p *process) int {
	if len(p.args) != 2 || !slices.Contains([]string{"passwd", "group"}, p.args[1]) {
		return p.unsimulated(strings.Join(p.args[1:], " "))
	}
	p.args = []string{"cat", "/etc/" + p.args[1]}
	return cat(p)
}

// detectVirt is systemd-detect-virt.
func detectVirt(p *process) int {
	names := map[string]string{"QEMU": "kvm", "VMware, Inc.": "vmware", "Amazon EC2": "amazon"}
	name, ok := names[p.image.state.vendor]
	if !ok {
		fmt.Fprintln(p.stdout, "none")
		return 1
	}
	fmt.Fprintln(p.stdout, name)
	return 0
}

func busyboxOnly(p *process) int { return p.fail(1, "there is no database of packages here") }
