//go:build linux

package bench

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// floorCommand is the leanest that asks for the same facts: no frame, no status of
// each command, no other userland, nothing done with what comes back. It reads
// what tells the units' enabled states, and leaves deriving them undone.
//
//go:embed floor.sh
var floorCommand string

// A floorClient is the least that reaches a machine: a bare x/crypto/ssh client
// that verifies no host key.
type floorClient struct{ key ssh.Signer }

// run connects to addr as root, runs floorCommand, and throws its output away.
func (c floorClient) run(ctx context.Context, addr string) error {
	config := &ssh.ClientConfig{
		User:            "root",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(c.key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // the floor, on loopback
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	cc, chans, reqs, err := ssh.NewClientConn(conn, addr, config)
	if err != nil {
		return err
	}
	client := ssh.NewClient(cc, chans, reqs)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	session.Stdout = io.Discard
	if err := session.Run(floorCommand); err != nil {
		return fmt.Errorf("the floor's commands: %w", err)
	}
	return nil
}
