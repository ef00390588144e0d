package simvm

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A node is a file, folder or link of the file system in memory. Once the tree is
// made, nothing in it changes.
type node struct {
	name     string
	mode     fs.FileMode
	uid, gid int
	content  string                // of a file; of a link its target
	render   func(*session) string // instead of content, where it depends on who looks and when
	entries  map[string]*node
	order    []string // of entries: as they were made, which is what find sees
	volatile bool     // made when it is looked at, as in /proc
}

// installed is when all files were last changed.
var installed = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func newTree() *node { return &node{mode: fs.ModeDir | 0o755, entries: map[string]*node{}} }

// dir returns the folder at a path, made with its parents if need be.
func (n *node) dir(name string) *node {
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" || part == "." {
			continue
		}
		next := n.entries[part]
		if next == nil {
			next = &node{name: part, mode: fs.ModeDir | 0o755, entries: map[string]*node{}, volatile: n.volatile}
			n.add(next)
		}
		n = next
	}
	return n
}

func (n *node) add(child *node) {
	if n.entries[child.name] == nil {
		n.order = append(n.order, child.name)
	}
	n.entries[child.name] = child
}

// file makes a file that everybody may read.
func (n *node) file(name, content string) *node {
	f := &node{name: path.Base(name), mode: 0o644, content: content}
	parent := n.dir(path.Dir(name))
	f.volatile = parent.volatile
	parent.add(f)
	return f
}

// link makes a symbolic link.
func (n *node) link(name, target string) *node {
	l := n.file(name, target)
	l.mode = fs.ModeSymlink | 0o777
	return l
}

// only restricts a node to its owner, root, and the group's readers.
func (n *node) only(perm fs.FileMode, gid int) *node {
	n.mode, n.gid = n.mode.Type()|perm, gid
	return n
}

// resolve returns the node at an absolute path, as the session may reach it, and
// follow says whether a link at its end is followed.
func (s *session) resolve(name string, follow bool) (*node, error) {
	return s.walk(s.image.root(), name, follow, 0)
}

func (s *session) walk(root *node, name string, follow bool, depth int) (*node, error) {
	if depth > 40 {
		return nil, syscall.ELOOP
	}
	var above []*node
	at := root
	parts := strings.Split(strings.TrimLeft(name, "/"), "/")
	for i, part := range parts {
		if at.entries == nil {
			return nil, syscall.ENOTDIR
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if len(above) > 0 {
				at, above = above[len(above)-1], above[:len(above)-1]
			}
			continue
		}
		if !s.may(at, 0o1) {
			return nil, syscall.EACCES
		}
		next := at.entries[part]
		if next == nil {
			return nil, syscall.ENOENT
		}
		if next.mode&fs.ModeSymlink != 0 && (follow || i < len(parts)-1) {
			target := next.text(s)
			if !path.IsAbs(target) {
				target = path.Join("/"+strings.Join(parts[:i], "/"), target)
			}
			return s.walk(root, path.Join(append([]string{target}, parts[i+1:]...)...), follow, depth+1)
		}
		above, at = append(above, at), next
	}
	return at, nil
}

// may reports whether the session may do to a node what the bit (4 read, 2 write, 1 execute) says.
func (s *session) may(n *node, bit fs.FileMode) bool {
	switch {
	case s.uid == 0:
		return bit != 1 || n.mode.IsDir() || n.mode&0o111 != 0
	case s.uid == n.uid:
		return n.mode&(bit<<6) != 0
	case slices.Contains(s.gids, n.gid):
		return n.mode&(bit<<3) != 0
	}
	return n.mode&bit != 0
}

// text returns the content of a file, or the target of a link.
func (n *node) text(s *session) string {
	if n.render != nil {
		return n.render(s)
	}
	return n.content
}

// read returns the content of the file at a path, relative to dir.
func (s *session) read(dir, name string) (string, error) {
	n, err := s.resolve(absolute(dir, name), true)
	switch {
	case err != nil:
		return "", err
	case n.mode.IsDir():
		return "", syscall.EISDIR
	case !s.may(n, 0o4):
		return "", syscall.EACCES
	}
	return n.text(s), nil
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}

// info is what is said of a node. It implements fs.FileInfo and fs.DirEntry.
type info struct {
	*node
	session *session
}

func (i info) Name() string               { return i.name }
func (i info) IsDir() bool                { return i.mode.IsDir() }
func (i info) Mode() fs.FileMode          { return i.mode }
func (i info) Type() fs.FileMode          { return i.mode.Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) Sys() any                   { return nil }

func (i info) ModTime() time.Time {
	if i.volatile {
		return time.Now()
	}
	return installed
}

// Size is 0 for what is made when it is looked at, as the kernel has it.
func (i info) Size() int64 {
	if i.volatile && i.mode.IsRegular() {
		return 0
	}
	if i.mode.IsDir() {
		return 4096
	}
	return int64(len(i.text(i.session)))
}

// list returns the entries of a folder, sorted.
func (n *node) list(s *session) []fs.DirEntry {
	names := slices.Sorted(slices.Values(n.order))
	out := make([]fs.DirEntry, len(names))
	for i, name := range names {
		out[i] = info{n.entries[name], s}
	}
	return out
}
