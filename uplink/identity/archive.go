package identity

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Bounds of an archive: who has its code made it, and may have been somebody
// else.
const (
	maxArchived = 4096    // files
	maxUnpacked = 1 << 30 // bytes of all files
	maxDepth    = 4       // elements of a name
)

// ErrArchive says that something is not what a household was written into.
var ErrArchive = errors.New("not a household's archive")

// archived is one file of an archive.
type archived struct {
	name string // with slashes
	data []byte
}

// writeArchive writes files as a tar archive, encrypted under code.
func writeArchive(w io.Writer, code string, files []archived) error {
	body, err := seal.WriteBackup(w, code)
	if err != nil {
		return err
	}
	t := tar.NewWriter(body)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o600, Size: int64(len(f.data))}); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), body.Close())
}

// readArchive hands the files of an archive to each, in order.
func readArchive(r io.Reader, code string, each func(f archived) error) error {
	body, err := seal.ReadBackup(r, code)
	if err != nil {
		return err
	}
	bounded := &io.LimitedReader{R: body, N: maxUnpacked}
	if err := unpack(bounded, each); err != nil {
		return err
	}
	// All of it is genuine only once its end has been read.
	_, err = io.Copy(io.Discard, bounded)
	return err
}

// unpack reads a tar archive of regular files with harmless names.
func unpack(r io.Reader, each func(f archived) error) error {
	t := tar.NewReader(r)
	seen := map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, seal.ErrBackup) {
			return err
		}
		if err != nil {
			return fmt.Errorf("%w (%v)", ErrArchive, err)
		}
		switch {
		case h.Typeflag != tar.TypeReg || !harmless(h.Name) || seen[h.Name]:
			return fmt.Errorf("%w (it holds %.80q)", ErrArchive, h.Name)
		case h.Size > maxFile || len(seen) == maxArchived:
			return fmt.Errorf("%w (too large)", ErrArchive)
		}
		seen[h.Name] = true
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := each(archived{h.Name, data}); err != nil {
			return err
		}
	}
}

// harmless tells whether a name can only mean a file below the directory that is
// unpacked into, on every system.
func harmless(name string) bool {
	parts := strings.Split(name, "/")
	for _, p := range parts {
		if p == "" || len(p) > 80 || p[0] == '.' || p[len(p)-1] == '.' || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			return false
		}
	}
	return len(parts) <= maxDepth
}

// Export writes the whole household, keys and what its viewers here remember
// included, encrypted under code.
func (h *Household) Export(w io.Writer, code string) error {
	unlock, err := lock(h.dir, "household")
	if err != nil {
		return err
	}
	defer unlock()
	var files []archived
	err = filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(h.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !d.Type().IsRegular() || d.Name() == "lock" || strings.HasSuffix(name, ".new") || !harmless(name) {
			return nil
		}
		data, err := readFile(path)
		files = append(files, archived{name, data})
		return err
	})
	if err != nil {
		return err
	}
	return writeArchive(w, code, files)
}

// ErrRecoveryFile and ErrExportFile say that an archive is of the other kind.
var (
	ErrRecoveryFile = errors.New("this is a recovery file: sealcam household recover takes it")
	ErrExportFile   = errors.New("this is an export of a whole household: sealcam household import takes it")
)

// ImportHousehold makes the directory dir, which must not exist, into the
// household that Export wrote: it goes on exactly where that one was. Its roster
// may have been overtaken meanwhile, see TakeRoster.
func ImportHousehold(dir string, r io.Reader, code string) error {
	return makeWhole(dir, func(next string) error {
		err := readArchive(r, code, func(f archived) error {
			if f.name == recoveryKeyFile {
				return ErrRecoveryFile
			}
			path := filepath.Join(next, filepath.FromSlash(f.name))
			if err := makeDir(filepath.Dir(path)); err != nil {
				return err
			}
			return writeFile(path, f.data)
		})
		if err != nil {
			return err
		}
		if _, err := OpenHousehold(next, nil); err != nil {
			return fmt.Errorf("%w (%v)", ErrArchive, err)
		}
		return nil
	})
}

// makeWhole has fill make a directory that appears as dir once it is complete.
func makeWhole(dir string, fill func(next string) error) error {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s: exists already, and nothing is overwritten: give the name of a new directory", dir)
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	next, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err != nil {
		return err
	}
	if err := fill(next); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	return errors.Join(os.Rename(next, dir), syncDir(filepath.Dir(dir)))
}
