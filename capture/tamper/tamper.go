// Package tamper says whether a camera can still see what it was put up to see:
// whether its lens is covered, blinded or out of focus, or the camera turned to
// something else. It watches the small grey picture of each frame (capture.Luma)
// and compares the shapes in it with those that it has learnt.
//
// Light never decides alone. A room whose lamp goes out is as dark as a covered
// lens, fog is as soft as a lens out of focus, and a car in the drive hides as
// much as a hand. What tells them apart is which shapes are left, how the others
// went, and how fast: the learnt picture follows what comes slowly.
//
// It is a pure function of what it was shown: no clock, no randomness, no
// goroutine. Memory is fixed once the size of the luma is known, and a frame
// allocates nothing.
//
// What this package does not do: it cannot know what was wrong before it
// started, and learns a covered lens for a dull wall. It sees a blur only
// that is wider than a pixel of the luma, about 1 % of the picture's width. In a
// picture without shapes (a dark room without a lamp) it can only be blinded.
// It takes no snapshot, reports nothing, and knows nothing of movement.
package tamper

import (
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Kind is what has happened to the camera's sight.
type Kind uint8

// The kinds.
const (
	None      Kind = iota
	Covered        // something hides nearly everything: a hand, a cloth, paint
	Blinded        // a light shines into the lens
	Defocused      // the shapes are there, without their edges
	Moved          // the camera shows something else, or the same from another side
	kinds
)

var kindNames = [kinds]string{"none", "covered", "blinded", "defocused", "moved"}

// String returns the word that travels in a seal.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Sentence says it to a person; "" for None.
func (k Kind) Sentence() string {
	switch k {
	case Covered:
		return "the lens is covered"
	case Blinded:
		return "a light shines into the lens"
	case Defocused:
		return "the picture is out of focus"
	case Moved:
		return "the camera was moved or turned"
	}
	return ""
}

// Verdict is what one frame says.
type Verdict struct {
	Kind    Kind   // what is wrong; None when nothing is, or nothing any more
	ID      uint64 // of the event, counted from 1 by each Detector; 0 when nothing is wrong
	Started bool   // it began with this frame
	Ended   bool   // what was wrong before this frame is over
}

// How long a thing must last until it is believed, and then to be over.
const (
	learning  = 15 * time.Second       // of a steady picture, until the first verdict in a new light
	darkHold  = 15 * time.Second       // in the dark, until a lamp has had its time to be lit
	overHold  = 2 * time.Second        // of a picture as it was
	newNormal = 10 * time.Minute       // of a steady picture unlike the one it was: this is what it shows now
	firstView = time.Minute            // the same, in a light in which nothing was learnt
	uneven    = 150 * time.Millisecond // of a picture that is hidden in part: longer than a rolling shutter
	apart     = 150 * time.Millisecond // between two looks, at least; of frames that come five times a second each is looked at
	blink     = 600 * time.Millisecond // a thing that is gone for less has not been gone
)

var holds = [kinds]time.Duration{Covered: 4 * time.Second, Blinded: 4 * time.Second, Defocused: 6 * time.Second, Moved: 6 * time.Second}

// suspicion is a Kind that lasts, but not for long enough yet.
type suspicion struct {
	lasted time.Duration
	gone   time.Duration // since it was seen last
}

// Detector watches one camera. The zero value is ready. One goroutine uses it at
// a time.
type Detector struct {
	eye     eye
	known   [2]view // what the camera shows by day and by night
	night   int     // index of the one that holds now
	now     time.Duration
	started bool

	switched bool // the light was, since the last look

	suspicions [kinds]suspicion
	partial    time.Duration // for how long some of the picture was hidden, since all of it was seen
	well       time.Duration // for how long an open event looks as if it were over
	strange    time.Duration // for how long the picture is steady and unlike the learnt one

	open Kind
	id   uint64
}

// Observe takes in the luma of a frame taken at the given time, in the given
// light, and says what it shows. Times rise from frame to frame; after a step back
// what had begun to look suspicious is forgotten. What lasts for seconds needs no look
// at every frame: those that come sooner than apart after the one looked at before are
// passed over, and what was said before holds. l is only read, and not kept.
func (d *Detector) Observe(l *capture.Luma, at time.Duration, light capture.Light) Verdict {
	if d.soon(l, at, light) {
		return d.verdict(false, false)
	}
	dt := min(max(at-d.now, 0), time.Second)
	if at < d.now || !d.started {
		d.started, d.suspicions, d.partial, d.well, d.strange = true, [kinds]suspicion{}, 0, 0, 0
	}
	d.now = at
	if l.W < 8 || l.H < 8 || len(l.Pix) < l.W*l.H {
		return d.verdict(false, false)
	}
	if d.eye.resize(l.W, l.H) || d.known[0].pix == nil {
		d.known = [2]view{}
		for i := range d.known {
			d.known[i].resize(&d.eye)
		}
	}
	if light == capture.LightSwitching {
		d.switched = true
		return d.verdict(false, false) // exposure, lamp and filter are on their way
	}
	d.eye.read(l, at)
	d.turn(light)
	if d.open != None {
		return d.verdict(false, d.over(dt))
	}
	return d.verdict(d.begins(dt), false)
}

// soon says whether a frame of the same size, in the same light, comes too soon to be
// worth a look.
func (d *Detector) soon(l *capture.Luma, at time.Duration, light capture.Light) bool {
	night := light == capture.LightNight
	return d.started && at >= d.now && at-d.now < apart && l.W == d.eye.lw && l.H == d.eye.lh &&
		light != capture.LightSwitching && !d.switched && night == (d.night == 1)
}

// turn takes the view of the light that is.
func (d *Detector) turn(light capture.Light) {
	night := 0
	if light == capture.LightNight {
		night = 1
	}
	if night == d.night {
		d.relit()
		return
	}
	d.switched = false
	d.night = night
	d.eye.still = 0
	// What was hidden before the switch, and is after it, is the same thing.
	if d.partial == 0 || d.known[night].learnt > 0 {
		d.suspicions = [kinds]suspicion{}
	}
}

// relit learns anew what the same night shows after its lamp was put off or lit,
// unless that is nothing, or something had begun to hide it before.
func (d *Detector) relit() {
	v := &d.known[d.night]
	if d.switched && d.night == 1 && d.open == None && v.learnt >= learning && d.partial == 0 && d.eye.edges >= flatShare*v.edges {
		d.learn(v)
	}
	d.switched = false
}

// begins looks for something wrong, and learns while there is nothing.
func (d *Detector) begins(dt time.Duration) bool {
	v := &d.known[d.night]
	s := v.compare(&d.eye)
	if v.learnt < learning {
		return d.first(v, dt)
	}
	d.notePartial(s, dt)
	kind := s.judge(&d.eye, d.partial >= uneven)
	for k := Covered; k < kinds; k++ {
		if d.suspicions[k].add(k == kind, dt) && d.suspicions[k].lasted >= d.hold(k) {
			d.start(k)
			return true
		}
	}
	if d.settled(s, dt) {
		d.learn(v) // unlike what it was, for long: a scaffold, another room
	} else if kind == None && s.kept > lost {
		v.follow(&d.eye, s, dt)
	}
	return false
}

// first learns a view that is not known yet, unless it is what hides the other one.
func (d *Detector) first(v *view, dt time.Duration) bool {
	other := &d.known[1-d.night]
	hidden := other.learnt >= learning && d.partial >= uneven && d.suspicions[Covered].lasted > 0 && d.eye.edges < flatShare*other.edges
	if d.suspicions[Covered].add(hidden, dt) && d.suspicions[Covered].lasted >= d.hold(Covered) {
		d.start(Covered)
		return true
	}
	if hidden {
		return false
	}
	if v.learnt == 0 {
		v.seed(&d.eye)
	}
	v.learnt += dt
	v.blend(&d.eye, 3*time.Second, dt)
	return false
}

// hold is how long k must last.
func (d *Detector) hold(k Kind) time.Duration {
	if k == Covered && d.eye.mean < darkLevel {
		return darkHold
	}
	return holds[k]
}

// notePartial counts the frames in which part of what was there is hidden and
// the rest as it was: so a hand comes, and so light does not go.
func (d *Detector) notePartial(s score, dt time.Duration) {
	switch {
	case s.same > 0.93*s.usual:
		d.partial = 0
	case s.same > 0.05*s.usual:
		d.partial += dt
	}
}

// settled says whether a picture unlike the learnt one has come to stay.
func (d *Detector) settled(s score, dt time.Duration) bool {
	if s.kept > lost || !d.eye.steady() || d.eye.edges < flatShare*d.known[d.night].edges {
		d.strange = 0
		return false
	}
	d.strange += dt
	return d.strange >= newNormal
}

func (d *Detector) start(k Kind) {
	d.open, d.id = k, d.id+1
	d.suspicions, d.well, d.strange = [kinds]suspicion{}, 0, 0
}

// learn takes the picture of now for what the camera shows.
func (d *Detector) learn(v *view) {
	v.seed(&d.eye)
	v.learnt = learning
	d.strange, d.partial = 0, 0
}

// over says whether the open event is: the old picture is back, or a steady one
// full of shapes has come to stay.
func (d *Detector) over(dt time.Duration) bool {
	v := &d.known[d.night]
	if v.learnt < learning {
		return d.overUnknown(v, dt)
	}
	s := v.compare(&d.eye)
	if s.kind(&d.eye, d.open) {
		d.well = 0
	} else {
		d.well += dt
	}
	shows := d.eye.steady() && d.eye.edges > 0.5*v.edges && d.eye.glare < dazzle
	switch {
	case d.well >= overHold:
	case shows && d.open != Defocused && d.strange+dt >= newNormal:
		d.learn(v)
	case shows:
		d.strange += dt
		return false
	default:
		d.strange = 0
		return false
	}
	d.open, d.well, d.strange, d.partial = None, 0, 0, 0
	return true
}

// overUnknown is over in a light in which nothing was learnt.
func (d *Detector) overUnknown(v *view, dt time.Duration) bool {
	if !d.eye.steady() || d.eye.edges < 0.5*d.known[1-d.night].edges || d.eye.glare > dazzle {
		d.strange = 0
		return false
	}
	if d.strange += dt; d.strange < firstView {
		return false
	}
	d.learn(v)
	d.open, d.well = None, 0
	return true
}

func (d *Detector) verdict(started, ended bool) Verdict {
	v := Verdict{Kind: d.open, Started: started, Ended: ended}
	if d.open != None {
		v.ID = d.id
	}
	return v
}

// add counts for how long a thing lasts. It reports whether it is seen now.
func (s *suspicion) add(seen bool, dt time.Duration) bool {
	if seen {
		s.lasted += dt
		s.gone = 0
		return true
	}
	if s.gone += dt; s.gone > blink {
		s.lasted = 0
	}
	return false
}
