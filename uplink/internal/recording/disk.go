package recording

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
)

// FS is a directory of segments, as far as a Store needs one. Tests put disks
// behind it that fill up, go read-only, or lose power between any two calls.
type FS interface {
	// Create makes a new file for writing; it is an error if name exists.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (Reader, error)
	// Truncate shortens a file to size bytes and makes that survive a power cut.
	Truncate(name string, size int64) error
	Remove(name string) error
	// List returns at most max names, in no order.
	List(max int) ([]string, error)
	// Sync makes what was created and removed survive a power cut.
	Sync() error
	io.Closer
}

// File is a segment being written.
type File interface {
	io.WriteCloser
	// Sync makes what was written survive a power cut; the name does so only with
	// FS.Sync.
	Sync() error
}

// Reader is a segment being read.
type Reader interface {
	io.ReaderAt
	io.Closer
	// Size returns how many bytes the file has.
	Size() (int64, error)
}

// Disk returns the directory name within dir, made if missing. That dir itself is
// not there is an error: a card that is not in its slot must not become a
// directory on the flash behind it. Nothing outside is ever touched, whatever
// links somebody has put inside.
func Disk(dir, name string) (FS, error) {
	above, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure("open", err)
	}
	defer above.Close()
	if err := above.Mkdir(name, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, failure("make", err)
	}
	root, err := above.OpenRoot(name)
	if err != nil {
		return nil, failure("open", err)
	}
	return disk{root}, nil
}

type disk struct{ *os.Root }

func (d disk) Create(name string) (File, error) {
	return d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d disk) Open(name string) (Reader, error) {
	// Not to be held up by a pipe that somebody has put there.
	f, err := d.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return reader{f}, nil
}

type reader struct{ *os.File }

func (r reader) Size() (int64, error) {
	info, err := r.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d disk) Truncate(name string, size int64) error {
	f, err := d.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

func (d disk) List(max int) ([]string, error) {
	f, err := d.Root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(max)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}

func (d disk) Sync() error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	f, err := d.Root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system has nothing to sync
		return err
	}
	return nil
}

// The reasons for which a disk keeps no recording.
var (
	ErrFull     = errors.New("disk is full")
	ErrReadOnly = errors.New("disk is read-only")
	ErrDisk     = errors.New("disk fails")
)

// Error says what the disk refused. errors.Is finds its Reason.
type Error struct {
	Reason error // one of the reasons above
	Op     string
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("recording: %s: %v: %v", e.Op, e.Reason, e.Err) }

// Unwrap lets errors.Is find the reason, and errors.As the cause.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	switch e.Reason {
	case ErrFull:
		return "free space on the recording's disk, or lower recording.budget below what is free"
	case ErrReadOnly:
		return "mount the disk for writing; a card that turned read-only by itself is worn out: replace it"
	}
	return "check the card or disk and its mount, and recording.directory and its owner; the kernel's log says more"
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
