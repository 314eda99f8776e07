package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// fetcher gets one span of one camera's recording.
type fetcher struct {
	env      *cli.Env
	camera   seal.RosterCamera
	opener   *seal.Opener
	up       feed.Feed
	from, to time.Time
	patience time.Duration
	reel     *clip.Reel
	items    chan feed.Item

	nonce   []byte         // of the question that is open
	plan    *uplink.Answer // to the first question: what is there
	answer  *uplink.Answer // to the present one
	fresh   int            // parts since the present one
	refused map[string]int // what was refused, by reason
	shown   time.Time
}

const (
	// fetchTries is how often the camera is asked for what was lost on the way.
	fetchTries = 5
	// fetchSlack is how far a part may lie outside of what was asked for.
	fetchSlack = 5 * time.Second
	maxAnswer  = 64 << 10
)

var errSilent = errors.New("the camera has not answered")

// run asks, and asks again for what was lost on the way, until all has come that
// the camera has.
func (g *fetcher) run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	defer func() {
		stop()
		<-ended
	}()
	go func() {
		defer close(ended)
		_ = g.up.Run(running, func(it feed.Item) {
			select {
			case g.items <- it:
			case <-running.Done():
			}
		})
	}()
	linking, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	if err := linked(linking, g.up); err != nil {
		return err
	}
	from := g.from
	for range fetchTries {
		done, err := g.ask(ctx, from)
		if err != nil {
			return err
		}
		if from = g.missing(done); from.IsZero() {
			return nil
		}
	}
	return cli.Hint(errors.New("parts were lost on the way, again and again"), "the connection to the broker may be too slow: fetch a shorter time")
}

// missing returns from when on the camera is to be asked again, zero for not.
func (g *fetcher) missing(done bool) time.Time {
	for _, b := range g.reel.Breaks() {
		if !b.LeftOut && !b.Forged && !b.From.IsZero() {
			return b.From
		}
	}
	last, known := g.reel.Last()
	switch {
	case done && g.fresh >= g.answer.Parts:
		return time.Time{}
	case g.reel.Parts() == 0:
		return g.from
	case !known || !last.Before(g.to):
		return time.Time{}
	}
	return last
}

// ask asks once and takes what comes. It reports whether the camera has said that
// it is done; when it falls silent in the middle it is to be asked again.
func (g *fetcher) ask(ctx context.Context, from time.Time) (done bool, err error) {
	cmd, nonce, err := g.opener.Fetch(g.camera.ID, from, g.to)
	if err != nil {
		return false, err
	}
	g.nonce, g.answer, g.fresh = nonce, nil, 0
	if err := g.up.Send(ctx, g.camera.ID, feed.Command, cmd); err != nil {
		return false, err
	}
	silence := time.NewTimer(g.patience)
	defer silence.Stop()
	before := g.reel.Parts()
	for {
		select {
		case it := <-g.items:
			if it.Camera != g.camera.ID || !g.take(it) {
				continue
			}
			silence.Reset(g.patience)
			g.progress()
			if g.answer == nil || g.answer.State == "sending" {
				continue
			}
			switch g.answer.State {
			case "none":
				return true, cli.Hint(errors.New("the camera records nothing"), "set enabled = true under [recording] in its sealcamd.toml")
			case "replaced":
				return true, cli.Hint(errors.New("another fetch has replaced this one"), "ask again when that one has ended")
			}
			return true, nil
		case <-silence.C:
			if g.reel.Parts() > before {
				return false, nil
			}
			return false, cli.Hint(errSilent, "it may be off, out of reach, or have much else to send: look with sealcam watch, and raise --timeout")
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// take opens an Item, and reports whether it brings the fetch on.
func (g *fetcher) take(it feed.Item) bool {
	switch {
	case it.Kind == feed.Recording:
		return g.part(it.Sealed)
	case it.Kind == feed.Media && len(it.Sealed) <= maxAnswer:
		return g.answered(it.Sealed)
	}
	return false
}

// answered takes an answer to the question that is open. Its nonce was drawn for
// that question alone.
func (g *fetcher) answered(sealed []byte) bool {
	v, err := g.opener.Open(g.camera.ID, sealed)
	if err != nil || v.Meta().Kind != seal.KindAnswer || !bytes.Equal(v.Meta().Nonce, g.nonce) {
		return false
	}
	_, text := v.Media()
	var a uplink.Answer
	if json.Unmarshal(text, &a) != nil {
		return false
	}
	g.answer = &a
	if g.plan == nil {
		g.plan = &a
	}
	return true
}

// part takes a part of the recording. One of another time than was asked for is
// no answer, whoever sends it.
func (g *fetcher) part(sealed []byte) bool {
	v, err := g.opener.Recall(g.camera.ID, sealed)
	if err == nil {
		err = g.timely(v.Meta())
	}
	if err == nil {
		err = g.reel.Add(v)
	}
	switch {
	case err == nil:
		g.fresh++
		return true
	case errors.Is(err, clip.ErrTwice):
		g.fresh++
		return true
	}
	why := err.Error()
	if r := seal.ReasonOf(err); r != "" {
		why = r.Person()
	}
	g.refused[why]++
	return false
}

var errUntimely = errors.New("it is of another time than was asked for")

func (g *fetcher) timely(m seal.Meta) error {
	if m.Clock == seal.ClockNone || m.Taken.IsZero() {
		if g.plan == nil {
			return errUntimely
		}
		return nil // the camera could not know; what it answered says how it was reckoned
	}
	if m.Taken.Before(g.from.Add(-fetchSlack)) || m.Taken.After(g.to.Add(fetchSlack)) {
		return errUntimely
	}
	return nil
}

// progress rewrites a line on a terminal.
func (g *fetcher) progress() {
	if !g.env.Live || g.plan == nil || time.Since(g.shown) < 200*time.Millisecond {
		return
	}
	g.shown = time.Now()
	fmt.Fprintf(g.env.Stdout, "\r\x1b[K%d of %d parts, %s of %s", g.reel.Parts(), g.plan.Parts, size(g.reel.Size()), size(g.plan.Bytes))
}

func size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// write writes the films that there are: one, unless the camera has changed its
// format.
func (g *fetcher) write(file string) error {
	if g.env.Live {
		fmt.Fprint(g.env.Stdout, "\r\x1b[K")
	}
	for i, t := range g.reel.Takes() {
		name := file
		if i > 0 {
			ext := filepath.Ext(file)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(file, ext), i+1, ext)
		}
		if err := writeTake(name, t); err != nil {
			return err
		}
		begins := "at a time that the camera did not know"
		if at, ok := t.From(); ok {
			begins = "from " + at.Local().Format(time.DateTime)
		}
		fmt.Fprintf(g.env.Stdout, "saved    %s  %d %s, %.1f s, %s, all verified\n", name, t.Parts(), plural(t.Parts(), "part"), t.Length().Seconds(), begins)
	}
	return nil
}

// writeTake writes a film that is there whole or not at all.
func writeTake(name string, t *clip.Take) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".sealcam-fetch-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = t.WriteTo(f)
	err = cmp.Or(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// whys say in words why there is no recording.
var whys = map[string]string{
	"power":       "the camera was without power, or was ended",
	"private":     "the camera was closed for privacy",
	"stopped":     "the camera was stopped",
	"camera":      "no pictures came from the camera",
	"limit":       "more came than the camera may write, or than its card took",
	"disk":        "the camera's card took nothing",
	"overwritten": "overwritten by what came later",
	"damaged":     "damaged on the camera's card",
	"never":       "nothing was recorded",
	"yet":         "being recorded right now",
}

// tell says what is missing, and what was refused.
func (g *fetcher) tell() {
	out := g.env.Stdout
	if g.plan != nil {
		for _, m := range g.plan.Missing {
			words, ok := whys[m.Why]
			if !ok {
				words = "the camera says: " + printable(m.Why, 32)
			}
			fmt.Fprintf(out, "missing  %s to %s  %s\n", m.From.Local().Format(time.DateTime), m.To.Local().Format(time.DateTime), words)
		}
		if g.plan.More {
			fmt.Fprintln(out, "missing  and more: fetch a shorter time to see what")
		}
		if g.plan.Unclocked {
			fmt.Fprintln(out, "note     the camera does not know the time: these times are reckoned from now by this machine's clock")
		}
	}
	for _, b := range g.reel.Breaks() {
		when := ""
		if !b.From.IsZero() && !b.To.IsZero() {
			when = fmt.Sprintf(" (%s to %s)", b.From.Local().Format(time.TimeOnly), b.To.Local().Format(time.TimeOnly))
		}
		fmt.Fprintf(out, "broken   %s%s\n", b, when)
	}
	if n := g.reel.Late(); n > 0 {
		fmt.Fprintf(out, "order    %d %s came behind a later one, and %s put in its place\n", n, plural(n, "part"), map[bool]string{true: "was", false: "were"}[n == 1])
	}
	for _, why := range slices.Sorted(maps.Keys(g.refused)) {
		fmt.Fprintf(out, "refused  %d %s: %s\n", g.refused[why], plural(g.refused[why], "part"), printable(why, 200))
	}
}
