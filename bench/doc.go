// Package bench measures vmdrift against the least that could be done: make bench
// runs it. What it prints is what the README says.
package bench
