package spool

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

// FS is a directory, as far as the spool needs one. Names are slash separated
// and relative. Tests put disks behind it that fill up, go read-only, or lose
// power between any two calls.
type FS interface {
	// Create makes a new file for writing; it is an error if name exists.
	Create(name string) (File, error)
	// Read returns the whole file. Files above max bytes are an error.
	Read(name string, max int64) ([]byte, error)
	// Rename replaces what is at to, at once or not at all.
	Rename(from, to string) error
	Remove(name string) error
	// List returns the names in dir, in no order.
	List(dir string) ([]string, error)
	// Mkdir makes a directory; that it exists is no error.
	Mkdir(dir string) error
	// SyncDir makes what was created, renamed and removed in dir survive a
	// power cut.
	SyncDir(dir string) error
	io.Closer
}

// File is a file being written.
type File interface {
	io.WriteCloser
	// Sync makes what was written survive a power cut. The name does so only
	// with FS.SyncDir.
	Sync() error
}

// Disk returns the directory dir of this machine, made if missing. Nothing
// outside it is ever touched, whatever links somebody has put inside.
func Disk(dir string) (FS, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failure("make", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure("open", err)
	}
	return disk{root}, nil
}

type disk struct{ *os.Root }

func (d disk) Create(name string) (File, error) {
	return d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d disk) Read(name string, max int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > max {
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", name, max)
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

func (d disk) List(dir string) ([]string, error) {
	f, err := d.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
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
	f, err := d.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system has nothing to sync
		return err
	}
	return nil
}

// writeDurably makes b the content of name, at once and to stay: after a power
// cut there is the file before or this one. A half-written file is left at
// temp only by a power cut.
func writeDurably(f FS, temp, name string, b []byte) error {
	err := writeFile(f, temp, b)
	if err == nil {
		err = f.Rename(temp, name)
	}
	if err != nil {
		_ = f.Remove(temp)
		return err
	}
	return f.SyncDir(path.Dir(name))
}

func writeFile(f FS, name string, b []byte) error {
	w, err := f.Create(name)
	if errors.Is(err, fs.ErrExist) { // left by a power cut
		if err = f.Remove(name); err == nil {
			w, err = f.Create(name)
		}
	}
	if err != nil {
		return err
	}
	if _, err = w.Write(b); err == nil {
		err = w.Sync()
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// The reasons for which a disk does not take a message.
var (
	ErrFull     = errors.New("disk is full")
	ErrReadOnly = errors.New("disk is read-only")
	ErrDisk     = errors.New("disk fails")
	ErrBudget   = errors.New("spool is full of what is more important")
	ErrCorrupt  = errors.New("stored message is damaged")
)

// Error says what the disk refused. errors.Is finds its Reason.
type Error struct {
	Reason error // one of the reasons above
	Op     string
	Err    error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("spool: %s: %v", e.Op, e.Reason)
	}
	return fmt.Sprintf("spool: %s: %v: %v", e.Op, e.Reason, e.Err)
}

// Unwrap lets errors.Is find the reason, and errors.As the cause.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	switch e.Reason {
	case ErrFull:
		return "free space on the spool's disk, or lower the spool's byte budget below what is free"
	case ErrReadOnly:
		return "mount the disk for writing; a card that turned read-only by itself is worn out: replace it"
	case ErrBudget:
		return "raise the spool's byte budget, or find out why nothing is delivered"
	}
	return "check the card or disk and its mount, and the directory's owner; the kernel's log says more"
}

// failure wraps an error of the disk; nil stays nil, and what is wrapped
// already stays as it is.
func failure(op string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	reason := ErrDisk
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		reason = ErrFull
	case errors.Is(err, syscall.EROFS):
		reason = ErrReadOnly
	}
	return &Error{Reason: reason, Op: op, Err: err}
}
