package desired

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a Memory at a path.
type File string

// maxRecord bounds what is read, in bytes: all bodies in base64, and the rest.
const maxRecord = 2 * maxBodies

// Load implements Memory.
func (f File) Load() ([]byte, error) {
	r, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		return nil, fmt.Errorf("%s: larger than %d MiB, which it never is", string(f), maxRecord>>20)
	}
	return b, err
}

// Store implements Memory: a new file takes the place of the old one.
func (f File) Store(b []byte) error {
	next := string(f) + ".new"
	w, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if err = errors.Join(err, w.Sync(), w.Close()); err == nil {
		err = os.Rename(next, string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	d, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
