package encode

import (
	"math"
	"sync"
)

// Recorder cuts all frames of a Ring into parts of about a second, as a Cutter
// does those of events, beside it and out of the same memory: what a take is to
// the Ring is a clip to the Recorder.
//
// One goroutine, that of the frames, tells the time with Look; another one takes
// the parts with Next. Where that one falls behind by half of the ring's memory,
// frames are missing and counted (RingStats.Missed), and each time the number of one
// part is left out, so that nobody takes the film for whole.
type Recorder struct {
	ring *Ring

	mu  sync.Mutex
	now Moment
	cut End
	bad uint64

	going bool // within a take
	part  part // Next's own
}

// NewRecorder returns a Recorder over r, whose frames it completes by j. The ring
// keeps frames for it from now on.
func NewRecorder(r *Ring, j *JPEG) *Recorder {
	r.keep(0)
	return &Recorder{ring: r, part: part{jpeg: j, tell: true}}
}

// Look says when, on all clocks, a frame was seen. It allocates nothing.
func (r *Recorder) Look(now Moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
}

// Close ends the recording with the frames there are, and says why.
func (r *Recorder) Close(why End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = why
}

// Bad returns how many frames were left out: damaged, or the privacy masks could
// not be applied.
func (r *Recorder) Bad() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

func (r *Recorder) need(number uint64) { r.ring.keep(number) }

func (r *Recorder) leftOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad++
}

// Next returns the next part, or false when there is none yet: it is to be called
// again after more frames have been pushed. The Picture's Data is valid until the
// next call. The error is of a take that nothing can be made of; it goes on behind
// the frame that it began with.
func (r *Recorder) Next() (p Picture, ok bool, err error) {
	w := &r.part
	for {
		if !r.going {
			first, take, ok := r.ring.firstKey(w.number)
			if !ok {
				return Picture{}, false, nil
			}
			w.begin(plan{first: first, take: take, going: true, longest: math.MaxInt64})
			r.going = true
		}
		r.mu.Lock()
		w.plan.began, w.plan.cut = r.now, r.cut
		r.mu.Unlock()
		s, err := w.gather(r.ring, 0, r)
		if err != nil {
			r.going = false
			return Picture{}, false, err
		}
		if s == stepWait {
			return Picture{}, false, nil
		}
		r.going = s == stepPart
		if len(w.samples) > 0 {
			p := w.picture(s == stepLast)
			p.Kind, p.Cause, p.Clip.PreRoll = Recorded, 0, 0
			return p, true, nil
		}
	}
}

// Drop forgets the part that is being made, and overwrites it; what the ring
// holds is for Ring.Clear to forget. Next must not run meanwhile.
func (r *Recorder) Drop() {
	w := &r.part
	clear(w.buf[:cap(w.buf)])
	clear(w.frame[:cap(w.frame)])
	w.samples, w.buf, w.frame, w.pending = w.samples[:0], w.buf[:0], w.frame[:0], false
	r.going = false
}
