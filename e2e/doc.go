// Package e2e holds the tests of the whole: a real Debian machine, with systemd
// and sshd, is changed in every way that vmdrift promises to see, one at a time,
// and each time it must say exactly that, and nothing when nothing changed.
package e2e
