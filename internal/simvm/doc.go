// Package simvm simulates guests for the demo, for tests and for benchmarks: made-up
// machines of several distributions, each behind a real SSH server on loopback.
//
// A Machine is a typed model (packages, ports, users, services…) with methods that
// change it as an administrator would. From the model come a file system in memory
// and the commands that a machine of that kind has. What a client runs there is the
// script that it sends, byte for byte, interpreted by mvdan.cc/sh: so the real probe
// is exercised, and not an imitation of its answers.
//
// Nothing of the host is read or run, with one exception: sed. Its scripts are the
// client's own and have to mean exactly what they mean elsewhere, so the host's sed
// runs them, sandboxed, on text that is fed to it.
//
// The package knows nothing of what is asked of a machine. A command or an option
// that it does not simulate fails, as on a machine that lacks it, with a message
// that says so.
package simvm
