//go:build !unix && !windows

package identity

import "os"

// lockFile only opens the file: in a browser there is one program.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
