package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// clipTick is how often it is looked whether a clip is told of as it is.
const clipTick = time.Second

// part takes a verified part of a clip. w.mu is held.
func (w *watcher) part(o viewer.Outcome) error {
	if w.album != nil && w.flags.sealed {
		if err := w.album.SaveSealed(o.Verified, o.Sealed); err != nil {
			return notStored(err)
		}
	}
	told, err := w.films.Add(o.Verified, o.At)
	switch {
	case errors.Is(err, clip.ErrPart):
		return w.oddPart(o, err)
	case err != nil:
		return notStored(err)
	}
	w.shown++
	if w.flags.asJSON {
		if err := w.print(o, ""); err != nil {
			return err
		}
	}
	if told != nil {
		if err := w.tellClips([]album.Told{*told}); err != nil {
			return err
		}
	}
	return w.enough()
}

// oddPart tells of a part that the camera sealed, and that has no place in its
// film: a camera of ours seals none. It is kept by itself.
func (w *watcher) oddPart(o viewer.Outcome, odd error) error {
	var saved string
	if w.album != nil {
		name, err := w.album.Save(o.Verified, nil)
		if err != nil {
			return notStored(err)
		}
		saved = filepath.Join(w.flags.save, name)
	}
	if w.flags.asJSON {
		t := describe(o, saved)
		t.What, t.Detail = "odd part", odd.Error()
		return w.printJSON(t)
	}
	m := o.Verified.Meta()
	words := fmt.Sprintf("part %d of event %d: %v", m.Part+1, m.Event, odd)
	if saved != "" {
		words += "  " + saved
	}
	_, err := fmt.Fprintln(w.env.Stdout, w.row(o.At, cli.Bad, "odd part", nameOf(o), words))
	return err
}

// tickLoop tells of clips that no more comes of, until ctx ends.
func (w *watcher) tickLoop(ctx context.Context) error {
	tick := time.NewTicker(clipTick)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := w.tick(now); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watcher) tick(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, err := w.films.Ended(now)
	if err != nil {
		err = notStored(err)
	}
	return errors.Join(err, w.tellClips(told))
}

// toldClip is a clip as --json tells it.
type toldClip struct {
	At      time.Time     `json:"at"`
	What    string        `json:"what"` // "clip"
	Camera  seal.CameraID `json:"camera"`
	Name    string        `json:"name,omitempty"`
	Event   uint64        `json:"event"`
	Parts   int           `json:"parts"`
	Whole   bool          `json:"whole"`
	Missing []uint32      `json:"missing,omitempty"` // numbers from 0, up to the last that came
	Late    uint32        `json:"late,omitempty"`    // parts that came since it was told of before
	Seconds float64       `json:"seconds"`
	PreRoll float64       `json:"pre_roll_s"`
	Also    []uint64      `json:"also,omitempty"`
	Ended   string        `json:"ended,omitempty"` // why early
	Person  string        `json:"person"`
	Saved   string        `json:"saved,omitempty"`
}

// tellClips prints what there is to tell of clips. w.mu is held.
func (w *watcher) tellClips(all []album.Told) error {
	for _, t := range all {
		if err := w.tellClip(t, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) tellClip(t album.Told, now time.Time) error {
	k, words, saved := t.Film.Key(), clipWords(t), ""
	if t.Name != "" {
		saved = filepath.Join(w.flags.save, t.Name)
	}
	o := viewer.Outcome{Camera: k.Camera, At: now}
	if w.roster != nil {
		entry, _ := w.roster().Camera(k.Camera)
		o.Name = entry.Name
	}
	if w.flags.asJSON {
		missing, _ := t.Film.Missing()
		marks := t.Film.Marks()
		return w.printJSON(toldClip{
			At: now, What: "clip", Camera: k.Camera, Name: o.Name, Event: k.Event, Parts: len(t.Film.Parts()), Whole: t.Film.Whole(), Missing: missing,
			Late: t.Late, Seconds: t.Film.Length().Seconds(), PreRoll: marks.PreRoll.Seconds(), Also: marks.Also, Ended: marks.Ended, Person: words, Saved: saved,
		})
	}
	style, verdict := cli.Good, "verified"
	if !t.Film.Whole() {
		style, verdict = cli.Warn, "partial"
	}
	if saved != "" {
		words += "  " + saved
	}
	_, err := fmt.Fprintln(w.env.Stdout, w.row(now, style, verdict, nameOf(o), words))
	return err
}

// clipWords says what there is of a clip, and what has come late.
func clipWords(t album.Told) string {
	words := printable(t.Film.Words(), 300)
	switch {
	case t.Late == 1:
		words += "; 1 part came late"
	case t.Late > 1:
		words += fmt.Sprintf("; %d parts came late", t.Late)
	}
	return words
}

func (w *watcher) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.env.Stdout, "%s\n", b)
	return err
}
