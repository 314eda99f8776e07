//go:build unix

package identity

import (
	"io/fs"
	"os"
	"syscall"
)

// unixModes says whether permission bits tell who can read a file.
const unixModes = true

// ownerOf returns the user id of a file's owner, if it is known.
func ownerOf(st fs.FileInfo) (id int, known bool) {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), true
	}
	return 0, false
}

// syncDir makes a rename or removal in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
