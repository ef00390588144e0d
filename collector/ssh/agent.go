package ssh

import (
	"bytes"
	"net"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentWait bounds the question for its keys.
const agentWait = 10 * time.Second

// An agentClient is one agent, asked once for its keys by all targets.
type agentClient struct {
	socket string

	mu      sync.Mutex
	conn    net.Conn
	closed  bool
	signers []agentSigner
}

type agentSigner struct {
	gossh.Signer
	comment string
}

// agents are the agents of all targets by socket: IdentityAgent may name several.
type agents struct {
	mu  sync.Mutex
	all map[string]*agentClient
}

func (a *agents) get(socket string) *agentClient {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.all[socket]
	if c == nil {
		if a.all == nil {
			a.all = map[string]*agentClient{}
		}
		c = &agentClient{socket: socket}
		a.all[socket] = c
	}
	return c
}

func (a *agents) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.all {
		c.close()
	}
}

// keys returns the agent's keys, in its order. An agent that does not answer is
// asked again for the next target: somebody may have started it by then.
func (c *agentClient) keys() ([]agentSigner, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signers != nil {
		return c.signers, nil
	}
	if c.closed {
		return nil, net.ErrClosed
	}
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		return nil, err
	}
	c.conn = conn
	// A stuck agent must not hold up every target.
	conn.SetDeadline(time.Now().Add(agentWait))
	client := agent.NewClient(conn)
	list, err := client.List()
	var signers []gossh.Signer
	if err == nil {
		signers, err = client.Signers()
	}
	if err != nil {
		conn.Close()
		c.conn = nil
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	c.signers = make([]agentSigner, 0, len(signers))
	for i, s := range signers {
		comment := ""
		if i < len(list) && bytes.Equal(list[i].Blob, s.PublicKey().Marshal()) {
			comment = list[i].Comment
		}
		c.signers = append(c.signers, agentSigner{s, comment})
	}
	return c.signers, nil
}

func (c *agentClient) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.signers = nil, nil
	}
}
