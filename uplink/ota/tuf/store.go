package tuf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// store is a directory of files that are written whole: after a power cut there
// is the file before or the new one.
type store string

// read returns the file called name, of at most max bytes. An absent file is
// fs.ErrNotExist.
func (s store) read(name string, max int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(s), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s has more than %d bytes", name, max)
	}
	return b, err
}

// write makes b the content of the file called name, to stay.
func (s store) write(name string, b []byte) error {
	path := filepath.Join(string(s), name)
	err := writeSynced(path+".new", b)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = s.sync()
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return &Error{What: name, Reason: ErrStore, Err: err}
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove removes the file called name, if it is there.
func (s store) remove(name string) error {
	err := os.Remove(filepath.Join(string(s), name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Error{What: name, Reason: ErrStore, Err: err}
	}
	return nil
}

// sync makes what was made, renamed and removed survive a power cut.
func (s store) sync() error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	d, err := os.Open(string(s))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system has nothing to sync
		return err
	}
	return nil
}
