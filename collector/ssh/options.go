package ssh

import "time"

// Options is what flags and the configuration say of all targets. The zero value
// behaves as ssh does without flags.
type Options struct {
	// ConfigFiles are the ssh_config files, the first value of a setting winning.
	// Empty means ~/.ssh/config and /etc/ssh/ssh_config; "none" means no file. A
	// file named here must exist.
	ConfigFiles []string
	// IdentityFiles are private keys, or public keys whose private half is in the
	// agent. They are offered first, to jump hosts too, and must exist.
	IdentityFiles []string
	// Jump is a comma-separated list of hosts to go through, nearest first. It
	// replaces ProxyJump and ProxyCommand of ssh_config; "none" goes straight.
	Jump string
	// User and Port apply where the target does not name its own. They do not
	// apply to jump hosts.
	User string
	Port int
	// KnownHosts replaces the known_hosts files of ssh_config and the default
	// ones: ~/.ssh/known_hosts, ~/.ssh/known_hosts2, /etc/ssh/ssh_known_hosts and
	// /etc/ssh/ssh_known_hosts2. New keys are recorded in the first.
	KnownHosts []string
	// AcceptNew records the key of a host that known_hosts does not hold, as
	// StrictHostKeyChecking=accept-new does. A changed key still stops.
	AcceptNew bool

	// PasswordCommand and PasswordFile give the password: the first line of what
	// the command (run by sh, once for all targets) prints, or of the file.
	// Without either, passwords are not tried.
	PasswordCommand, PasswordFile string
	// PassphraseCommand and PassphraseFile give the passphrase of encrypted keys.
	PassphraseCommand, PassphraseFile string
	// AgentSocket is the agent's socket. Empty means $SSH_AUTH_SOCK, "none" no
	// agent. IdentityAgent of ssh_config goes before it.
	AgentSocket string

	// Home is what ~ stands for. Empty means $HOME, else the home directory of
	// the user that runs vmdrift.
	Home string

	Timeouts Timeouts
}

// Timeouts bound the stages of one Run. The time of the whole is that of its
// context. Zero means the default, a negative value none.
type Timeouts struct {
	// Connect bounds the name look-up and the TCP connection, through every jump
	// host. Default: ConnectTimeout of ssh_config, else 10 s.
	Connect time.Duration
	// Handshake bounds greeting and key exchange. Default 15 s.
	Handshake time.Duration
	// Auth bounds the authentication. Default 30 s: PAM may ask a directory.
	Auth time.Duration
	// Idle bounds the time without a byte of output. Default 2 min.
	Idle time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&t.Connect, 10 * time.Second},
		{&t.Handshake, 15 * time.Second},
		{&t.Auth, 30 * time.Second},
		{&t.Idle, 2 * time.Minute},
	} {
		switch {
		case *d.v == 0:
			*d.v = d.def
		case *d.v < 0:
			*d.v = 0
		}
	}
	return t
}
