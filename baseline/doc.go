// Package baseline says what a machine should be: golden states, rules, their
// YAML form, and the diff that holds an observation against them.
//
// It is pure: no I/O but reading and writing YAML, no clock, no context. It knows
// nothing of where revisions are kept or of what becomes of a change.
package baseline
