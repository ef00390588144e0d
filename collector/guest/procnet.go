package guest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// parseProcNet reads the kernel's tables, where there is no ss:
//
//	/proc/net/tcp:  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	/proc/net/tcp:   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 25955 1 …
//	/proc/net/udp6: 12: 00000000000000000000000000000000:0143 0000…:0000 07 00000000:00000000 00:00000000 00000000     0        0 1812 2 …
//
// Addresses are words in the machine's own byte order. The tables do not say
// whether a socket for :: also takes IPv4. Without a table of tcp and one of udp
// there is no answer.
func parseProcNet(body []byte, bigEndian bool, holders map[string][]string) ([]socket, error) {
	var sockets []socket
	heading := make(map[string]bool)
	var err error
	lines(body, func(line []byte) {
		file, rest, ok := bytes.Cut(line, []byte(":"))
		table, known := strings.CutPrefix(string(file), "/proc/net/")
		if !ok || !known {
			if len(line) > 0 {
				err = errShape
			}
			return
		}
		f := strings.Fields(string(rest))
		if len(f) > 1 && f[0] == "sl" {
			heading[table] = true
			return
		}
		if len(f) < 10 {
			err = errShape
			return
		}
		proto, _ := strings.CutSuffix(table, "6")
		if want := map[string]string{"tcp": "0A", "udp": "07"}[proto]; want != f[3] {
			return // the probe's pattern takes both words from both tables
		}
		host, port, good := procAddress(f[1], bigEndian)
		if !good || !digits([]byte(f[7])) {
			err = errShape
			return
		}
		s := socket{key: proto + "/" + host + ":" + strconv.Itoa(port), port: port, uid: f[7], dualStack: "no"}
		if host == "[::]" {
			s.dualStack = ""
		}
		if holders != nil {
			s.processes, s.known = holders[f[9]], true
		}
		sockets = append(sockets, s)
	})
	if err == nil && (!heading["tcp"] || !heading["udp"]) {
		err = errShape
	}
	return sockets, err
}

// procAddress reads 0100007F:1F90 as 127.0.0.1 and 8080.
func procAddress(word string, bigEndian bool) (host string, port int, ok bool) {
	h, p, _ := strings.Cut(word, ":")
	n, err := strconv.ParseUint(p, 16, 16)
	raw, err2 := hex.DecodeString(h)
	if err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return "", 0, false
	}
	if !bigEndian {
		for i := 0; i < len(raw); i += 4 {
			binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
		}
	}
	addr, _ := netip.AddrFromSlice(raw)
	host, ok = canonicalHost(addr.String())
	return host, int(n), ok
}

// parseHolders reads who holds a socket: the names of processes by inode. listing
// is the selection from `ls -l /proc/PID/fd/`, names the files /proc/PID/comm:
//
//	/proc/57/fd/:
//	lrwx------ 1 root root 64 Nov 23 17:00 3 -> socket:[25955]
//
//	/proc/57/comm:sshd
func parseHolders(listing, names []byte) map[string][]string {
	comm := make(map[string]string)
	lines(names, func(line []byte) {
		file, name, ok := strings.Cut(string(line), "/comm:")
		pid, proc := strings.CutPrefix(file, "/proc/")
		if !ok || !proc {
			return
		}
		if before, twice := comm[pid]; twice {
			name = before + "\n" + name // a name with a newline in it
		}
		comm[pid] = name
	})
	holders := make(map[string][]string)
	pid := ""
	lines(listing, func(line []byte) {
		text := string(line)
		if rest, ok := strings.CutPrefix(text, "/proc/"); ok && strings.HasSuffix(rest, "/fd/:") {
			pid = strings.TrimSuffix(rest, "/fd/:")
			return
		}
		i := strings.LastIndex(text, " -> socket:[")
		if i < 0 || !strings.HasSuffix(text, "]") {
			return
		}
		if name, ok := comm[pid]; ok {
			inode := text[i+len(" -> socket:[") : len(text)-1]
			holders[inode] = append(holders[inode], name)
		}
	})
	return holders
}
