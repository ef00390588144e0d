// Package web is the dashboard: server-rendered pages over the use cases of package
// drift. At this stage it only reads.
//
// It owns what a person sees in a browser: pages, their words, their exports as CSV and
// JSON. Go computes and templates print; a page is one struct, rendered into a buffer, so
// that half a page is never sent. JavaScript adds comfort and nothing that a page needs.
//
// What comes from machines is hostile: html/template escapes it, characters that hide or turn
// text around are made visible (inventory.Escape), long texts are cut with the rest at hand, a page's
// total is bounded, and a CSV cell is never a formula.
//
// It knows nothing of SQL, of sessions, and of how machines are scanned.
package web
