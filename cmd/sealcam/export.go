package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const exportText = `
Opens sealed files and writes for each the plain media, and beside it a proof with
which anybody can check, without any key, that this camera sealed exactly these
bytes:

  sealcam verify --proof FILE.jpg.proof FILE.jpg

Parts of a clip become one MP4 together, with one proof of all of them. FILE may be
a directory, such as one of sealcam watch --save --sealed: all sealed files in it,
or with --event those of one event.

Both stand beside FILE, or in --out. Whoever gets them learns what can be seen and
all that the camera said about it: its id, the household's id, when, why, in which
light, what was recognised. It shows nothing about any other picture. Whose camera
it is, and where it hangs, a proof does not show.
`

// runExport is "sealcam export".
func runExport(_ context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("export", "sealcam export --household DIR [--viewer NAME] [--camera CAMERA] [--event N] [--out DIR] FILE.sealed|DIR...", exportText)
	dir := fs.String("household", "", "the household's `directory`")
	name := fs.String("viewer", "", "as which viewer; the only one if empty")
	camera := fs.String("camera", "", "id or name of the `camera` that the files must be of; any of the household's if empty")
	out := fs.String("out", "", "`directory` to write into; that of FILE if empty")
	event := fs.Uint64("event", 0, "only what is of the event of this `number`; 0 for all")
	files, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case *dir == "":
		return cli.Usagef("--household is missing")
	case len(files) == 0:
		return cli.Usagef("no FILE to export")
	}
	who, err := identity.OpenViewer(*dir, *name)
	if err != nil {
		return hintNoHousehold(*dir, err)
	}
	var expected seal.CameraID
	if *camera != "" {
		c, err := findCamera(who.Roster(), *camera)
		if err != nil {
			return err
		}
		expected = c.ID
	}
	if files, err = sealedFiles(files); err != nil {
		return err
	}
	e := &exporter{env: env, who: who, camera: expected, event: *event, out: *out}
	defer e.close()
	for _, file := range files {
		if err := e.file(file); err != nil {
			return err
		}
	}
	if err := e.clips(); err != nil {
		return err
	}
	if e.refused {
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return nil
}

// exporter is a run of sealcam export.
type exporter struct {
	env     *cli.Env
	who     *identity.Viewer
	camera  seal.CameraID // "" for any
	event   uint64        // 0 for any
	out     string
	refused bool
	films   []exportFilm
}

// file exports one sealed file, or takes it for a film.
func (e *exporter) file(file string) error {
	b, err := readBounded(e.env.Stdin, file, seal.MaxSealed)
	if err != nil {
		return err
	}
	v, err := openExport(e.who, e.camera, b)
	if err != nil {
		e.refused = true
		tellRefusal(e.env, file, err)
		return nil
	}
	if m := v.Meta(); e.event != 0 && m.Event != e.event {
		return nil
	}
	if _, ok := clip.KeyOf(v); ok {
		return e.part(file, v)
	}
	return writeExport(e.env, e.who, file, e.out, v)
}

// openExport opens a message as of the time when it was good: a proof says what
// was sealed, and not that it is now. Without an expected camera it is the one
// that the message itself names, and what is written is told to be of that one.
func openExport(who *identity.Viewer, expected seal.CameraID, b []byte) (*seal.Verified, error) {
	visible, err := seal.Peek(b)
	if err != nil {
		return nil, err
	}
	if expected == "" {
		expected = visible.Camera
	}
	now := func() time.Time {
		if visible.Expires.IsZero() {
			return time.Now()
		}
		return visible.Expires.Add(-time.Nanosecond)
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: who.Household(), Roster: who.Roster(), Key: who.Key(), Now: now})
	if err != nil {
		return nil, err
	}
	return opener.Check(expected, b)
}

// writeExport writes media and proof, and tells where they are. It replaces no
// file that holds something else.
func writeExport(env *cli.Env, who *identity.Viewer, file, out string, v *seal.Verified) error {
	camera, media := v.Media()
	if len(media) == 0 {
		return fmt.Errorf("%s: a message of kind %s without media: there is nothing to publish", file, v.Meta().Kind)
	}
	base := album.Name(v.Meta())
	if file != "-" {
		base = strings.TrimSuffix(filepath.Base(file), album.SealedEnding)
	}
	out = outFor(out, file)
	to, err := album.Open(out)
	if err != nil {
		return err
	}
	defer to.Close()
	picture, err := to.Export(base, v)
	if errors.Is(err, album.ErrOther) {
		err = cli.Hint(err, "give a new directory with --out")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	label := ""
	if c, ok := who.Roster().Camera(camera); ok {
		label = c.Name
	}
	fmt.Fprintf(env.Stdout, "%s  %s  %s\n          %s\n", env.Paint(cli.Good, "exported"), filepath.Join(out, picture), verifiedWords(v, label), filepath.Join(out, picture+album.ProofEnding))
	return nil
}
