package embeddedpg

import (
	"context"
	"os/exec"
	"strconv"
)

// watch starts the watchdog: once nobody shares users.lock any more, it stops the server.
func (c *cluster) watch(v version, pid int, socketDir string) {
	flock, err := exec.LookPath("flock")
	if err != nil {
		c.log.Debug("no flock command: a crash will leave the private database running until the next start")
		return
	}
	dog := c.command(context.Background(), flock, "-x", c.path("users.lock"),
		v.program("pg_ctl"), "-D", c.data(), "-m", "fast", "-w", "-t", "600", "stop")
	if c.mode == temporary {
		dog = c.command(context.Background(), flock, "-x", c.path("users.lock"),
			"sh", "-c", sweep, "sh", strconv.Itoa(pid), c.dir, socketDir)
		dog.SysProcAttr.Credential = nil // to remove what is ours
	}
	if err := dog.Start(); err != nil {
		c.log.Debug("no watchdog for the private database", "err", err)
		return
	}
	go dog.Wait() //nolint:errcheck // only reaps it
}

// sweep ends a temporary server at once and removes what it leaves. The server's
// file is the sign that it is still there: in a container whose first process reaps
// nobody, the process id stays.
const sweep = `
file=$2/data/postmaster.pid
read -r pid <"$file" && [ "$pid" = "$1" ] && kill -QUIT "$pid"
n=0
while [ -e "$file" ] && [ $n -lt 250 ]; do n=$((n+1)); sleep 0.02; done
rm -rf -- "$2" "$3"
`
