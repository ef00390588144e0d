// Package ssh is the transport that reaches a machine over SSH: one connection,
// one session, one exec, and nothing else.
//
// It reads what OpenSSH reads (ssh_config, known_hosts, keys, certificates, the
// agent), so that a target which `ssh TARGET` reaches is reached the same way.
// It knows nothing of what is run there and of what comes back.
//
// The target is taken to be hostile. Its host key is verified before any
// credential is offered, and nothing turns that off: StrictHostKeyChecking=no is
// read as accept-new. Every channel that it opens is refused, its global requests
// are answered with no, its texts are bounded and escaped before they enter an
// error, and every stage has a time limit.
//
// # Where it differs from ssh
//
//   - Keys named for a host (-i, IdentityFile) are offered before the agent's others,
//     so that a full agent does not use up MaxAuthTries.
//   - -i counts for jump hosts too. -l and -p do not, as in ssh.
//   - A known host that shows a key of another type counts as changed.
//   - A @revoked key is revoked for every host, whatever its line's pattern.
//   - A password is sent once, to the password method or to a single hidden prompt.
//   - Match exec, tagged, localnetwork, and what [Dialer.Warnings] and the errors of
//     [Dialer.Host] name, are not supported. Directives on terminals, forwarding,
//     environment and multiplexing are passed over.
//
// # Why its own readers
//
// ssh_config is read here and not by github.com/kevinburke/ssh_config. That one
// refuses the `Match final all` that Fedora and RHEL ship in /etc/ssh, names
// neither file nor line of an included file in an error, and costs one walk over
// the file, by regular expressions, per setting and target.
//
// known_hosts is indexed here and not by x/crypto's knownhosts, which walks every
// line for each target, gives up on the whole file at one line that it cannot
// parse, and cannot say which key types it holds for a host. A test holds the two
// together: both give the same verdicts.
package ssh
