// Package store keeps everything in PostgreSQL: it implements drift.Store. One file
// per aggregate, the SQL in full beside its method.
//
// It owns how things are laid out: each distinct state once for the fleet, as a delta to
// a near one, over a dictionary of items; what is known of a machine now; what was
// known before, as stretches of equal state. It knows nothing of when a scan runs,
// what a diff is, or what becomes of a finding.
//
// Transactions are READ COMMITTED. What excludes races is: rows of machine_seen are locked
// in the order of their ids; whatever is stored once is inserted in the order of its
// digest, ON CONFLICT DO NOTHING, and read again; and InTx begins again when
// PostgreSQL found a deadlock all the same.
package store
