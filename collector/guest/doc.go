// Package guest asks an operating system what it is: it owns the probe script, the
// form in which the script frames its answer, a parser per format, and how the
// answers become the observations of a snapshot.
//
// It knows nothing of how a machine is reached (a collector.Runner does that), and
// decides nothing about what it finds. What comes back from a machine is untrusted:
// it is bounded, parsed without trust and escaped on its way into a state.
package guest
