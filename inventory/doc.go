// Package inventory is the vocabulary that every other package speaks: machines,
// facets, items, observations, snapshots, and the one canonical form in which the
// state of a facet is written, compared and hashed.
//
// It owns what "the same state" means. It knows nothing of how a state is
// collected, stored, judged or shown, and imports the standard library only.
package inventory
