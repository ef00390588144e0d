package guest

import (
	"bytes"
	"slices"
	"strconv"
)

// A socket is one listening socket, before those of one address are merged.
type socket struct {
	key       string // tcp/0.0.0.0:22
	port      int
	dualStack string   // yes, no, or "" if unknown
	processes []string // names of the processes that hold it
	known     bool     // processes can be relied on: an empty list means the kernel
	uid       string   // decimal, "" if unknown
}

// parseSS reads `ss -l -t -u -n -p -e`:
//
//	Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
//	udp   UNCONN 0      0      127.0.0.53%lo:53   0.0.0.0:*    users:(("systemd-resolve",pid=301,fd=13)) uid:101 ino:2035 sk:1 cgroup:/… <->
//	tcp   LISTEN 0      128          0.0.0.0:22   0.0.0.0:*    users:(("sshd",pid=57,fd=3)) ino:25955 sk:1001 cgroup:/system.slice/ssh.service <->
//	tcp   LISTEN 0      128             [::]:22      [::]:*    users:(("sshd",pid=57,fd=4)) ino:25957 sk:1002 cgroup:/system.slice/ssh.service v6only:1 <->
//	tcp   LISTEN 0      4096               *:9090       *:*    users:(("prometheus",pid=912,fd=7)) uid:112 ino:91 sk:2003 v6only:0 <->
//
// A process chooses its own name, of at most 15 bytes, and may put a newline or a
// quote into it. A line that does not begin like a socket (six words, of which the
// address is one) therefore belongs to the one before, and 15 bytes are too few to
// forge such a beginning. Where the processes read in more than one way, neither
// they nor the user are taken as known; the socket always is.
func parseSS(body []byte, root bool) ([]socket, error) {
	var sockets []socket
	var tails [][]byte // what follows the address, by socket
	old := bytes.Contains(body, []byte(" :::")) && !bytes.Contains(body, []byte(" [::]:"))
	lines(body, func(line []byte) {
		s, tail, ok := beginSocket(line, old)
		if ok {
			sockets, tails = append(sockets, s), append(tails, tail)
		} else if n := len(tails); n > 0 {
			tails[n-1] = slices.Concat(tails[n-1], []byte{'\n'}, line)
		} else if !bytes.HasPrefix(line, []byte("Netid")) && len(bytes.TrimSpace(line)) > 0 {
			sockets = append(sockets, socket{}) // refused below
			tails = append(tails, nil)
		}
	})
	for i := range sockets {
		s := &sockets[i]
		if s.key == "" {
			return nil, errShape
		}
		names, rest, ok := ssUsers(tails[i])
		if !ok {
			continue
		}
		s.processes, s.known = names, root || len(names) > 0
		s.uid, s.dualStack = ssDetails(rest, s.dualStack)
	}
	return sockets, nil
}

// beginSocket reads the six words that a socket's line begins with.
func beginSocket(line []byte, old bool) (s socket, tail []byte, ok bool) {
	var word [6][]byte
	tail = line
	for i := range word {
		tail = bytes.TrimLeft(tail, " ")
		end := bytes.IndexByte(tail, ' ')
		if end < 0 {
			end = len(tail)
		}
		word[i], tail = tail[:end], tail[end:]
	}
	proto := "tcp"
	if string(word[0]) == "udp" {
		proto = "udp"
	}
	if string(word[0]) != proto || (proto != "tcp" || string(word[1]) != "LISTEN") && (proto != "udp" || string(word[1]) != "UNCONN") {
		return s, nil, false
	}
	if !digits(word[2]) || !digits(word[3]) || !bytes.HasSuffix(word[5], []byte(":*")) {
		return s, nil, false
	}
	addr, port, dual, ok := ssAddress(word[4], old, tail)
	if !ok {
		return s, nil, false
	}
	key := make([]byte, 0, 64)
	key = append(append(append(append(key, proto...), '/'), addr...), ':')
	s.key = string(strconv.AppendInt(key, int64(port), 10))
	s.port, s.dualStack = port, dual
	return s, tail, true
}

// ssAddress reads 0.0.0.0:22, 127.0.0.53%lo:53, [::]:22, [fe80::1]%eth0:546 and *:80,
// which is a socket for both families; an old ss writes *:22 for 0.0.0.0 and :::22 for both.
func ssAddress(word []byte, old bool, tail []byte) (addr string, port int, dual string, ok bool) {
	colon := bytes.LastIndexByte(word, ':')
	if colon < 1 {
		return "", 0, "", false
	}
	port, err := strconv.Atoi(string(word[colon+1:]))
	if err != nil || port < 0 || port > 65535 {
		return "", 0, "", false
	}
	host := string(word[:colon])
	switch {
	case host == "*" && !old:
		dual := ""
		if bytes.Contains(tail, []byte(" v6only:0")) {
			dual = "yes"
		}
		return "[::]", port, dual, true
	case host == "*":
		return "0.0.0.0", port, "no", true
	case host == "::":
		return "[::]", port, "", true
	}
	host, ok = canonicalHost(host)
	if len(host) > 0 && host[0] == '[' {
		return host, port, "no", ok
	}
	return host, port, "no", ok
}

// ssUsers reads users:(("nginx",pid=7,fd=6),("nginx",pid=6,fd=6)). Not ok means
// that it can be read in more than one way.
func ssUsers(tail []byte) (names []string, rest []byte, ok bool) {
	rest, found := bytes.CutPrefix(bytes.TrimLeft(tail, " "), []byte("users:("))
	if !found {
		return nil, tail, true
	}
	for {
		if rest, found = bytes.CutPrefix(rest, []byte(`("`)); !found {
			return nil, nil, false
		}
		end := bytes.IndexByte(rest, '"')
		if end < 1 {
			return nil, nil, false
		}
		name := string(rest[:end])
		rest = rest[end+1:]
		for _, label := range []string{",pid=", ",fd="} {
			if rest, found = bytes.CutPrefix(rest, []byte(label)); !found {
				return nil, nil, false
			}
			n := 0
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			rest = rest[n:]
		}
		names = append(names, name)
		switch {
		case bytes.HasPrefix(rest, []byte("),(")):
			rest = rest[2:]
		case bytes.HasPrefix(rest, []byte("))")) && (len(rest) == 2 || rest[2] == ' '):
			return names, rest[2:], true
		default:
			return nil, nil, false
		}
	}
}

// ssDetails reads the owner, which ss leaves out for root, and for both families v6only.
func ssDetails(rest []byte, dual string) (uid, dualStack string) {
	owner, inode := bytes.Index(rest, []byte(" uid:")), bytes.Index(rest, []byte(" ino:"))
	switch {
	case inode < 0:
		return "", dual
	case owner < 0 || owner > inode:
		return "0", dual
	}
	word := rest[owner+len(" uid:"):]
	word = word[:bytes.IndexByte(word, ' ')] // there is one, before ino
	if !digits(word) {
		return "", dual
	}
	return string(word), dual
}

func digits(word []byte) bool {
	for _, c := range word {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(word) > 0
}
