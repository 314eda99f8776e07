// Package debian takes packages of Debian, of any architecture, from the sources
// that the host trusts, without touching the host's own packages; and it runs the
// host's commands, with errors that say what they said.
//
// What this package does not do: install anything, or unpack more than dpkg does.
// It runs on a Debian host only; on other systems it compiles to nothing.
package debian
