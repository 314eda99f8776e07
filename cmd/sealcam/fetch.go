package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

const fetchText = `
Gets what a camera has recorded between two times, checks it part by part, and
writes one MP4. What is missing is said, by time and with its reason.

Times are local: "14:05" or "14:05:30" (the last time it was that late),
"2026-11-22 14:05:30", "-10m" (ago), "now".

The camera records when its settings say so ([recording] in sealcamd.toml). What it
sends comes behind all else that it has to send. A newer fetch, of any viewer,
replaces an older one.
`

// fetchFlags is how "sealcam fetch" was called.
type fetchFlags struct {
	dir, name, broker, camera string
	from, to                  string
	save                      string
	patience                  time.Duration
}

// runFetch is "sealcam fetch".
func runFetch(ctx context.Context, env *cli.Env, args []string) error {
	var f fetchFlags
	fs := env.Flags("fetch", "sealcam fetch --household DIR --camera NAME --from TIME --to TIME [--save FILE.mp4] [--viewer NAME] [--broker URL] [--timeout TIME]", fetchText)
	fs.StringVar(&f.dir, "household", "", "the household's `directory`")
	fs.StringVar(&f.name, "viewer", "", "which viewer this is; the only one if empty")
	fs.StringVar(&f.broker, "broker", "", "the broker's `URL`; the household's own if empty")
	fs.StringVar(&f.camera, "camera", "", "the camera's `name` or id")
	fs.StringVar(&f.from, "from", "", "`time` of the first picture")
	fs.StringVar(&f.to, "to", "now", "`time` of the last picture")
	fs.StringVar(&f.save, "save", "", "`file` to write; one named after the time if empty")
	fs.DurationVar(&f.patience, "timeout", time.Minute, "give up when nothing has come for this long")
	rest, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return cli.Usagef("%q: sealcam fetch takes flags only", rest[0])
	case f.dir == "" || f.camera == "" || f.from == "":
		return cli.Usagef("--household, --camera and --from are needed")
	case f.patience <= 0:
		return cli.Usagef("--timeout is more than 0")
	}
	now := time.Now()
	from, err := momentOf(f.from, now)
	if err != nil {
		return cli.Usagef("--from: %v", err)
	}
	to, err := momentOf(f.to, now)
	if err != nil {
		return cli.Usagef("--to: %v", err)
	}
	if !from.Before(to) || from.Unix() <= 0 {
		return cli.Usagef("--from %s is not before --to %s", from.Format(time.DateTime), to.Format(time.DateTime))
	}
	return fetchSpan(ctx, env, f, from, to)
}

func fetchSpan(ctx context.Context, env *cli.Env, f fetchFlags, from, to time.Time) error {
	if f.save == "" {
		f.save = "recording-" + from.Format("20060102-150405") + ".mp4"
	}
	if _, err := os.Lstat(f.save); err == nil {
		return cli.Hint(fmt.Errorf("%s is there already", f.save), "name another file with --save")
	}
	who, up, err := connectTo(f.dir, f.name, f.broker, feed.BrokerConfig{Recordings: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	camera, err := findCamera(who.Roster(), f.camera)
	if err != nil {
		return err
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: who.Household(), Roster: who.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		return err
	}
	store, err := os.CreateTemp(filepath.Dir(f.save), ".sealcam-fetch-*")
	if err != nil {
		return err
	}
	defer func() {
		store.Close()
		os.Remove(store.Name())
	}()
	g := &fetcher{
		env: env, camera: camera, opener: opener, up: up, from: from, to: to, patience: f.patience,
		reel: clip.NewReel(camera.ID, store), items: make(chan feed.Item), refused: map[string]int{},
	}
	failed := g.run(ctx)
	if g.reel.Parts() == 0 {
		g.tell()
		if failed == nil {
			failed = errors.New("there is no recording of that time")
		}
		return failed
	}
	if err := g.write(f.save); err != nil {
		return err
	}
	g.tell()
	return failed
}
