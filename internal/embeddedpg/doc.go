// Package embeddedpg runs a private PostgreSQL cluster from the binaries that the
// machine has, for those who have no server and want none: a folder, a unix
// socket in a private folder, no port, no password.
//
// Several processes may use one cluster at once. Each holds a shared lock (flock)
// on the file users.lock in the cluster's folder; whoever gets the lock
// exclusively knows that nobody uses the server, and may stop it. So:
//
//   - Start joins a running server, whoever started it, and otherwise starts one.
//   - Stop stops the server if it is the last to leave, and otherwise just leaves.
//   - The kernel lets go of the locks of a process that crashes or is killed. A
//     watchdog, started beside the server and outliving its starter, waits for the
//     exclusive lock and then stops the server: flock users.lock pg_ctl stop.
//
// A death signal tied to the starter (Pdeathsig) would be simpler, but it would end the
// sessions of the others when the starter leaves. Where the machine has no flock
// command there is no watchdog: a server that a crash left behind then runs on until
// the next Start joins it and its Stop ends it.
//
// The package knows nothing of vmdrift's schema. It never deletes a data folder,
// except those that StartTemp made.
package embeddedpg
