//go:build !linux

package tuf

// freeSpace is not known on systems that no camera runs.
func freeSpace(string) (int64, bool) { return 0, false }
