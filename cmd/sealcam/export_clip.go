package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// sealedFiles returns files, with the sealed ones in each that is a directory in
// its place.
func sealedFiles(files []string) (all []string, err error) {
	for _, file := range files {
		if st, err := os.Stat(file); file == "-" || err != nil || !st.IsDir() {
			all = append(all, file)
			continue
		}
		in, err := os.ReadDir(file) // sorted
		if err != nil {
			return nil, err
		}
		n := len(all)
		for _, e := range in {
			if strings.HasSuffix(e.Name(), album.SealedEnding) {
				all = append(all, filepath.Join(file, e.Name()))
			}
		}
		if len(all) == n {
			return nil, cli.Hint(fmt.Errorf("%s: no %s files in it", file, album.SealedEnding), "sealcam watch keeps them with --save DIR --sealed, in DIR/CAMERA")
		}
	}
	return all, nil
}

// outFor is where what file holds is exported to.
func outFor(out, file string) string {
	switch {
	case out != "":
		return out
	case file == "-":
		return "."
	}
	return filepath.Dir(file)
}

// exportFilm is a clip that is exported: its parts stand in a file without a name
// for anybody else until all have been read.
type exportFilm struct {
	out   string
	film  *clip.Film
	store *os.File
}

// part takes a part for its film.
func (e *exporter) part(file string, v *seal.Verified) error {
	k, _ := clip.KeyOf(v)
	i := slices.IndexFunc(e.films, func(f exportFilm) bool { return f.film.Key() == k })
	if i < 0 {
		out := outFor(e.out, file)
		if err := os.MkdirAll(out, 0o700); err != nil {
			return err
		}
		store, err := os.CreateTemp(out, ".sealcam-export-")
		if err != nil {
			return err
		}
		i, e.films = len(e.films), append(e.films, exportFilm{out, clip.NewOn(k, store), store})
	}
	err := e.films[i].film.Add(v)
	if errors.Is(err, clip.ErrPart) {
		e.refused = true
		fmt.Fprintf(e.env.Stdout, "%s   %s  %v\n", e.env.Paint(cli.Bad, "refused"), file, err)
		return nil
	}
	return err
}

// clips writes the films, and tells where they are.
func (e *exporter) clips() error {
	for _, f := range e.films {
		if len(f.film.Parts()) == 0 {
			continue // none was good
		}
		name, err := exportOne(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.out, err)
		}
		style, verdict := cli.Good, "exported"
		if !f.film.Whole() {
			style, verdict = cli.Warn, "partial "
		}
		fmt.Fprintf(e.env.Stdout, "%s  %s  %s, %s\n          %s\n", e.env.Paint(style, verdict), name, e.label(f.film.Key().Camera), printable(f.film.Words(), 300), name+album.ProofEnding)
	}
	return nil
}

func exportOne(f exportFilm) (name string, err error) {
	to, err := album.Open(f.out)
	if err != nil {
		return "", err
	}
	defer to.Close()
	if name, err = to.ExportFilm(f.film); errors.Is(err, album.ErrOther) {
		err = cli.Hint(err, "give a new directory with --out")
	}
	return filepath.Join(f.out, name), err
}

// label is what the household calls a camera.
func (e *exporter) label(id seal.CameraID) string {
	if c, ok := e.who.Roster().Camera(id); ok && c.Name != "" {
		return c.Name
	}
	return string(id)
}

// close removes what the films were made of.
func (e *exporter) close() {
	for _, f := range e.films {
		_ = f.store.Close()
		_ = os.Remove(f.store.Name())
	}
}
