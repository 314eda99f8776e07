package fleet

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/uplink"
)

// lightDisk is a camera's directory without an open file of its own, and without
// directories below it: of ten thousand cameras, a file that each keeps open is
// half of what a process may have, and the spool's 64 directories are as many
// more. Names with a slash are files with a comma.
type lightDisk string

// openDisk is uplink.Config.Disk.
func openDisk(dir string) (uplink.Disk, error) {
	return lightDisk(dir), os.MkdirAll(dir, 0o700)
}

func (d lightDisk) path(name string) string {
	return filepath.Join(string(d), strings.ReplaceAll(name, "/", ","))
}

func (d lightDisk) Create(name string) (uplink.DiskFile, error) {
	return os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d lightDisk) Read(name string, max int64) ([]byte, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s: not a file of at most %d bytes", name, max)
	}
	return b, err
}

func (d lightDisk) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d lightDisk) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d lightDisk) Mkdir(string) error           { return nil }
func (d lightDisk) SyncDir(string) error         { return nil }
func (d lightDisk) Close() error                 { return nil }

func (d lightDisk) List(dir string) (names []string, err error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Readdirnames(-1)
	for _, name := range all {
		if rest, ok := strings.CutPrefix(name, dir+","); ok {
			names = append(names, rest)
		}
	}
	return names, err
}
