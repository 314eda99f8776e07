package motion

import (
	"math"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Bitrate finds events in how much a camera's own encoder has to say: the sizes
// of its H.264 or H.265 frames, which nothing here decodes. Where nothing moves,
// a frame says little that the one before did not; someone who walks by doubles
// that, for as long as they walk.
//
// It knows neither where nor what, gives no boxes and no score, and takes rain,
// swaying trees and clouds for somebody more readily than a Detector. An encoder that is set to
// a constant bit rate hides what it looks at, and one that makes key frames only
// does so entirely. A camera that can give motion JPEG beside H.264 is watched by
// that.
//
// The zero value is not ready: see NewBitrate. One goroutine uses it at a time,
// and Observe allocates nothing.
type Bitrate struct {
	least float64 // how many times more than usual stands out, log2
	gap   time.Duration

	last   time.Duration
	warm   time.Duration // watched since the start or a switch of light
	now    float64       // log2 of bytes a frame: of the last frames
	usual  float64       // of a quiet picture
	spread float64       // around usual
	above  time.Duration // since when it stands out; -1 if it does not
	seen   time.Duration // when it last did
	open   bool
	event  Event
}

// How fast a Bitrate follows.
const (
	bitrateFast    = 300 * time.Millisecond
	bitrateFall    = 1500 * time.Millisecond
	bitrateRise    = 30 * time.Second
	bitrateOpen    = 2 * time.Minute // while an event is open: what stays is usual some day
	bitrateWarm    = 3 * time.Second
	bitrateSustain = 400 * time.Millisecond
)

// NewBitrate returns a Bitrate for a sensitivity from 1 to 10, as Config has it.
func NewBitrate(sensitivity int) *Bitrate {
	sensitivity = min(max(sensitivity, 1), 10)
	return &Bitrate{least: math.Exp2(float64(5-sensitivity) / 4), gap: 4 * time.Second, last: -1, above: -1}
}

// Observe looks at a frame of size bytes, taken at the time at. key says that it
// stands alone; such frames say nothing of movement and are passed over.
func (b *Bitrate) Observe(size int, key bool, at time.Duration, light capture.Light) Verdict {
	dt := at - b.last
	first := b.last < 0 || dt < 0 || dt > b.gap
	b.last = at
	switch {
	case first || light == capture.LightSwitching:
		b.warm, b.above = 0, -1
		if !first { // what the picture says now is of the switch
			break
		}
	case !key:
		b.follow(math.Log2(float64(size)+64), dt)
	}
	return b.verdict(at)
}

// follow takes in a frame.
func (b *Bitrate) follow(x float64, dt time.Duration) {
	if b.warm == 0 {
		b.now, b.usual, b.spread = x, x, 0
	}
	b.warm += dt
	share := func(of time.Duration) float64 { return 1 - math.Exp(-float64(dt)/float64(of)) }
	b.now += (x - b.now) * share(bitrateFast)
	// Usual is what is said when nobody is there: it falls at once when less is said,
	// and rises slowly when more is.
	slow := bitrateRise
	switch {
	case b.now < b.usual:
		slow = bitrateFall
	case b.open:
		slow = bitrateOpen
	}
	b.usual += (b.now - b.usual) * share(slow)
	if !b.open {
		b.spread += (min(math.Abs(b.now-b.usual), b.least) - b.spread) * share(bitrateRise)
	}
}

// verdict judges what was taken in.
func (b *Bitrate) verdict(at time.Duration) (v Verdict) {
	excess := b.now - b.usual - b.spread
	stands := b.warm >= bitrateWarm && excess > max(b.least, b.spread)
	if b.open { // it goes on as long as it is clearly more than usual
		stands = b.warm >= bitrateWarm && excess > b.least/2
	}
	switch {
	case !stands:
		b.above = -1
	case b.above < 0:
		b.above = at
	}
	if stands && !b.open && at-b.above >= bitrateSustain {
		b.open, v.Started = true, true
		b.event = Event{ID: b.event.ID + 1, Start: b.above, Peak: at}
	}
	if !b.open {
		return v
	}
	if stands {
		b.seen, b.event.End = at, at
	}
	v.Event, v.Moving = &b.event, stands
	if at-b.seen > b.gap || at < b.seen {
		b.open, v.Ended = false, true
	}
	return v
}
