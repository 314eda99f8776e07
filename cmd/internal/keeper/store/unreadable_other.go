//go:build !unix

package store

// unreadable says that a disk has bytes that it cannot give; here nobody knows
// how that shows.
func unreadable(error) bool { return false }
