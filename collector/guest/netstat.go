package guest

import (
	"bytes"
	"strconv"
	"strings"
)

// parseNetstat reads `netstat -l -t -u -n -p`, for a machine that has neither ss
// nor a /proc/net that the login may read:
//
//	Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
//	tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      57/sshd: /usr/sbin/
//	tcp6       0      0 :::22                   :::*                    LISTEN      -
//	udp        0      0 127.0.0.53%lo:53        0.0.0.0:*                           301/systemd-resolve
//
// It cuts long addresses; such an answer is refused. It does not say whose a socket is.
func parseNetstat(body []byte, root bool) ([]socket, error) {
	var sockets []socket
	var err error
	headed := false
	lines(body, func(line []byte) {
		f := strings.Fields(string(line))
		if len(f) == 0 || f[0] == "Active" {
			return
		}
		if f[0] == "Proto" {
			headed = true
			return
		}
		if len(f) < 5 || !headed {
			err = errShape
			return
		}
		proto := strings.TrimSuffix(f[0], "6")
		if proto != "tcp" && proto != "udp" {
			err = errShape
			return
		}
		if !strings.HasSuffix(f[4], ":*") {
			return // connected
		}
		colon := strings.LastIndexByte(f[3], ':')
		port, bad := strconv.Atoi(f[3][colon+1:])
		host, ok := canonicalHost(f[3][:max(colon, 0)])
		if bad != nil || !ok || port < 0 || port > 65535 {
			err = errShape
			return
		}
		s := socket{key: proto + "/" + host + ":" + strconv.Itoa(port), port: port, dualStack: "no"}
		if host == "[::]" {
			s.dualStack = ""
		}
		rest := f[5:]
		if len(rest) > 0 && rest[0] == "LISTEN" {
			rest = rest[1:]
		}
		s.known = root
		if len(rest) > 0 {
			if pid, _, ok := strings.Cut(rest[0], "/"); ok && digits([]byte(pid)) {
				_, name, _ := bytes.Cut(line[bytes.Index(line, []byte(" "+pid+"/")):], []byte("/"))
				s.processes, s.known = []string{strings.TrimSpace(string(name))}, true
			}
		}
		sockets = append(sockets, s)
	})
	if err == nil && !headed {
		err = errShape
	}
	return sockets, err
}
