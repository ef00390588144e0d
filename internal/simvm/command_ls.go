package simvm

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// ls [-l] [-1] [-a] [-n] [-d] [PATH…]
func ls(p *process) int {
	long, self := false, false
	var names []string
	for _, a := range p.args[1:] {
		if len(a) < 2 || a[0] != '-' {
			names = append(names, a)
			continue
		}
		for _, letter := range a[1:] {
			switch letter {
			case 'l', 'n':
				long = true
			case 'd':
				self = true
			case '1', 'a', 'A':
			default:
				return p.unsimulated("-" + string(letter))
			}
		}
	}
	if len(names) == 0 {
		names = []string{"."}
	}
	var out bytes.Buffer
	defer func() { p.stdout.Write(out.Bytes()) }() //nolint:errcheck // the client may have gone
	status := 0
	var folders []string
	for _, name := range names {
		n, err := p.resolve(absolute(p.dir, name), !long || strings.HasSuffix(name, "/"))
		switch {
		case err != nil:
			status = p.fail(2, "cannot access '%s': %s", name, errno(err))
		case n.mode.IsDir() && !self:
			folders = append(folders, name)
		default:
			p.entry(&out, name, n, long)
		}
	}
	slices.Sort(folders)
	for i, name := range folders {
		if len(names) > 1 {
			if i > 0 || out.Len() > 0 {
				out.WriteByte('\n')
			}
			fmt.Fprintf(&out, "%s:\n", name)
		}
		n, err := p.resolve(absolute(p.dir, name), true)
		if err != nil || !p.may(n, 0o4) {
			status = p.fail(2, "cannot open directory '%s': Permission denied", name)
			continue
		}
		if long {
			out.WriteString("total 0\n")
		}
		for _, e := range n.list(p.session) {
			p.entry(&out, e.Name(), n.entries[e.Name()], long)
		}
	}
	return status
}

// entry writes a line: lrwx------ 1 root root 64 Nov 23 17:02 3 -> socket:[25955]
func (p *process) entry(out *bytes.Buffer, name string, n *node, long bool) {
	if !long {
		fmt.Fprintln(out, name)
		return
	}
	in := info{n, p.session}
	mode := []byte("-" + n.mode.Perm().String()[1:])
	if letter := typeLetter(n); letter != 'f' {
		mode[0] = letter
	}
	fmt.Fprintf(out, "%s 1 %-8s %-8s %8d %s %s", mode, p.userName(n.uid), p.groupName(n.gid), in.Size(), in.ModTime().Format("Jan _2 15:04"), name)
	if n.mode&fs.ModeSymlink != 0 {
		out.WriteString(" -> " + n.text(p.session))
	}
	out.WriteByte('\n')
}

func (p *process) userName(uid int) string {
	for _, u := range p.image.state.users {
		if u.UID == uid {
			return u.Name
		}
	}
	return fmt.Sprint(uid)
}

func (p *process) groupName(gid int) string {
	for _, g := range p.image.state.groups {
		if g.GID == gid {
			return g.Name
		}
	}
	return fmt.Sprint(gid)
}
