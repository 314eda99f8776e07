package slot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"syscall"
)

// FS is the directory of the slots, as far as this package needs one. Names are
// slash separated and relative. Tests put disks behind it that fail, or lose
// power, between any two calls.
type FS interface {
	// Create makes a new file for writing, which its owner may execute; it is an
	// error if name exists.
	Create(name string) (File, error)
	// Open reads a regular file.
	Open(name string) (io.ReadCloser, error)
	// Rename replaces what is at to, at once or not at all.
	Rename(from, to string) error
	// Remove removes a file; that it does not exist is an error.
	Remove(name string) error
	// Mkdir makes a directory; that it exists is no error.
	Mkdir(dir string) error
	// SyncDir makes what was created, renamed and removed in dir survive a power cut.
	SyncDir(dir string) error
	// Lock keeps other processes from changing anything until unlock is called.
	Lock() (unlock func() error, err error)
}

// File is a file being written.
type File interface {
	io.WriteCloser
	// Sync makes what was written survive a power cut. The name does so only
	// with FS.SyncDir.
	Sync() error
}

type disk struct{ *os.Root }

func (d disk) Create(name string) (File, error) {
	return d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
}

func (d disk) Open(name string) (io.ReadCloser, error) {
	f, err := d.Root.OpenFile(name, os.O_RDONLY|nonblock, 0) // a FIFO in its place must not keep a camera from starting
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file", name))
	}
	return f, nil
}

func (d disk) Mkdir(dir string) error {
	err := d.Root.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (d disk) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	f, err := d.Root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system has nothing to sync
		return err
	}
	return nil
}

// read returns the whole of a small file.
func read(f FS, name string) ([]byte, error) {
	r, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		err = errRecord
	}
	return b, err
}

// write makes what from has the content of name, at once and to stay: after a
// power cut there is the file before or this one. It copies until the end of from.
func write(f FS, name string, from io.Reader) error {
	temp := name + ".new"
	err := fill(f, temp, from)
	if err == nil {
		err = f.Rename(temp, name)
	}
	if err != nil {
		_ = f.Remove(temp) // it may have its name already, or none
		return err
	}
	return f.SyncDir(path.Dir(name))
}

func fill(f FS, name string, from io.Reader) error {
	w, err := f.Create(name)
	if errors.Is(err, fs.ErrExist) { // left by a power cut
		if err = f.Remove(name); err == nil {
			w, err = f.Create(name)
		}
	}
	if err != nil {
		return err
	}
	if _, err = io.Copy(struct{ io.Writer }{w}, from); err == nil {
		err = w.Sync()
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// forget removes name, if it is there, to stay away.
func forget(f FS, name string) error {
	err := f.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.SyncDir(path.Dir(name))
}
