package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// viewEach is how often live view is told of.
const viewEach = time.Second

// tally is what came of live view since the last line about it.
type tally struct {
	from          time.Time
	frames, bytes int
	parts, odd    int // of compressed video: that came; that nobody can look into
	refused       map[seal.Reason]int
	newest        *seal.Verified
	silent        bool // that nothing comes was said
}

// cameraOf finds the camera of the roster that a person calls so, by its name, its
// id, or how that begins; none for "".
func cameraOf(r *seal.Roster, name string) (seal.RosterCamera, error) {
	if name == "" {
		return seal.RosterCamera{}, nil
	}
	var found []seal.RosterCamera
	var names []string
	for _, c := range r.Cameras {
		if c.Name == name || string(c.ID) == name {
			return c, nil
		}
		if strings.HasPrefix(string(c.ID), name) {
			found = append(found, c)
		}
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return seal.RosterCamera{}, cli.Usagef("--view %q: the household's cameras are %s", name, strings.Join(names, ", "))
}

// isView reports whether an Outcome is about live view.
func isView(o viewer.Outcome) bool {
	return o.Kind == feed.View && (o.What == viewer.Refused || o.Verified != nil && o.Verified.Meta().Stream == seal.View)
}

// viewed takes note of a frame of live view, or its refusal. w.mu is held.
func (w *watcher) viewed(o viewer.Outcome) error {
	t := &w.tally
	if o.What == viewer.Refused {
		if t.refused == nil {
			t.refused = map[seal.Reason]int{}
		}
		t.refused[o.Refusal.Reason]++
	} else {
		t.add(o.Verified)
		w.shown++
	}
	var saved string
	if o.What == viewer.Verified && w.album != nil && w.flags.live {
		name, err := w.album.Save(o.Verified, nil)
		if err != nil {
			return notStored(err)
		}
		saved = filepath.Join(w.flags.save, name)
	}
	if w.flags.asJSON {
		if err := w.print(o, saved); err != nil {
			return err
		}
	}
	return w.enough()
}

// add takes note of a frame, or of a part and the frames in it.
func (t *tally) add(v *seal.Verified) {
	_, media := v.Media()
	t.bytes, t.newest = t.bytes+len(media), v
	if v.Meta().Media != clip.Media {
		t.frames++
		return
	}
	t.parts++
	if in, err := clip.Look(media); err == nil {
		t.frames += len(in.Frames)
	} else {
		t.odd++
	}
}

// view watches the camera that is wanted until ctx ends, and tells each second
// how it goes.
func (w *watcher) view(ctx context.Context, v *viewer.Viewer) {
	if w.camera.ID == "" {
		return
	}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		_ = v.Watch(ctx, w.camera.ID) // it ends with ctx
	}()
	tick := time.NewTicker(viewEach)
	defer tick.Stop()
	w.mu.Lock()
	w.tally.from = time.Now()
	w.mu.Unlock()
	for {
		select {
		case now := <-tick.C:
			w.mu.Lock()
			if line := w.viewLine(now); line != "" && !w.flags.asJSON {
				fmt.Fprintln(w.env.Stdout, line)
			}
			w.mu.Unlock()
		case <-ctx.Done():
			<-watching
			return
		}
	}
}

// viewLine says what came of live view since the last line; "" when that is
// nothing, and was said.
func (w *watcher) viewLine(now time.Time) string {
	t := w.tally
	w.tally = tally{from: now}
	row := func(style cli.Style, verdict, rest string) string {
		return fmt.Sprintf("%s  %s  %s  live view  %s", now.Format(time.TimeOnly), w.env.Paint(style, fmt.Sprintf("%-9s", verdict)), column(w.camera.Name, 16), rest)
	}
	var reasons []string
	for reason, n := range t.refused {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(reasons)
	refused := strings.Join(reasons, ", ")
	switch {
	case t.newest == nil && refused != "":
		return row(cli.Bad, "refused", refused)
	case t.newest == nil:
		w.tally.silent = true
		if t.silent {
			return ""
		}
		return row(cli.Warn, "waiting", "nothing comes")
	}
	m := t.newest.Meta()
	span := max(now.Sub(t.from), time.Millisecond).Seconds()
	rest := fmt.Sprintf("%4.1f frames/s  %5.0f kB/s  %s  %s  proven to be now", float64(t.frames)/span, float64(t.bytes)/1000/span,
		column(fmt.Sprintf("%dx%d", m.Width, m.Height), 9), ageWords(t.newest, now))
	if t.parts > 0 {
		rest += fmt.Sprintf("  in %d %s", t.parts, plural(t.parts, "part"))
	}
	if t.odd > 0 {
		rest += fmt.Sprintf(", %d of which hold no film", t.odd)
	}
	if refused != "" {
		rest += "; refused " + refused
	}
	return row(cli.Good, "verified", rest)
}
