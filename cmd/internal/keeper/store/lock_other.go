//go:build !unix

package store

import "os"

// lockFile makes this program the only one that has the file at path: systems
// that have no flock(2) do not let go a file that is open, so it is made anew.
func lockFile(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, ErrInUse
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}
