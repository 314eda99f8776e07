package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/uplink/seal"
)

// maxFile bounds every file this package reads, in bytes. The largest is what
// a viewer remembers of its cameras.
const maxFile = seal.MaxState

// PermissionError says that a secret can be read, or replaced, by somebody
// else on this machine.
type PermissionError struct {
	Path string
	Mode fs.FileMode // permission bits found
	Want fs.FileMode // permission bits that are enough
}

func (e *PermissionError) Error() string {
	if e.Want&0o100 != 0 {
		return fmt.Sprintf("%s: other users of this machine could replace the keys in this directory (mode %04o)", e.Path, e.Mode)
	}
	return fmt.Sprintf("%s: this secret can be read by other users of this machine (mode %04o)", e.Path, e.Mode)
}

// Hint returns the command to type.
func (e *PermissionError) Hint() string {
	return fmt.Sprintf("chmod %03o %s", e.Want, shellQuoted(e.Path))
}

// OwnerError is a secret of another user, met by root, who alone could read it.
// What root writes beside it its owner could not read any more.
type OwnerError struct {
	Path  string
	Owner int // user id
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("%s: this secret belongs to another user (id %d)", e.Path, e.Owner)
}

// Hint says what to type.
func (e *OwnerError) Hint() string {
	return fmt.Sprintf("do it as that user: sudo -u '#%d' and the same command", e.Owner)
}

// writeFile replaces the file at path durably: after a power cut it has the
// old content or the new. Only one process at a time may write a path. The
// file is for its owner's eyes only.
func writeFile(path string, data []byte) error {
	next := path + ".new"
	if err := writeSynced(next, data); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeSynced writes data to a file of its own. One left over by a power cut
// is removed first, and with it whatever mode it had.
func writeSynced(path string, data []byte) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// readFile reads a file of at most maxFile bytes. An absent file is
// fs.ErrNotExist.
func readFile(path string) ([]byte, error) { return read(path, false) }

// readSecret reads like readFile and refuses a file that others can read
// (*PermissionError), or that belongs to another user (*OwnerError).
func readSecret(path string) ([]byte, error) { return read(path, true) }

func read(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if mode := st.Mode().Perm(); secret && unixModes && mode&0o077 != 0 {
		return nil, &PermissionError{Path: path, Mode: mode, Want: 0o600}
	}
	if owner, known := ownerOf(st); secret && known && owner != os.Geteuid() {
		return nil, &OwnerError{Path: path, Owner: owner}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d MiB, which none of these files is", path, maxFile>>20)
	}
	return data, nil
}

// makeDir makes a directory that only its owner can enter, with its parents,
// durably. An existing one is left as it is.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// checkDir refuses a directory in which other users could replace a key.
func checkDir(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("%s: not a directory", dir)
	}
	if mode := st.Mode().Perm(); unixModes && mode&0o022 != 0 {
		return &PermissionError{Path: dir, Mode: mode, Want: 0o700}
	}
	return nil
}

// remove deletes files durably; absent ones are fine.
func remove(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(dir)
}

// overwrite replaces the content of a file in its place, durably, by zeros. What
// is absent, or is no file, is left alone.
func overwrite(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, zeros{}, st.Size())
	return errors.Join(err, f.Sync(), f.Close())
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// shellQuoted writes a path so that a shell takes it as one word.
func shellQuoted(path string) string {
	plain := true
	for _, r := range path {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '_' || r == '-' || r == '\\' || r == ':') {
			plain = false
		}
	}
	if plain && path != "" {
		return path
	}
	quoted := "'"
	for _, r := range path {
		if r == '\'' {
			quoted += `'\''`
			continue
		}
		quoted += string(r)
	}
	return quoted + "'"
}
