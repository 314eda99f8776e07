package agent

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// view is what live view is made of: one frame at a time, taken when the link has
// room for it, or of a camera that compresses video itself the newest part of that.
// While nobody watches, nothing is copied, encoded or sealed. A nil *view shows
// nothing.
type view struct {
	every time.Duration // between frames, at least
	next  time.Duration // when one is due
	spare chan *viewed  // the one frame that circulates
	made  chan *viewed
	jpeg  encode.JPEG
	film  *encode.Latest     // parts, out of the ring of the clips
	parts chan encode.Moment // there may be one

	sealing sync.Mutex // held while a frame is made and sealed
	out     []byte
}

// viewed is a frame on its way to those who watch.
type viewed struct {
	held
	halvings int
}

// newView returns nil where the settings want no live view.
func newView(s Settings, masks capture.Masks, c *clips) *view {
	if s.Live.View == 0 {
		return nil
	}
	v := &view{
		every: time.Duration(float64(time.Second) / s.Live.View),
		spare: make(chan *viewed, 1), made: make(chan *viewed, 1), jpeg: encode.JPEG{Masks: masks},
		film: encode.NewLatest(c.ring), parts: make(chan encode.Moment, 1),
	}
	v.spare <- new(viewed)
	return v
}

// due reports whether the frame at mono is not too early after the one before, with
// some grace for a camera whose frames do not come evenly.
func (v *view) due(mono time.Duration) bool {
	if mono < v.next-v.every/4 && mono > v.next-2*v.every {
		return false
	}
	v.next = max(v.next+v.every, mono)
	return true
}

// show hands f on to those who watch, if anybody does and the link has room for
// it. It never waits: the newest frame wins, and it is the one at hand when there
// is room.
func (a *Agent) show(f *capture.Frame) {
	v := a.view
	if v == nil {
		return
	}
	n, wanted := a.up.ViewWanted()
	if wanted && encode.CodecOf(f.Format.Pixel) != 0 {
		select {
		case v.parts <- encode.Moment{Frame: f.Mono, Mono: a.mono(), Wall: a.now()}:
		default:
		}
		return
	}
	if !wanted || len(v.spare) == 0 || !v.due(f.Mono) {
		return
	}
	h := <-v.spare
	h.keep(f, a.now(), a.mono())
	h.halvings = n
	v.made <- h // has room: there is one such frame
	a.eye.meter.mark(StageKeep)
}

// close ends live view.
func (v *view) close() {
	if v != nil {
		close(v.made)
	}
}

// drop forgets the frame that is on its way, and returns when nothing of it is
// being sealed any more. Frames must not be shown meanwhile.
func (v *view) drop() {
	if v == nil {
		return
	}
	h := <-v.spare
	h.wipe()
	v.sealing.Lock()
	clear(v.out[:cap(v.out)])
	v.jpeg = encode.JPEG{Masks: v.jpeg.Masks}
	v.film.Drop()
	v.sealing.Unlock()
	v.spare <- h
}

// views seals what is shown until the frames end. It rests as long as it works:
// live view never takes more than half of one processor.
func (a *Agent) views(ctx context.Context) error {
	if a.view == nil {
		return nil
	}
	runtime.LockOSThread() // the meter reads this thread's CPU clock
	defer runtime.UnlockOSThread()
	m := newMeter(&a.cpu)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		var began time.Duration
		var h *viewed // nil for a part
		var err error
		select {
		case h = <-a.view.made:
			if h == nil {
				return nil
			}
			began = a.mono()
			err = a.seen(h, m)
		case now := <-a.view.parts:
			began = a.mono()
			err = a.seenPart(now, m)
		}
		if err != nil && !errors.Is(err, uplink.ErrUnwatched) && !errors.Is(err, uplink.ErrPrivate) && !errors.Is(err, uplink.ErrUncounted) {
			a.failed.Add(1)
			a.log.Debug("a frame was not shown", "err", err)
		}
		rest.Reset(a.mono() - began)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		if h != nil {
			a.view.spare <- h
		}
	}
}

// seen makes a frame's picture and seals it.
func (a *Agent) seen(h *viewed, m *meter) error {
	v := a.view
	v.sealing.Lock()
	defer v.sealing.Unlock()
	var err error
	p := encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Taken: h.taken, Mono: h.mono, Cause: encode.CauseWatch, Light: h.frame.Light, Masks: a.masks}
	if v.out, p.Width, p.Height, err = v.jpeg.AppendHalved(v.out[:0], &h.frame, h.halvings); err != nil {
		return err
	}
	m.mark(StageEncode)
	p.Data = v.out // is not kept
	err = a.up.View(p)
	m.mark(StageSeal)
	return err
}

// seenPart seals the newest part of compressed video, if it was not sealed before.
func (a *Agent) seenPart(now encode.Moment, m *meter) error {
	v := a.view
	v.sealing.Lock()
	defer v.sealing.Unlock()
	if _, wanted := a.up.ViewWanted(); !wanted {
		return nil
	}
	p, ok, err := v.film.Next(now, a.up.ViewBytes())
	m.mark(StageEncode)
	if err != nil || !ok {
		return err
	}
	p.Masks = a.masks
	err = a.up.View(p)
	m.mark(StageSeal)
	return err
}
