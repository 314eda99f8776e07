package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"syscall"
)

// directory is a directory as far as the store needs one, but for its index.
// Names are slash separated and relative. Tests put disks behind it that fill
// up, fail, or lose power between any two calls.
type directory interface {
	Create(name string) (file, error) // for writing; an error if name exists
	Open(name string, write bool) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	List(dir string) ([]string, error)
	Mkdir(dir string) error // that it exists is no error
	// SyncDir makes what was created, renamed and removed in dir survive a
	// power cut.
	SyncDir(dir string) error
	// Space returns the bytes that are free and that there are, 0 and 0 if the
	// system does not say.
	Space() (free, size int64)
	io.Closer
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Erase makes bytes zero and gives their room back, where the file system
	// can.
	Erase(at, n int64) error
	Sync() error
}

// disk is a directory of this machine. Nothing outside is touched, whatever
// links somebody has put inside.
type disk struct {
	*os.Root
	path string
}

func openDisk(dir string) (disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return disk{}, err
	}
	root, err := os.OpenRoot(dir)
	return disk{root, dir}, err
}

func (d disk) Create(name string) (file, error) {
	return wrap(d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

func (d disk) Open(name string, write bool) (file, error) {
	if write {
		return wrap(d.OpenFile(name, os.O_RDWR, 0))
	}
	return wrap(d.Root.Open(name))
}

func (d disk) List(dir string) ([]string, error) {
	f, err := d.Root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d disk) Mkdir(dir string) error {
	if err := d.Root.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
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
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system has nothing to sync
		return err
	}
	return nil
}

func (d disk) Space() (free, size int64) { return space(d.path) }

type diskFile struct{ *os.File }

func wrap(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a file", f.Name())
	}
	return info.Size(), nil
}

func (f diskFile) Erase(at, n int64) error {
	if err := punch(f.File, at, n); err == nil {
		return nil
	}
	return overwrite(f, at, n) // a file system without holes
}

// overwrite makes bytes zero.
func overwrite(f io.WriterAt, at, n int64) error {
	zeros := make([]byte, min(n, 1<<16))
	for n > 0 {
		m, err := f.WriteAt(zeros[:min(n, int64(len(zeros)))], at)
		if err != nil {
			return err
		}
		at, n = at+int64(m), n-int64(m)
	}
	return nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// writeDurably makes b the content of name, at once and to stay, with a
// checksum behind it: after a power cut there is the file before or this one.
func writeDurably(d directory, name string, b []byte) error {
	temp := name + tempFile
	b = fmt.Appendf(b[:len(b):len(b)], "%08x\n", crc32.Checksum(b, castagnoli()))
	_ = d.Remove(temp) // left by a power cut
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.Rename(temp, name)
	}
	if err != nil {
		_ = d.Remove(temp)
		return err
	}
	return d.SyncDir(path.Dir(name))
}

// readWhole returns what writeDurably wrote. Damage is ErrDamaged.
func readWhole(d directory, name string, most int64) ([]byte, error) {
	f, err := d.Open(name, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	const sum = 9
	if size < sum || size > most+sum {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, name, size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	b, tail := b[:size-sum], b[size-sum:]
	if string(tail) != fmt.Sprintf("%08x\n", crc32.Checksum(b, castagnoli())) {
		return nil, fmt.Errorf("%w: %s does not fit its checksum", ErrDamaged, name)
	}
	return b, nil
}

const tempFile = ".new"

// Error says what a disk refused. errors.Is finds ErrFull.
type Error struct {
	Op  string
	Err error
}

func (e *Error) Error() string { return "store: " + e.Op + ": " + e.Err.Error() }

// Unwrap lets errors.Is find the reason.
func (e *Error) Unwrap() []error {
	if errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT) {
		return []error{ErrFull, e.Err}
	}
	return []error{e.Err}
}

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e, ErrFull):
		return "free space on the keeper's disk, or keep less (age and bytes per household); it goes on by itself"
	case errors.Is(e, syscall.EROFS):
		return "mount the disk for writing; one that turned read-only by itself fails: replace it"
	case errors.Is(e, ErrDamaged):
		return "stop the keeper and run sealcam keep check --repair: it repairs, says what was lost, and the keeper asks the cameras for it"
	case errors.Is(e, ErrNewer):
		return "run the sealcam that wrote it, or a newer one"
	}
	return "check the disk, its mount and the directory's owner; the kernel's log says more"
}

// failure wraps an error of the disk; nil stays nil, and what is wrapped
// already stays as it is.
func failure(op string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Err: err}
}
