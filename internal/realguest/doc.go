// Package realguest boots real Debian machines for tests: systemd as PID 1,
// sshd, packages, users and units, in a container of its own with a network of
// its own. What the rest of the tests assert about simulated machines is proven
// here against the real thing.
//
// The root file system is built once by mmdebstrap, kept in the user's cache
// folder under the hash of its recipe, and never written to again: every guest
// lays a file system in memory over it. A guest's mounts, network and processes
// belong to namespaces that end with its first process, and that one ends with
// the test, however the test ends. Nothing is left behind but an empty control
// group after a kill -9, and the next guest removes that.
//
// It needs root, and a kernel that allows mounts and namespaces. Available says
// whether it can work here, and StartRoot is the second best: the same root file
// system and its sshd without systemd, by chroot alone.
package realguest
