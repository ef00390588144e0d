package ssh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/vmdrift/vmdrift/collector"
)

// outputBuffers are for standard output. With thousands of connections at once
// they are too large to be made anew for each.
var outputBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// exec runs the command in the connection's only session. It asks for no
// terminal and sends no environment: each would be another round trip.
func (c *client) exec(st *stages, idle time.Duration, command string, stdin []byte, out io.Writer) error {
	st.enter(waiting, idle)
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		var refused *gossh.OpenChannelError
		if errors.As(err, &refused) {
			return broken("the server opens no session: "+serverText(refused.Message), "")
		}
		return c.lost(err)
	}
	exit := make(chan exitReport, 1)
	go func() { exit <- readExit(reqs) }()
	ok, err := ch.SendRequest("exec", true, gossh.Marshal(struct{ Command string }{command}))
	if err != nil {
		return c.lost(err)
	}
	if !ok {
		return broken("the server runs no command", "Its sshd may allow this user only file transfer or a fixed command.")
	}
	errs := &tail{}
	var side sync.WaitGroup
	side.Go(func() { io.Copy(errs, ch.Stderr()) })
	if len(stdin) > 0 {
		// Beside the reading: a command that writes before it has read all would
		// otherwise wait for us, and we for it.
		side.Go(func() {
			if _, err := ch.Write(stdin); err == nil {
				ch.CloseWrite()
			}
		})
	} else {
		ch.CloseWrite()
	}
	if err := c.copyOutput(st, ch, out); err != nil {
		return err
	}
	report := <-exit
	ch.Close() // so that a write of stdin that the command did not read ends
	side.Wait()
	return c.result(report, errs)
}

// copyOutput copies standard output until it ends. Data that the writer has not
// taken yet is bounded by the channel's window of 2 MiB.
func (c *client) copyOutput(st *stages, r io.Reader, out io.Writer) error {
	buf := outputBuffers.Get().(*[]byte)
	defer outputBuffers.Put(buf)
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			st.again()
			if _, werr := out.Write((*buf)[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return c.lost(err)
		}
	}
}

// An exitReport is how the server says that the command ended.
type exitReport struct {
	seen   bool
	status uint32
	signal string
}

// readExit answers the server's requests on the session until it is closed.
func readExit(reqs <-chan *gossh.Request) exitReport {
	var r exitReport
	for req := range reqs {
		switch req.Type {
		case "exit-status":
			if len(req.Payload) >= 4 {
				r.seen, r.status = true, binary.BigEndian.Uint32(req.Payload)
			}
		case "exit-signal":
			var sig struct {
				Signal     string
				CoreDumped bool
				Error      string
				Lang       string
			}
			if gossh.Unmarshal(req.Payload, &sig) == nil {
				r.seen, r.signal = true, serverText(sig.Signal)
			}
		}
		// sshd's ClientAliveInterval asks here whether we are alive: any answer will do.
		if req.WantReply {
			req.Reply(false, nil)
		}
	}
	return r
}

func (c *client) result(r exitReport, errs *tail) error {
	switch {
	case !r.seen:
		text := "the connection ended before the command did"
		if said := errs.text(); said != "" {
			text += ": " + said
		}
		return broken(text, "")
	case r.status == 0 && r.signal == "":
		return nil
	}
	return &collector.Error{Outcome: collector.Broken, Err: &ExitError{Status: int(r.status), Signal: r.signal, Stderr: errs.text()}}
}

func (c *client) lost(err error) error { return broken("the session broke off: "+lostText(err), "") }

func broken(text, hint string) error {
	return &collector.Error{Outcome: collector.Broken, Err: errors.New(text), Hint: hint}
}

// A tail keeps the end of what is written to it: the end of standard error is
// where the reason stands.
type tail struct {
	mu  sync.Mutex
	buf []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > maxServerText {
		p, t.cut = p[n-maxServerText:], true
	}
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxServerText; over > 0 {
		t.buf, t.cut = append(t.buf[:0], t.buf[over:]...), true
	}
	return n, nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(serverText(strings.TrimSpace(string(t.buf))))
	if t.cut && text != "" {
		return fmt.Sprintf("…%s", text)
	}
	return text
}
