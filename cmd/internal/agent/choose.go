package agent

import (
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// How long an event's best frame may still be beaten before it is sent. A
// person who was told "somebody is at the door" wants to see who, soon.
const (
	bestSettled = 1200 * time.Millisecond // no better frame for this long: send
	bestLatest  = 6 * time.Second         // the longest wait from the start of the event
)

// want says that a frame is to become a Picture, and why.
type want struct {
	cause encode.Cause
	event uint64
	nonce []byte
	live  bool // replaced by the next one, never spooled
	exam  bool // sealed and opened again, for a version on trial
	best  bool // take the frame that was kept for the event, not this one
}

// chooser decides which frames become Pictures: one per event at its best
// moment, one per declared period, one on each request. It is a pure function
// of what it was shown; time is Frame.Mono.
type chooser struct {
	every time.Duration // between periodic live pictures; 0 for none

	started   bool
	lastLive  time.Duration
	open      bool // an event is open and its picture has not been sent
	event     uint64
	eventFrom time.Duration
	bestAt    time.Duration
	out       []want
}

// see returns what to do with the frame that was taken at the time at, and
// whether the caller must keep a copy of it as the best of the open event. The
// slice is valid until the next call.
func (c *chooser) see(at time.Duration, v motion.Verdict, asked []uplink.Request) (wants []want, keep bool) {
	c.out = c.out[:0]
	for _, r := range asked {
		c.out = append(c.out, want{cause: encode.CauseRequest, nonce: r.Nonce, live: true})
	}
	if c.every > 0 && (!c.started || at-c.lastLive >= c.every || at < c.lastLive) {
		c.started, c.lastLive = true, at
		if len(asked) == 0 { // the answer to a request is as good a live picture
			c.out = append(c.out, want{cause: encode.CausePeriod, live: true})
		}
	}
	if v.Started && v.Event != nil {
		c.open, c.event, c.eventFrom, c.bestAt = true, v.Event.ID, at, at
		keep = true
	}
	if c.open && v.Best {
		c.bestAt, keep = at, true
	}
	if c.open && (v.Ended || at-c.bestAt >= bestSettled || at-c.eventFrom >= bestLatest) {
		c.open = false
		c.out = append(c.out, want{cause: encode.CauseMotion, event: c.event, best: true})
	}
	return c.out, keep
}

// flush ends an open event as if it had ended now: the camera is closing, and
// what it saw must not be lost with it.
func (c *chooser) flush() (want, bool) {
	if !c.open {
		return want{}, false
	}
	c.open = false
	return want{cause: encode.CauseMotion, event: c.event, best: true}, true
}

// held is a copy of a Frame that outlives it.
type held struct {
	frame capture.Frame
	buf   []byte
	taken time.Time     // wall clock, as good as the camera's clock is
	mono  time.Duration // the agent's monotonic clock
	boxes boxes         // what moved, in the best frame of an event
}

// keep copies f, reusing the buffer: no allocation once the buffer has grown to
// the size of the camera's frames.
func (h *held) keep(f *capture.Frame, taken time.Time, mono time.Duration) {
	h.buf = append(h.buf[:0], f.Data...)
	h.frame, h.taken, h.mono = *f, taken, mono
	h.frame.Data, h.boxes.n = h.buf, 0
}
