// Package motion says whether a camera sees somebody: it watches the small grey
// picture of each frame (capture.Luma), keeps a background with every pixel's own
// noise, and follows what stands out from it until it has moved like a body and
// not like rain, a lamp or the sun. What it finds, where the owner wants to know it
// (zones, lines, hours), it hands out as events; of the rest it says why not.
//
// Its thresholds were set by what capture/scene draws, but for one rule (see
// cmd/BENCHMARKS.md), so they are only as good as those drawings.
//
// It is a pure function of what it was shown: no clock, no randomness, no
// goroutine. Memory is fixed once the size of the luma is known, and a frame
// allocates nothing.
//
// What this package does not do: it does not know what moved (person, car or
// cat), reads no frames (capture.LumaReader does), takes no snapshots, and
// controls no light: it is told about it by capture.Light.
package motion

import (
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Config is what an owner may choose. The zero value is the default.
type Config struct {
	// Sensitivity from 1 to 10: what stands out less, and is smaller, is found
	// with more. 0 means 5. At 5 a person is found who fills about a
	// thousandth of the picture; at 8 one of 3 % of its height.
	Sensitivity int

	// Zones are the parts of the picture that are watched, and Lines the lines. With
	// neither, all of it is. Who was raised stays so until he has gone, wherever he goes.
	Zones []Zone
	Lines []Line

	// Masks are parts of the picture where nothing is looked for at all.
	Masks capture.Masks

	// Gap is how long nothing must move until an event is over; a third of it is
	// enough when who was seen left over the picture's edge. 0 means 2.5 s.
	Gap time.Duration

	// Still is how long somebody, or something, that came into the picture may
	// stand still in it before it is taken for a part of it. 0 means 90 s.
	Still time.Duration
}

// Validate reports what is wrong with c, in words for the owner. What is wrong with
// an area is a *ConfigError.
func (c Config) Validate() error {
	if c.Sensitivity < 0 || c.Sensitivity > 10 {
		return fmt.Errorf("sensitivity is %d, want 1 to 10", c.Sensitivity)
	}
	if c.Gap < 0 || c.Gap > time.Hour || c.Still < 0 || c.Still > 24*time.Hour {
		return errors.New("gap must be 0 to 1h, still 0 to 24h")
	}
	return c.validateAreas()
}

// Box is a part of a luma, in its pixels.
type Box struct{ X, Y, W, H int }

// On returns b in the pixels of the picture of width x height that l is the luma of.
func (b Box) On(l *capture.Luma, width, height int) Box {
	if l.W == 0 || l.H == 0 {
		return Box{}
	}
	x, y := b.X*width/l.W, b.Y*height/l.H
	return Box{x, y, (b.X+b.W)*width/l.W - x, (b.Y+b.H)*height/l.H - y}
}

// Event is one visit: from when something came into view until nothing moved any more.
type Event struct {
	ID        uint64        // counted from 1 by each Detector
	Start     time.Duration // when what was found first stood out
	End       time.Duration // when it was last seen; grows while the event is open
	Peak      time.Duration // the best moment so far
	PeakScore float64
	Box       Box    // what was found, at the best moment
	Zone      string // the zone that raised it, if one with a name did
	Line      string // the line that was crossed, if one with a name was
	path      path
}

// Verdict is what one frame says.
type Verdict struct {
	// Score, from 0 to 1, is how well this frame shows what was found: how large, how
	// complete, how sure. It is 0 when nothing is followed.
	Score float64
	// Moving says that somebody is in the picture, be it standing still.
	Moving bool
	// Boxes are where, in luma pixels. They are valid until the next Observe.
	Boxes []Box
	// Event is the open one, and on the frame on which one ends still that one; else
	// nil. It is the Detector's own and changes with the next Observe.
	Event          *Event
	Started, Ended bool // the event starts, or ends, with this frame
	// Refused is what was followed before and is now known to be nobody, or nobody of
	// interest. It is valid until the next Observe.
	Refused []Refusal
	// Best says that this frame is clearly the best of the open event so far. The
	// first frame of an event always is.
	Best bool
}

// Detector watches one camera. One goroutine uses it at a time.
type Detector struct {
	cfg    Config
	grades []grade // of the picture, and of each zone
	keen   grade   // the most sensitive of them
	zone   []uint8 // by pixel: which of grades holds
	w, h   int
	ofDay  time.Duration // time since midnight, local; negative when nobody knows it

	bg       background
	raw      mask // pixels that stand out
	found    mask // raw without specks
	spare    mask
	masked   mask
	held     mask       // what the background must not learn: who is followed, and what is near
	prev     []uint8    // the luma before
	past     [2][]uint8 // lumas of a while ago, the older one first
	pastAt   [2]time.Duration
	blobs    blobs
	tracks   [maxTracks]track
	boxes    [maxTracks]Box
	refused  []Refusal
	counts   [reasons]uint64
	now      time.Duration
	quiet    time.Duration // until then nothing new is followed
	settled  time.Duration // until then nothing is raised
	switched bool          // the light is being switched; the background is void
	last     Verdict
	weather  weather

	event Event
	open  bool
	seen  time.Duration // when the open event's subject was last in view
	gone  bool          // and left it over the edge
	id    uint64
}

// New returns a Detector for one camera.
func New(c Config) (*Detector, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Sensitivity == 0 {
		c.Sensitivity = 5
	}
	if c.Gap == 0 {
		c.Gap = 2500 * time.Millisecond
	}
	if c.Still == 0 {
		c.Still = 90 * time.Second
	}
	return &Detector{cfg: c, ofDay: -1, refused: make([]Refusal, 0, maxRefused)}, nil
}

// Clock tells the time of day since local midnight, for the hours of zones, before
// Observe. It is negative, and was from the start, when nobody knows it; then all zones watch.
func (d *Detector) Clock(ofDay time.Duration) { d.ofDay = ofDay }

// Observe takes in the luma of a frame taken at the given time, in the given
// light, and says what it shows. Times rise from frame to frame; a step back
// starts over. l is only read, and not kept.
func (d *Detector) Observe(l *capture.Luma, at time.Duration, light capture.Light) Verdict {
	d.refused = d.refused[:0]
	if l.W < 1 || l.H < 1 || len(l.Pix) < l.W*l.H {
		return d.idle(at)
	}
	fresh := l.W != d.w || l.H != d.h || at < d.now
	if fresh {
		d.resize(l.W, l.H)
		d.now = at
	}
	dt := min(at-d.now, time.Second)
	d.now = at
	if light == capture.LightSwitching {
		return d.hold(l, dt)
	}
	pix := l.Pix[:l.W*l.H]
	if fresh || d.switched {
		d.restart(pix, fresh)
		return d.judge()
	}
	d.weather.pass(dt)
	d.look(pix, dt)
	d.remember(pix)
	return d.judge()
}

// remember keeps pix for the frames to come.
func (d *Detector) remember(pix []uint8) {
	copy(d.prev, pix)
	if d.now-d.pastAt[1] >= 150*time.Millisecond {
		d.past[0], d.past[1] = d.past[1], d.past[0]
		d.pastAt[0] = d.pastAt[1]
		copy(d.past[1], pix)
		d.pastAt[1] = d.now
	}
}

// look finds what stands out in pix, and follows it.
func (d *Detector) look(pix []uint8, dt time.Duration) {
	before := d.bg.share
	d.bg.compensate(pix, d.raw)
	d.bg.step(pix, d.raw, d.held, dt)
	d.raw.clear(d.masked)
	d.bg.share = float64(d.raw.count()) / float64(d.w*d.h)
	// What changes nearly everything, or much of it at once, is light. A person
	// before the lens grows there over many frames.
	if d.bg.share > 0.85 || d.bg.share > 0.4 && d.bg.share-before > 0.3 {
		d.refuse(ReasonFlood, Box{0, 0, d.w, d.h})
		d.restart(pix, false)
		return
	}
	d.raw.despeckle(d.found, d.spare, d.keen.neighbours)
	d.blobs.find(d.found)
	d.blobs.join()
	d.follow(pix, dt)
	d.release(pix)
	d.bg.absorb(pix, d.raw, d.held, dt)
}

// restart takes pix for the background. What was followed is lost; an open event
// goes on if it is found again.
func (d *Detector) restart(pix []uint8, fresh bool) {
	d.bg.seed(pix, fresh)
	copy(d.prev, pix)
	for i := range d.past {
		copy(d.past[i], pix)
		d.pastAt[i] = d.now
	}
	d.raw.reset()
	d.held.reset()
	d.tracks = [maxTracks]track{}
	d.quiet = d.now + 400*time.Millisecond
	if d.switched { // exposure has come to rest: daynight has waited for it
		d.quiet = d.now + 100*time.Millisecond
	}
	d.switched = false
	if fresh {
		d.settled = d.now + d.keen.settle
		d.weather = d.keen.start
		d.weather.most = float64(d.w*d.h) / 120
	}
}

// hold keeps the verdict while the light is being switched, and stops the event's clock.
func (d *Detector) hold(l *capture.Luma, dt time.Duration) Verdict {
	d.switched = true
	if d.open {
		d.seen += dt
	}
	v := d.last
	v.Started, v.Ended, v.Best, v.Boxes, v.Refused = false, false, false, nil, nil
	if d.last.Ended {
		v.Event = nil
	}
	d.last = v
	return v
}

// idle is the verdict on a frame without a luma.
func (d *Detector) idle(at time.Duration) Verdict {
	d.now = max(at, d.now)
	for i := range d.tracks {
		d.tracks[i].inView = false
	}
	return d.judge()
}

func (d *Detector) resize(w, h int) {
	d.w, d.h = w, h
	d.bg.resize(w, h)
	for _, m := range []*mask{&d.raw, &d.found, &d.spare, &d.masked, &d.held} {
		m.resize(w, h)
	}
	d.prev = make([]uint8, w*h)
	d.past[0], d.past[1] = make([]uint8, w*h), make([]uint8, w*h)
	d.blobs.resize(w, h)
	d.survey()
}
