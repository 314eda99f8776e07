//go:build unix

package identity

import "os"

// unixModes says whether permission bits tell who can read a file.
const unixModes = true

// syncDir makes a rename or removal in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
