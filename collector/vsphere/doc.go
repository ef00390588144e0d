// Package vsphere lists the machines of a vCenter (or of one ESXi host): virtual
// machines, templates if asked for, and the hosts that they run on, with what the
// platform knows of each.
//
// It owns how that is asked: one view, named properties, in pages, so that the
// number of calls grows with the pages and not with the machines. It never changes
// anything: every request passes a guard that lets only the calls of a short list
// through. It knows nothing of guests, of baselines, and of what becomes of a listing.
package vsphere
