package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// album stores verified pictures: a directory per camera, and in it files whose
// names are made of what the camera sealed. Nothing that a broker, a topic or
// another camera says can choose a name, and nothing leads out of the
// directory.
type album struct {
	root *os.Root
}

func openAlbum(dir string) (*album, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &album{root}, nil
}

func (a *album) close() { _ = a.root.Close() }

// save stores the picture of a verified Outcome, durably, and returns its name
// within the album. With sealed, the message itself is stored beside it.
func (a *album) save(o viewer.Outcome, sealed bool) (name string, err error) {
	camera, media := o.Verified.Media()
	dir := string(camera)
	if err := a.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	base := filepath.Join(dir, pictureName(o.Verified.Meta()))
	name = base + extension(o.Verified.Meta().Media)
	if sealed {
		if err := a.write(base+".sealed", o.Sealed); err != nil {
			return "", err
		}
	}
	if err := a.write(name, media); err != nil {
		return "", err
	}
	return name, a.syncDir(dir)
}

// pictureName names a picture so that names sort by time. A camera without a
// clock has its boot and its sequence instead.
func pictureName(m seal.Meta) string {
	when := fmt.Sprintf("boot-%x", m.Boot[:4])
	if m.Clock != seal.ClockNone && !m.Taken.IsZero() {
		when = m.Taken.UTC().Format("20060102T150405.000Z")
	}
	return fmt.Sprintf("%s-%s-%010d", when, m.Stream, m.Seq)
}

// extension returns the ending for a media type; what is not known stays
// without meaning to other programs.
func extension(media string) string {
	switch media {
	case "image/jpeg":
		return ".jpg"
	case "video/mp4":
		return ".mp4"
	}
	return ".bin"
}

// write stores a file durably and whole.
func (a *album) write(name string, data []byte) error {
	part := name + ".part"
	f, err := a.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = a.root.Rename(part, name)
	}
	if err != nil {
		_ = a.root.Remove(part)
	}
	return err
}

func (a *album) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // has no way to flush a directory
	}
	d, err := a.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
