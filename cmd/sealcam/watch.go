package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
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

Parts of a clip have one line together: when the last has come, or when no more do.
It says how many there are, from how long before the event, and which are missing;
if those come after all, another line says so.

What was sealed while this viewer was away comes from the household's keeper, where
there is one, in the order in which it happened. With --keeper nothing but that
keeper is used: no broker has to be reached.

With --view, a camera shows live view for as long as this runs: a line each second
says how much of it was verified, each frame proven to be of now.

With --save, pictures of events and requests are stored in DIR/CAMERA under names
made of what the camera sealed, never of what a broker said, and clips as one MP4
each, with its proof for sealcam verify. --live stores live pictures too, and frames
of live view; --sealed keeps each message as it came, so that sealcam verify can
check it again. What is stored is receipted, and the camera may then make room.
`

// watchFlags is how "sealcam watch" was called.
type watchFlags struct {
	dir, name    string
	ways         ways
	save, view   string
	live, sealed bool
	asJSON       bool
	count        int
	span         time.Duration
}

// runWatch is "sealcam watch".
func runWatch(ctx context.Context, env *cli.Env, args []string) error {
	var f watchFlags
	fs := env.Flags("watch", "sealcam watch --household DIR [--viewer NAME] [--broker URL] [--keeper URL [--since TIME]] [--view CAMERA] [--save DIR [--live] [--sealed]] [--json] [--count N] [--for TIME]", watchText)
	fs.StringVar(&f.dir, "household", "", "the household's `directory`")
	fs.StringVar(&f.name, "viewer", "", "which viewer this is; the only one if empty")
	f.ways.flags(fs)
	f.ways.sinceFlag(fs)
	fs.StringVar(&f.view, "view", "", "name or id of a `camera` whose live view is wanted")
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
	f.ways.view = f.view != ""
	who, up, err := f.ways.open(f.dir, f.name, log)
	if err != nil {
		return err
	}
	w := &watcher{env: env, flags: f, status: map[seal.CameraID]string{}, greeted: map[seal.CameraID]bool{}, codes: map[seal.CameraID]uint64{}}
	if w.camera, err = cameraOf(who.Roster(), f.view); err != nil {
		return err
	}
	if f.save != "" {
		if w.album, err = album.Open(f.save); err != nil {
			return err
		}
		defer w.album.Close()
	}
	if w.films, err = w.album.Films(false); err != nil {
		return err
	}
	v, err := viewer.New(viewer.Config{Identity: who, Feed: up, Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	w.head(who)
	w.roster = v.Roster
	err = w.run(ctx, v)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // the person, or --for, ended it
	}
	return err
}

// watcher prints and stores Outcomes.
type watcher struct {
	env    *cli.Env
	flags  watchFlags
	album  *album.Album // nil without --save
	roster func() *seal.Roster
	camera seal.RosterCamera // whose live view is wanted; none without --view

	mu      sync.Mutex // guards what follows
	films   *album.Films
	shown   int // verified pictures
	status  map[seal.CameraID]string
	greeted map[seal.CameraID]bool
	codes   map[seal.CameraID]uint64 // refused before this watch began
	tally   tally
}

// run watches until ctx ends, or enough was seen, and then tells of clips that
// are still on their way.
func (w *watcher) run(ctx context.Context, v *viewer.Viewer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ticked := make(chan struct{})
	go func() {
		defer close(ticked)
		if err := w.tickLoop(ctx); err != nil {
			stop(err)
		}
	}()
	viewed := make(chan struct{})
	go func() {
		defer close(viewed)
		w.view(ctx, v)
	}()
	err := v.Run(ctx, w.outcome)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	stop(nil)
	<-ticked
	<-viewed
	w.mu.Lock()
	defer w.mu.Unlock()
	told, closeErr := w.films.Close()
	return errors.Join(err, closeErr, w.tellClips(told))
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
	w.mu.Lock()
	defer w.mu.Unlock()
	var saved string
	if isView(o) {
		return w.viewed(o)
	}
	if o.What == viewer.Verified && isPart(o.Verified) {
		return w.part(o)
	}
	if o.What == viewer.Verified && isPicture(o.Verified) {
		if w.album != nil && (w.flags.live || o.Verified.Meta().Stream == seal.Durable) {
			var message []byte
			if w.flags.sealed {
				message = o.Sealed
			}
			var err error
			if saved, err = w.album.Save(o.Verified, message); err != nil {
				return notStored(err)
			}
			saved = filepath.Join(w.flags.save, saved)
		}
		w.shown++
	}
	if err := w.print(o, saved); err != nil {
		return err
	}
	return w.enough()
}

// isPart reports whether m is a part of an event's clip.
func isPart(m *seal.Verified) bool {
	meta := m.Meta()
	return meta.Kind == seal.KindClip && meta.Stream == seal.Durable
}

func notStored(err error) error {
	return cli.Hint(fmt.Errorf("the picture could not be stored, and was not receipted: %w", err), "make room, or name another directory with --save")
}

// enough returns viewer.ErrStop when --count is reached.
func (w *watcher) enough() error {
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
		return w.printJSON(describe(o, saved))
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
