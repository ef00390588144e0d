package simvm

import (
	"fmt"
	"strings"
)

// root returns the machine's file system.
func (i *image) root() *node {
	i.once.Do(func() {
		t := newTree()
		i.base(t)
		i.accounts(t)
		i.packageDatabase(t)
		i.proc(t)
		if i.dist.init == systemd {
			i.units(t)
		} else {
			i.initScripts(t)
		}
		i.executables(t)
		i.tree = t
	})
	return i.tree
}

// base is what every machine has, and what names it.
func (i *image) base(t *node) {
	for _, dir := range []string{"etc", "root", "home", "run", "tmp", "usr/bin", "usr/sbin", "usr/lib", "var/lib"} {
		t.dir(dir)
	}
	if i.dist.init == systemd { // these have one tree for programs
		for _, dir := range []string{"bin", "sbin", "lib"} {
			t.link("/"+dir, "usr/"+dir)
		}
		t.file("/etc/machine-id", i.state.machineID+"\n")
		t.dir("run/systemd/system")
		t.file("/usr/lib/systemd/systemd", "").mode = 0o755
	}
	t.dir("root").only(0o700, 0)
	t.file("/usr/lib/os-release", i.dist.preset.osRelease)
	t.link("/etc/os-release", "../usr/lib/os-release")
	for name, content := range i.dist.preset.files {
		t.file(name, content)
	}
	t.file("/etc/hostname", i.state.hostname+"\n")

	dmi := t.dir("sys/class/dmi/id")
	dmi.volatile = true
	// The kernel writes it in lower case, some firmware in upper.
	dmi.file("product_uuid", i.state.uuid+"\n").only(0o400, 0)
	dmi.file("sys_vendor", i.state.vendor+"\n")
	dmi.file("product_name", i.state.product+"\n")
}

// A hash of this shape is recognised as one; it fits no password.
const noHash = "$y$j9T$simulatedsaltsimulatd$simulatedhashsimulatedhashsimulatedhash0001"

func (i *image) accounts(t *node) {
	var passwd, shadow, group strings.Builder
	shadowGID := 0
	for _, g := range i.state.groups {
		if g.Name == "shadow" {
			shadowGID = g.GID
		}
		fmt.Fprintf(&group, "%s:x:%d:%s\n", g.Name, g.GID, strings.Join(g.Members, ","))
	}
	for _, u := range i.state.users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s:%s:%s\n", u.Name, u.UID, u.GID, u.Comment, u.Home, u.Shell)
		hash, changed := "", 20580
		switch u.Password {
		case PasswordLocked:
			hash = "!"
			if u.UID > 0 && u.UID < 1000 {
				hash = "*"
			}
		case PasswordSet:
			hash = noHash
		case PasswordExpired:
			hash, changed = noHash, 0
		}
		fmt.Fprintf(&shadow, "%s:%s:%d:0:99999:7:::\n", u.Name, hash, changed)
	}
	t.file("/etc/passwd", passwd.String())
	t.file("/etc/group", group.String())
	t.file("/etc/shadow", shadow.String()).only(0o640, shadowGID)
}

// packageDatabase is what says that there is one, and what is read of it without a
// command for it.
func (i *image) packageDatabase(t *node) {
	switch i.dist.manager {
	case dpkg:
		t.file("/var/lib/dpkg/status", dpkgStatus(i.state.packages))
	case rpm:
		t.file("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3\x00 (simulated)")
	case apk:
		t.file("/lib/apk/db/installed", apkInstalled(i.state.packages))
		t.file("/etc/apk/world", apkWorld(i.state.packages))
	case pacman:
		db := t.dir("var/lib/pacman/local")
		db.file("ALPM_DB_VERSION", "9\n")
		ignored := ""
		for _, p := range i.state.packages {
			db.file(p.Name+"-"+p.Version+"/desc", pacmanDesc(p))
			if p.Held {
				ignored += " " + p.Name
			}
		}
		conf := "# /etc/pacman.conf\n[options]\nHoldPkg     = pacman glibc\nArchitecture = auto\n#IgnoreGroup =\n"
		if ignored != "" {
			conf += "IgnorePkg   =" + ignored + "\n"
		}
		t.file("/etc/pacman.conf", conf+"\n[core]\nInclude = /etc/pacman.d/mirrorlist\n")
	}
}

// dpkgStatus writes dpkg's database. A package whose source has its name does not say so.
func dpkgStatus(list []Package) string {
	var b strings.Builder
	for _, p := range list {
		status := "install ok installed"
		switch {
		case p.Removed:
			status = "deinstall ok config-files"
		case p.Held:
			status = "hold ok installed"
		}
		source := ""
		if p.Source != p.Name {
			source = "Source: " + p.Source + "\n"
		}
		fmt.Fprintf(&b, "Package: %s\nStatus: %s\nPriority: optional\nSection: misc\nInstalled-Size: 512\nMaintainer: Nobody <nobody@example.org>\n"+
			"Architecture: %s\n%sVersion: %s\nDescription: %[1]s, simulated\n A package that is only a line of a list.\n .\n It has no files.\n\n",
			p.Name, status, p.Arch, source, p.Version)
	}
	return b.String()
}

// apkInstalled writes apk's database: letters, and an empty line after each package.
func apkInstalled(list []Package) string {
	var b strings.Builder
	for n, p := range list {
		fmt.Fprintf(&b, "C:Q1simulated%04d=\nP:%s\nV:%s\nA:%s\nS:%d\nI:%d\nT:%s, simulated\nL:MIT\no:%s\nF:usr\nF:usr/bin\nR:%s\nZ:Q1simulated=\n\n",
			n, p.Name, p.Version, p.Arch, 1000+n, 4000+n, p.Name, p.Source, p.Name)
	}
	return b.String()
}

// apkWorld is what was asked for by name: here, whatever is its own origin.
func apkWorld(list []Package) string {
	var b strings.Builder
	for _, p := range list {
		switch {
		case p.Held:
			fmt.Fprintf(&b, "%s=%s\n", p.Name, p.Version)
		case p.Source == p.Name:
			fmt.Fprintln(&b, p.Name)
		}
	}
	return b.String()
}

func pacmanDesc(p Package) string {
	return fmt.Sprintf("%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%%BASE%%\n%s\n\n%%DESC%%\n%s, simulated\n\n%%ARCH%%\n%s\n\n%%BUILDDATE%%\n1777862521\n\n%%LICENSE%%\nMIT\n\n",
		p.Name, p.Version, p.Source, p.Name, p.Arch)
}
