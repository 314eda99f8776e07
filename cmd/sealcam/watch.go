package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const watchText = `
Shows what the household's cameras send, one line each: pictures that were
verified, refusals with their reason, what is missing and what has come after all.

With --save, pictures of events and requests are stored in DIR/CAMERA under names
made of what the camera sealed, never of what a broker said; --live stores live
pictures too, --sealed keeps each message as it came beside its picture, so that
sealcam verify can check it again. What is stored is receipted, and the camera may
then make room.
`

// watchFlags is how "sealcam watch" was called.
type watchFlags struct {
	dir, name, broker string
	save              string
	live, sealed      bool
	asJSON            bool
	count             int
	span              time.Duration
}

// runWatch is "sealcam watch".
func runWatch(ctx context.Context, env *cli.Env, args []string) error {
	var f watchFlags
	fs := env.Flags("watch", "sealcam watch --household DIR [--viewer NAME] [--broker URL] [--save DIR [--live] [--sealed]] [--json] [--count N] [--for TIME]", watchText)
	fs.StringVar(&f.dir, "household", "", "the household's `directory`")
	fs.StringVar(&f.name, "viewer", "", "which viewer this is; the only one if empty")
	fs.StringVar(&f.broker, "broker", "", "the broker's `URL`; the household's own if empty")
	fs.StringVar(&f.save, "save", "", "`directory` in which verified pictures are stored")
	fs.BoolVar(&f.live, "live", false, "store live pictures too")
	fs.BoolVar(&f.sealed, "sealed", false, "store each message as it came, too")
	fs.BoolVar(&f.asJSON, "json", false, "one JSON object a line")
	fs.IntVar(&f.count, "count", 0, "end after this many verified pictures; 0 for never")
	fs.DurationVar(&f.span, "for", 0, "end after this long; 0 for never")
	rest, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return cli.Usagef("%q: sealcam watch takes flags only", rest[0])
	case f.dir == "":
		return cli.Usagef("--household is missing")
	case f.count < 0 || f.span < 0:
		return cli.Usagef("--count and --for are 0 or more")
	case f.save == "" && (f.live || f.sealed):
		return cli.Usagef("--live and --sealed go with --save")
	}
	if f.span > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.span)
		defer cancel()
	}
	return watch(ctx, env, f)
}

func watch(ctx context.Context, env *cli.Env, f watchFlags) error {
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	who, up, err := connect(f.dir, f.name, f.broker, log)
	if err != nil {
		return err
	}
	w := &watcher{env: env, flags: f, status: map[seal.CameraID]string{}, greeted: map[seal.CameraID]bool{}}
	if f.save != "" {
		if w.album, err = album.Open(f.save); err != nil {
			return err
		}
		defer w.album.Close()
	}
	v, err := viewer.New(viewer.Config{Identity: who, Feed: up, Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	w.head(who)
	err = v.Run(ctx, w.outcome)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // the person, or --for, ended it
	}
	return err
}

// watcher prints and stores Outcomes.
type watcher struct {
	env     *cli.Env
	flags   watchFlags
	album   *album.Album // nil without --save
	shown   int          // verified pictures
	status  map[seal.CameraID]string
	greeted map[seal.CameraID]bool
}

func (w *watcher) head(who *identity.Viewer) {
	if w.flags.asJSON {
		return
	}
	r := who.Roster()
	line := fmt.Sprintf("household %.8s..., viewer %s, %d %s", who.Household(), who.Name(), len(r.Cameras), plural(len(r.Cameras), "camera"))
	fmt.Fprintln(w.env.Stdout, w.env.Paint(cli.Faint, line))
}

// outcome tells of one Outcome. An error means that it was not handled, and
// ends the command.
func (w *watcher) outcome(o viewer.Outcome) error {
	var saved string
	if o.What == viewer.Verified && isPicture(o.Verified) {
		if w.album != nil && (w.flags.live || o.Verified.Meta().Stream == seal.Durable) {
			var message []byte
			if w.flags.sealed {
				message = o.Sealed
			}
			var err error
			if saved, err = w.album.Save(o.Verified, message); err != nil {
				return cli.Hint(fmt.Errorf("the picture could not be stored, and was not receipted: %w", err), "make room, or name another directory with --save")
			}
			saved = filepath.Join(w.flags.save, saved)
		}
		w.shown++
	}
	if err := w.print(o, saved); err != nil {
		return err
	}
	if w.flags.count > 0 && w.shown == w.flags.count {
		return viewer.ErrStop
	}
	return nil
}

func isPicture(m *seal.Verified) bool {
	kind := m.Meta().Kind
	return kind == seal.KindSnapshot || kind == seal.KindClip
}

func (w *watcher) print(o viewer.Outcome, saved string) error {
	if w.flags.asJSON {
		b, err := json.Marshal(describe(o, saved))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.env.Stdout, "%s\n", b)
		return err
	}
	line := w.line(o)
	if line == "" {
		return nil
	}
	if saved != "" {
		line += "  " + saved
	}
	_, err := fmt.Fprintln(w.env.Stdout, line)
	return err
}
