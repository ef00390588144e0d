package simvm

import (
	"bytes"
	"hash/fnv"
	"slices"
	"strings"
)

// dpkgQuery is dpkg-query -W [-f FORMAT].
func dpkgQuery(p *process) int {
	format := "${Package}\t${Version}\n"
	query := false
	for i := 1; i < len(p.args); i++ {
		a := p.args[i]
		switch {
		case a == "-W" || a == "--show":
			query = true
		case a == "-f" && i+1 < len(p.args):
			i++
			format = p.args[i]
		case strings.HasPrefix(a, "-f="):
			format = a[len("-f="):]
		case strings.HasPrefix(a, "--showformat="):
			format = a[len("--showformat="):]
		default:
			return p.unsimulated(a)
		}
	}
	if !query {
		return p.fail(2, "need an action option")
	}
	var out bytes.Buffer
	twice := map[string]int{}
	for _, k := range p.image.state.packages {
		twice[k.Name]++
	}
	for _, k := range p.image.state.packages {
		status := "ii "
		switch {
		case k.Removed:
			status = "rc "
		case k.Held:
			status = "hi "
		}
		binary := k.Name
		if twice[k.Name] > 1 { // stands for Multi-Arch: same
			binary += ":" + k.Arch
		}
		expandFormat(&out, format, "${", map[string]string{
			"db:Status-Abbrev": status, "Package": k.Name, "binary:Package": binary, "Architecture": k.Arch,
			"Version": k.Version, "source:Package": k.Source, "source:Version": k.Version,
		})
	}
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}

// rpmQuery is rpm -qa [--qf FORMAT].
func rpmQuery(p *process) int {
	format := "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n"
	query := false
	for i := 1; i < len(p.args); i++ {
		switch a := p.args[i]; {
		case a == "-qa":
			query = true
		case (a == "--qf" || a == "--queryformat") && i+1 < len(p.args):
			i++
			format = p.args[i]
		default:
			return p.unsimulated(a)
		}
	}
	if !query {
		return p.fail(1, "no arguments given for query")
	}
	// rpm's order is that of its database, not of names.
	list := slices.Clone(p.image.state.packages)
	slices.SortStableFunc(list, func(a, b Package) int { return int(scramble(a.Name)) - int(scramble(b.Name)) })
	var out bytes.Buffer
	for _, k := range list {
		epoch, rest, ok := strings.Cut(k.Version, ":")
		if !ok {
			epoch, rest = "0", k.Version
		}
		version, release, _ := strings.Cut(rest, "-")
		source := k.Source + "-" + rest + ".src.rpm"
		if k.Name == "gpg-pubkey" { // a key that rpm trusts, kept as if it were a package
			source = "(none)"
		}
		optional := epoch
		if !ok {
			optional = "(none)"
		}
		expandFormat(&out, format, "%{", map[string]string{
			"NAME": k.Name, "ARCH": k.Arch, "EPOCHNUM": epoch, "EPOCH": optional, "VERSION": version, "RELEASE": release, "SOURCERPM": source,
		})
	}
	p.stdout.Write(out.Bytes()) //nolint:errcheck // the client may have gone
	return 0
}

func scramble(name string) uint16 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return uint16(h.Sum32())
}

// expandFormat writes a format in which {name} after the mark stands for a value,
// and \t and \n for what they always do. Unknown names are empty, as with dpkg.
func expandFormat(out *bytes.Buffer, format, mark string, values map[string]string) {
	for format != "" {
		switch {
		case strings.HasPrefix(format, mark):
			name, rest, _ := strings.Cut(format[len(mark):], "}")
			out.WriteString(values[name])
			format = rest
		case format[0] == '\\' && len(format) > 1:
			out.WriteByte(unescape(format[1]))
			format = format[2:]
		default:
			out.WriteByte(format[0])
			format = format[1:]
		}
	}
}
