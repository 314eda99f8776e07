// Package faults is the proof by trial that nothing sealed is lost: a Proxy, the
// poor network between a camera and its broker, and a Ledger of what a camera has
// sealed and what a viewer was shown of it. The trials are in package trials
// beside this one; make fault-test runs them.
//
// What this package does not do: it looks into no seal. What the Ledger counts as
// verified, a viewer has verified; what it counts as sealed, the camera's own log
// and spool say.
package faults
