// Package album keeps verified pictures and clips as files: a directory per camera,
// and in it files whose names are made of what the camera sealed. Nothing that a broker,
// a topic or another camera says can choose a name, and nothing leads out of the
// directory.
//
// What this package does not do: it takes no plain bytes, only *seal.Verified
// (and, beside one, the message that it was opened from), and it deletes nothing.
package album

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The endings of what stands beside a picture.
const (
	SealedEnding = ".sealed" // in place of the media's ending: the message as it came
	ProofEnding  = ".proof"  // after the media's whole name
)

// ErrOther says that a name is taken by a file with other content.
var ErrOther = errors.New("there is another file of that name")

// Album is a directory of pictures.
type Album struct {
	root *os.Root
}

// Open opens the album in dir, and makes the directory if there is none.
func Open(dir string) (*Album, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Album{root}, nil
}

// Close lets go of the directory.
func (a *Album) Close() { _ = a.root.Close() }

// Save stores a picture, durably, and returns its name within the album. The
// message that it was opened from is stored beside it, unless sealed is nil.
func (a *Album) Save(v *seal.Verified, sealed []byte) (name string, err error) {
	camera, media := v.Media()
	dir := string(camera)
	if err := a.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	base := filepath.Join(dir, Name(v.Meta()))
	name = base + Ending(v.Meta().Media)
	if sealed != nil {
		if err := a.write(base+SealedEnding, sealed); err != nil {
			return "", err
		}
	}
	if err := a.write(name, media); err != nil {
		return "", err
	}
	return name, a.syncDir(dir)
}

// SaveSealed stores the message that v was opened from, durably, and without the
// picture: for parts of clips, which Films stores.
func (a *Album) SaveSealed(v *seal.Verified, sealed []byte) error {
	dir := string(v.Camera())
	if err := a.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := a.write(filepath.Join(dir, Name(v.Meta()))+SealedEnding, sealed); err != nil {
		return err
	}
	return a.syncDir(dir)
}

// Export stores a picture under base and its media's ending, at the top of the
// album, and its proof beside it. It replaces no file that holds something else
// (ErrOther). It returns the picture's name.
func (a *Album) Export(base string, v *seal.Verified) (name string, err error) {
	_, media := v.Media()
	name = base + Ending(v.Meta().Media)
	if err := a.writeNew(name, media); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if err := a.writeNew(name+ProofEnding, v.Proof()); err != nil {
		return "", fmt.Errorf("%s: %w", name+ProofEnding, err)
	}
	return name, a.syncDir(".")
}

// ExportFilm stores a film and its proof as Export does a picture.
func (a *Album) ExportFilm(f *clip.Film) (name string, err error) {
	m, _ := f.First()
	name = FilmName(f.Key(), m)
	if err := a.writeNewFrom(name, func(w io.Writer) error { _, err := f.WriteTo(w); return err }); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if err := a.writeNewFrom(name+ProofEnding, f.WriteProof); err != nil {
		return "", fmt.Errorf("%s: %w", name+ProofEnding, err)
	}
	return name, a.syncDir(".")
}

// writeNew is write for a name that is free, or holds the same already.
func (a *Album) writeNew(name string, data []byte) error {
	return a.writeNewFrom(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}

func (a *Album) writeNewFrom(name string, write func(io.Writer) error) error {
	f, err := a.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return a.writeFrom(name, write)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	there := &same{r: f}
	if err := write(there); err != nil {
		return err
	}
	if n, _ := f.Read(make([]byte, 1)); n > 0 {
		return ErrOther
	}
	return nil
}

// same is a Writer that takes only what stands in r already.
type same struct {
	r   io.Reader
	buf []byte
}

func (s *same) Write(b []byte) (int, error) {
	s.buf = append(s.buf[:0], b...)
	if _, err := io.ReadFull(s.r, s.buf); err != nil || !bytes.Equal(s.buf, b) {
		return 0, ErrOther
	}
	return len(b), nil
}

// Name names a picture so that names sort by time. A camera without a
// clock has its boot and its sequence instead.
func Name(m seal.Meta) string {
	when := fmt.Sprintf("boot-%x", m.Boot[:4])
	if m.Clock != seal.ClockNone && !m.Taken.IsZero() {
		when = m.Taken.UTC().Format("20060102T150405.000Z")
	}
	return fmt.Sprintf("%s-%s-%010d", when, m.Stream, m.Seq)
}

// Ending returns the ending for a media type; what is not known stays
// without meaning to other programs.
func Ending(media string) string {
	switch media {
	case "image/jpeg":
		return ".jpg"
	case "video/mp4":
		return ".mp4"
	}
	return ".bin"
}

// write stores a file durably and whole.
func (a *Album) write(name string, data []byte) error {
	return a.writeFrom(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// writeFrom is write for what is too large to be held in memory.
func (a *Album) writeFrom(name string, write func(io.Writer) error) error {
	part := name + ".part"
	f, err := a.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = a.root.Rename(part, name)
	}
	if err != nil {
		_ = a.root.Remove(part)
	}
	return err
}

func (a *Album) syncDir(dir string) error {
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
