package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// films are the clips whose parts are coming in, to be stored.
type films struct {
	dir  string // "" stores nothing
	open map[clip.Key]*clip.Film
}

// add takes a verified part, and stores the film that it makes whole.
func (f *films) add(v *seal.Verified) error {
	k, ok := clip.KeyOf(v)
	if !ok || f.dir == "" {
		return nil
	}
	if f.open[k] == nil {
		f.open[k] = clip.New(k)
	}
	if err := f.open[k].Add(v); err != nil {
		return err
	}
	if !f.open[k].Whole() {
		return nil
	}
	return f.store(k)
}

// close stores what has come of films that are not whole.
func (f *films) close() (err error) {
	for k := range f.open {
		err = errors.Join(err, f.store(k))
	}
	return err
}

func (f *films) store(k clip.Key) error {
	film := f.open[k]
	delete(f.open, k)
	m, ok := film.First()
	if !ok {
		return nil
	}
	out, err := os.OpenFile(filepath.Join(f.dir, filmName(m)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = film.WriteTo(out)
	return errors.Join(err, out.Close())
}

// filmName names a film by what its first part says.
func filmName(m seal.Meta) string {
	return fmt.Sprintf("%s-clip-%d.mp4", m.Taken.UTC().Format("20060102T150405.000Z"), m.Event)
}
