package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// clips is what clips come from: the ring that every frame goes into, and what
// cuts them out of it. A nil *clips keeps nothing.
type clips struct {
	ring   *encode.Ring
	cutter *encode.Cutter
	masked bool
	events bool          // they have clips; else frames are kept for the recording, and live view
	shown  bool          // they are kept for live view only, which wants compressed video
	wake   chan struct{} // there are frames for a clip
	ended  chan struct{} // there will be no more
	done   chan struct{} // the last part is spooled, or never will be
	raw    chan *held    // frames on their way to the compressor
	spare  chan *held    // the one that may go there next
	coder  *coder        // of who has that one

	sealing sync.Mutex // held while a part is made and sealed
}

// newClips returns nil where the settings want nothing of it.
func newClips(s Settings, masks capture.Masks) *clips {
	before := s.Clips.Before.Duration
	shown := !s.Clips.Enabled && !s.Recording.Enabled
	if shown {
		if s.Live.View == 0 {
			return nil
		}
		before = encode.LatestSpan
	}
	c := &clips{
		ring: encode.NewRing(int(s.Clips.Memory.Bytes), before), shown: shown, masked: len(masks) > 0, events: s.Clips.Enabled,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}), raw: make(chan *held, 1), spare: make(chan *held, 1),
	}
	c.cutter = encode.NewCutter(c.ring, &encode.JPEG{Masks: masks}, encode.CutterConfig{
		Before: s.Clips.Before.Duration, After: s.Clips.After.Duration, Longest: s.Clips.Max.Duration,
	})
	c.spare <- new(held)
	return c
}

// watch tells the cutter what motion found in the frame of now. It reports
// whether the open event's snapshot is wanted at once.
func (c *clips) watch(v motion.Verdict, now encode.Moment) (hurry bool) {
	if c == nil || !c.events {
		return false
	}
	if v.Started && v.Event != nil {
		c.cutter.Event(v.Event.ID, v.Event.Start, now)
	}
	return c.cutter.Look(now.Frame, v.Event != nil && !v.Ended)
}

// ready says that the snapshot of an event is on its way, or that there is none.
func (c *clips) ready(event uint64) {
	if c != nil && event != 0 {
		c.cutter.Ready(event)
		c.signal()
	}
}

// keepForClips puts f into the ring, raw frames by way of the compressor. It
// allocates nothing and never waits.
func (a *Agent) keepForClips(f *capture.Frame) {
	c := a.clips
	if c == nil || c.shown && encode.CodecOf(f.Format.Pixel) == 0 {
		return
	}
	if a.tape != nil {
		a.tape.recorder.Look(encode.Moment{Frame: f.Mono, Mono: a.mono(), Wall: a.now()})
	}
	switch f.Format.Pixel {
	case capture.YUYV, capture.NV12, capture.Grey:
		select {
		case h := <-c.spare:
			h.keep(f, time.Time{}, 0)
			c.raw <- h // has room: there is one such frame
		default: // the compressor is at work, or rests
		}
		return
	case capture.H264, capture.H265:
		if c.masked { // it cannot be applied to them, so nothing of them may leave the camera
			a.unmasked.Add(1)
			return
		}
	}
	if err := a.store(f); err != nil {
		a.badLuma.Add(1)
	}
}

// store puts a compressed frame into the ring, and tells those who read it.
func (a *Agent) store(f *capture.Frame) error {
	err := a.clips.ring.Push(f)
	a.clips.signal()
	a.tape.signal()
	return err
}

// signal wakes cut, if a clip is to be cut.
func (c *clips) signal() {
	if c.cutter.Waiting() == 0 {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close ends the clips with the frames there are, and what waits for them.
func (c *clips) close() {
	if c != nil {
		c.cutter.Close(encode.EndStopped)
		close(c.ended)
		close(c.raw)
	}
}

// drop forgets every frame and every clip, and returns when nothing of them is
// being compressed or sealed any more. Frames must not be pushed meanwhile.
func (c *clips) drop() {
	if c == nil {
		return
	}
	h := <-c.spare // the compressor has none
	h.wipe()
	c.coder.shut()
	c.sealing.Lock()
	c.cutter.Drop()
	c.sealing.Unlock()
	c.spare <- h
}

// cut turns the frames of events into parts of clips and Sealed until the
// frames end. It runs beside the snapshots, which no clip may hold up.
func (a *Agent) cut() error {
	if a.clips == nil {
		return nil
	}
	defer close(a.clips.done)
	for {
		select {
		case <-a.clips.wake:
			a.parts()
		case <-a.clips.ended:
			a.parts()
			return nil
		}
	}
}

// parts seals all parts that there are.
func (a *Agent) parts() {
	for {
		p, ok, err := a.nextPart()
		if err == nil && !ok {
			return
		}
		if errors.Is(err, errHushed) || errors.Is(err, uplink.ErrPrivate) { // its frames are being forgotten
			continue
		}
		if err != nil {
			a.failed.Add(1)
			a.log.Warn("a part of a clip was not sealed", "event", p.Event, "part", p.Part, "err", err)
			continue
		}
		a.partsSealed.Add(1)
		if p.Last {
			a.clipsSealed.Add(1)
			a.log.Info("clip", "event", p.Event, "parts", p.Part+1, "ended", p.Clip.Ended, "pre_roll", p.Clip.PreRoll)
		}
	}
}

// errHushed says that a part is of an event that nobody is told of.
var errHushed = errors.New("nobody is told of this event")

// nextPart makes the next part of a clip and seals it.
func (a *Agent) nextPart() (p encode.Picture, ok bool, err error) {
	a.clips.sealing.Lock()
	defer a.clips.sealing.Unlock()
	p, ok, err = a.clips.cutter.Next()
	if err == nil && ok && a.quiet.hushes(p) {
		return p, ok, errHushed
	}
	if err == nil && ok {
		p.Masks = a.masks
		err = a.up.Send(p)
	}
	return p, ok, err
}

// resting is how much longer than it works the compressor rests: what a camera
// without a compressor of its own costs is a quarter of one processor.
const resting = 3

// compress turns raw frames into what the ring takes until the frames end: by an
// encoder all of them, into JPEGs as many as that leaves time for.
func (a *Agent) compress(ctx context.Context) error {
	c := a.clips
	if c == nil {
		return nil
	}
	rest := time.NewTimer(0)
	defer rest.Stop()
	for h := range c.raw {
		began := a.mono()
		worked, err := c.coder.compress(ctx, &h.frame)
		var bad *capture.BadFrame
		switch {
		case errors.Is(err, encode.ErrUnmasked):
			a.unmasked.Add(1)
		case errors.As(err, &bad):
			a.badLuma.Add(1)
		case err != nil && ctx.Err() == nil:
			c.spare <- h
			return err
		}
		if worked {
			rest.Reset(resting * (a.mono() - began))
			select {
			case <-rest.C:
			case <-ctx.Done():
			}
		}
		c.spare <- h
	}
	(<-c.spare).wipe()
	c.coder.shut()
	return nil
}
