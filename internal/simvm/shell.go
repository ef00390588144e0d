package simvm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// runShell interprets a script as the machine's sh would: $0 is name, and args are
// its parameters.
func (p *process) runShell(script, name string, args []string) int {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(script), name)
	if err != nil {
		return p.fail(2, "%v", err)
	}
	runner, err := interp.New(
		interp.Dir("/"), // the only folder that is surely there on the host, which the interpreter insists on
		interp.Env(p.environment()),
		interp.StdIO(p.stdin, p.stdout, p.stderr),
		interp.CallHandler(noLookUp),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return p.exec }),
		interp.OpenHandler(p.open),
		interp.ReadDirHandler2(p.readDir),
		interp.StatHandler(p.stat),
		interp.AccessHandler(p.access),
	)
	if err != nil {
		return p.fail(126, "%v", err)
	}
	runner.Params = args
	var status interp.ExitStatus
	switch err := runner.Run(p.ctx, file); {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	default:
		return p.fail(126, "%v", err)
	}
}

// environment is what sshd sets. UID and its like are named because the interpreter
// would otherwise take them from the host.
func (p *process) environment() expand.Environ {
	id := strconv.Itoa(p.uid)
	return expand.ListEnviron(
		"HOME="+p.home, "USER="+p.user, "LOGNAME="+p.user, "SHELL=/bin/sh", "TMPDIR=/nonexistent",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"UID="+id, "EUID="+id, "GID="+strconv.Itoa(p.gids[0]),
	)
}

// noLookUp keeps the interpreter from looking into the host's PATH: what it would
// look up becomes a command of the machine.
func noLookUp(_ context.Context, args []string) ([]string, error) {
	switch {
	case args[0] == "command" && len(args) == 3 && args[1] == "-v" && !shellWord(args[2]):
		return []string{"which", args[2]}, nil
	case args[0] == "type" || args[0] == "." || args[0] == "source":
		return append([]string{"shell builtin"}, args...), nil
	}
	return args, nil
}

func shellWord(name string) bool { return name != "which" && interp.IsBuiltin(name) }

// exec runs a command of the machine.
func (p *process) exec(ctx context.Context, args []string) error {
	h := interp.HandlerCtx(ctx)
	child := &process{session: p.session, ctx: ctx, args: args, dir: h.Dir, stdin: h.Stdin, stdout: h.Stdout, stderr: h.Stderr}
	if in, ok := h.Stdin.(*os.File); !ok || in == nil {
		child.stdin = bytes.NewReader(nil)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if status := child.run(); status != 0 {
		return interp.ExitStatus(status)
	}
	return nil
}

// run finds the command and runs it.
func (p *process) run() int {
	name := p.args[0]
	if strings.Contains(name, "/") {
		n, err := p.resolve(absolute(p.dir, name), true)
		switch {
		case err != nil:
			return p.fail(127, "%s", errno(err))
		case n.mode.IsDir() || !p.may(n, 0o1):
			return p.fail(126, "Permission denied")
		}
		name = path.Base(name)
	}
	c, ok := p.image.dist.commands()[name]
	if !ok {
		fmt.Fprintf(p.stderr, "sh: %s: not found\n", name)
		return 127
	}
	return c(p)
}

// open gives the shell a file to read. Nothing can be written, except to nowhere.
func (p *process) open(ctx context.Context, name string, flag int, _ os.FileMode) (io.ReadWriteCloser, error) {
	if name == "/dev/null" {
		if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
			return nowhere{}, nil
		}
		return os.Open(os.DevNull) // a real file, which saves the interpreter a pipe
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	text, err := p.read(interp.HandlerCtx(ctx).Dir, name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	// The interpreter reads from a real file only. It would make a pipe of its own,
	// and leave it open.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	const pipeHolds = 4 << 10 // at the least, without anybody reading
	if len(text) <= pipeHolds {
		_, err = io.WriteString(w, text)
		return r, errors.Join(err, w.Close())
	}
	go func() {
		io.WriteString(w, text) //nolint:errcheck // the reader may have gone
		w.Close()
	}()
	return r, nil
}

// nowhere takes everything.
type nowhere struct{}

func (nowhere) Read([]byte) (int, error)    { return 0, io.EOF }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

func (p *process) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	n, err := p.resolve(absolute(interp.HandlerCtx(ctx).Dir, name), true)
	switch {
	case err != nil:
		return nil, err
	case !n.mode.IsDir() || !p.may(n, 0o4):
		return nil, fs.ErrPermission
	}
	return n.list(p.session), nil
}

func (p *process) stat(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
	n, err := p.resolve(name, follow)
	if err != nil {
		return nil, err
	}
	return info{n, p.session}, nil
}

func (p *process) access(_ context.Context, name string, mode interp.AccessMode) error {
	n, err := p.resolve(name, true)
	if err != nil {
		return err
	}
	if !p.may(n, fs.FileMode(mode)) {
		return fs.ErrPermission
	}
	return nil
}

// shell is sh and its like: -c SCRIPT [NAME [ARG…]], or a script on standard input.
func shell(p *process) int {
	args := p.args[1:]
	switch {
	case len(args) > 1 && args[0] == "-c":
		name, params := p.args[0], []string(nil)
		if len(args) > 2 {
			name, params = args[2], args[3:]
		}
		return p.runShell(args[1], name, params)
	case len(args) == 0 || args[0] == "-s" || args[0] == "-":
		script, err := io.ReadAll(io.LimitReader(p.stdin, maxInput))
		if err != nil {
			return p.fail(2, "%v", err)
		}
		return p.runShell(string(script), p.args[0], slices.Clone(args[min(1, len(args)):]))
	case strings.HasPrefix(args[0], "-"):
		return p.unsimulated(args[0])
	}
	script, err := p.read(p.dir, args[0])
	if err != nil {
		return p.fail(2, "%s: %s", args[0], errno(err))
	}
	return p.runShell(script, args[0], args[1:])
}

// sudo [-n] COMMAND… runs a command as root, for who may.
func sudo(p *process) int {
	args := p.args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] != "-n" && args[0] != "--" {
			return p.unsimulated(args[0])
		}
		args = args[1:]
	}
	if !p.admin() {
		return p.fail(1, "a password is required")
	}
	if len(args) == 0 {
		return p.fail(1, "what is to be run?")
	}
	root, err := p.as(Root)
	if err != nil {
		return p.fail(1, "%v", err)
	}
	child := *p
	child.session, child.args = root, args
	return child.run()
}
