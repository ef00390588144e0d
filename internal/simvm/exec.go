package simvm

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// session serves one session: the one command that the client asks for.
func (h *Host) session(user string, ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	ctx, cancel := context.WithCancel(h.fleet.ctx)
	defer cancel()
	var run sync.WaitGroup
	defer run.Wait()
	started := false
	for req := range requests {
		ok := false
		switch req.Type {
		case "exec":
			var exec struct{ Command string }
			if started || ssh.Unmarshal(req.Payload, &exec) != nil {
				break
			}
			started = true
			// Before the command: a quick one would end the session before its start is confirmed.
			req.Reply(true, nil) //nolint:errcheck // the connection may have ended
			req.WantReply = false
			run.Go(func() {
				if err := h.exec(ctx, user, exec.Command, ch); err != nil {
					io.WriteString(ch.Stderr(), err.Error()+"\n") //nolint:errcheck // the client may have gone
					sendStatus(ch, 255)
				}
				ch.Close()
			})
		case "env":
			ok = true // taken, and of no effect
		case "shell", "pty-req", "subsystem", "x11-req", "auth-agent-req@openssh.com":
			// Nobody sits here.
		}
		if req.WantReply {
			req.Reply(ok, nil) //nolint:errcheck // the connection may have ended
		}
		if req.Type == "shell" {
			io.WriteString(ch.Stderr(), h.name+" is simulated and runs commands only: ssh … uname -a\r\n") //nolint:errcheck
			sendStatus(ch, 1)
			return
		}
	}
	cancel() // the client has closed the session
}

// exec runs a command line by the user's shell and sends its output and status.
func (h *Host) exec(ctx context.Context, user, line string, ch ssh.Channel) error {
	h.mu.Lock()
	slow := h.slow
	h.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
	}
	s, err := h.login(user)
	if err != nil {
		return err
	}
	// The interpreter hands standard input on from command to command, which only a real file allows.
	in, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	var feeding sync.WaitGroup
	feeding.Go(func() {
		defer feed.Close()
		io.Copy(feed, io.LimitReader(ch, maxInput)) //nolint:errcheck // the command may not read it all
	})
	// A command that waits for input does not see that the session has ended.
	stop := context.AfterFunc(ctx, func() { feed.Close() })
	defer func() {
		stop()
		in.Close() // so that writing to feed ends, if the command has left input unread
		ch.Close() // so that reading from the client ends
		feeding.Wait()
	}()

	out := &lockedWriter{w: bufio.NewWriterSize(ch, 32<<10)}
	errs := &lockedWriter{w: bufio.NewWriterSize(ch.Stderr(), 4<<10)}
	io.WriteString(out, s.image.state.noise) //nolint:errcheck // fails again at the next write
	p := &process{session: s, ctx: ctx, args: []string{"sh", "-c", line}, dir: "/", stdin: in, stdout: out, stderr: errs}
	status := p.run()
	out.flush()
	errs.flush()
	sendStatus(ch, status)
	return nil
}

func sendStatus(ch ssh.Channel, status int) {
	ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(status))) //nolint:errcheck // the client may have gone
}

// A lockedWriter may be written to by both ends of a pipeline.
type lockedWriter struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (l *lockedWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.Flush() //nolint:errcheck // the client may have gone
}
