package encode

import (
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// Bounds of a part. It ends in front of the first key frame behind partLength or
// partSoft; where none comes, the clip ends at partHard, which still fits into a
// sealed message.
const (
	partLength = time.Second
	partSoft   = 2 << 20
	partHard   = 7 << 20
	partFrames = 2048
)

// lastFor is how long the last frame of a clip is shown when it is the only one.
const lastFor = 40 * time.Millisecond

// part is the part that is being made, and where its clip stands. Only the
// goroutine of Next touches it.
type part struct {
	jpeg *JPEG
	tell bool // that frames were lost leaves out the number of a part
	plan plan // as of the last Next; event 0 for none

	number uint64        // of the next frame
	count  uint32        // parts given out
	zero   time.Duration // Frame.Mono of the clip's first frame
	tick   uint64        // of the last sample
	head   []byte        // ftyp and moov; nil before the clip's first frame
	format capture.Format
	ended  End
	torn   bool // frames were lost in front of the next one

	first   shot          // the part's first frame
	last    time.Duration // Frame.Mono of its last one
	period  time.Duration // between the clip's last two frames
	samples []sample
	buf     []byte // room for head and fragment, then media
	media   int    // where media begins in buf

	shot    shot   // the frame that was read last
	frame   []byte // its data
	pending bool   // it stands in no part yet
}

// begin turns to a clip.
func (w *part) begin(p plan) {
	w.plan, w.number, w.count, w.ended, w.head, w.pending = p, p.first, 0, EndWhole, nil, false
	w.samples, w.buf, w.tick, w.period, w.torn = w.samples[:0], w.buf[:0], 0, 0, false
}

// step is what gathering frames came to.
type step int

const (
	stepWait step = iota // no more frames for now
	stepPart             // the part is whole
	stepLast             // so is the clip
)

// Next returns the next part of the clip that is being cut, or false when there
// is none yet: it is to be called again after more frames have been pushed. The
// Picture's Data is valid until the next call.
//
// The error is of a clip that cannot be made; that clip is given up, and the
// next call goes on with the one behind it.
func (c *Cutter) Next() (p Picture, ok bool, err error) {
	w := &c.part
	for {
		plan, now, planned := c.plan()
		if plan.event != w.plan.event {
			w.begin(plan)
		}
		if !planned {
			return Picture{}, false, nil
		}
		w.plan = plan
		s, err := w.gather(c.ring, now, c)
		switch {
		case err != nil:
			c.done(plan.event)
			return Picture{}, false, err
		case s == stepWait:
			return Picture{}, false, nil
		case s == stepLast:
			c.done(plan.event)
		}
		if len(w.samples) > 0 {
			return w.picture(s == stepLast), true, nil
		}
	}
}

// reader is whose part it is.
type reader interface {
	need(number uint64) // frames before number are not needed any more
	leftOut()           // a frame could not be put into the part
}

// gather puts frames of the ring into the part until it is whole or there are no
// more.
func (w *part) gather(ring *Ring, now time.Duration, by reader) (step, error) {
	for {
		if !w.pending {
			var what found
			var next uint64
			w.frame, what, next, w.ended = ring.read(w.number, w.plan.take, &w.shot, w.frame[:0])
			switch {
			case what == foundEnd:
				return stepLast, nil
			case what == foundLater && w.over(now):
				return stepLast, nil
			case what == foundLater:
				return stepWait, nil
			}
			w.number, w.pending = next, what == foundFrame
			w.torn = w.torn || what == foundLost && w.head != nil
			by.need(w.number)
			if what == foundLost && len(w.samples) > 0 {
				return stepPart, nil
			}
			continue
		}
		if s := w.judge(); s != stepWait {
			return s, nil
		}
		w.pending = false
		good, err := w.add()
		if err != nil {
			return stepLast, err
		}
		if !good {
			by.leftOut()
		}
	}
}

// over reports whether no frame will come any more, and why.
func (w *part) over(now time.Duration) bool {
	switch p := &w.plan; {
	case p.cut != EndWhole:
		w.ended = p.cut
	case !p.going && now > p.end+partLength:
		w.ended = EndWhole
	case now-p.start > p.longest:
		w.ended = EndNoKey
	default:
		return false
	}
	return true
}

// judge says whether the frame that was read ends the part before it: stepWait
// if it is part of it.
func (w *part) judge() step {
	s, n := &w.shot, len(w.samples)
	switch {
	case !w.plan.going && s.mono > w.plan.end:
		return stepLast
	case w.head != nil && s.mono-w.zero >= w.plan.longest:
		w.ended = EndLongest
		return stepLast
	case n > 0 && s.key && (s.mono-w.first.mono >= partLength || len(w.buf)-w.media+s.size > partSoft):
		return stepPart
	case n == partFrames || len(w.buf)-w.media+s.size > partHard:
		w.ended = EndNoKey
		return stepLast
	}
	return stepWait
}

// add puts the frame that was read into the part, and reports false for one that
// cannot be. Frames that do not decode alone are passed over in front of a part's
// first key frame.
func (w *part) add() (good bool, err error) {
	s := &w.shot
	if len(w.samples) == 0 && !s.key {
		return true, nil
	}
	if w.head == nil {
		if w.head, err = movieHead(s.format, s.params); err != nil {
			return false, err
		}
		w.zero, w.last, w.format, w.media = s.mono, s.mono, s.format, len(w.head)+fragmentSize(partFrames)
	}
	if len(w.buf) < w.media {
		w.buf = append(w.buf[:0], make([]byte, w.media)...)
	}
	size := len(w.buf)
	if !w.append() {
		return false, nil
	}
	if len(w.samples) == 0 {
		if w.first = *s; w.torn && w.tell {
			w.count++
		}
		w.torn = false
	} else {
		w.period = s.mono - w.last
	}
	at := ticks(s.mono - w.zero)
	if w.count > 0 || len(w.samples) > 0 { // no two frames at once
		at = max(at, w.tick+1)
	}
	w.tick, w.last = at, s.mono
	w.samples = append(w.samples, sample{at: at, size: len(w.buf) - size, key: s.key})
	return true, nil
}

// append appends the frame that was read to buf, in the form that MP4 wants.
func (w *part) append() bool {
	f := capture.Frame{Format: w.shot.format, Data: w.frame}
	codec := CodecOf(f.Format.Pixel)
	if codec == 0 {
		var err error
		w.buf, _, _, err = w.jpeg.Append(w.buf, &f)
		return err == nil
	}
	if len(w.samples) == 0 {
		// A part plays alone, also for players that go by what is in the stream.
		if own := annexb.ParamsOf(codec, f.Data); !own.Complete(codec) {
			w.buf = w.shot.params.AppendSized(w.buf)
		}
	}
	w.buf = annexb.AppendSized(w.buf, codec, f.Data)
	return true
}

// ticks converts a time to Timescale, rounded.
func ticks(d time.Duration) uint64 {
	const nine = 9 * time.Second / Timescale // a whole number of nanoseconds
	return uint64((max(0, d)*9 + nine/2) / nine)
}

// length is the inverse of ticks.
func length(ticks uint64) time.Duration {
	return time.Duration(ticks) * time.Second / Timescale
}

// picture makes the Picture of the part, and room for the next one.
func (w *part) picture(last bool) Picture {
	end := w.tick + max(1, ticks(w.period))
	if w.period <= 0 {
		end = w.tick + ticks(lastFor)
	}
	if !last && w.pending {
		end = max(w.tick+1, ticks(w.shot.mono-w.zero))
	}
	n := len(w.samples)
	start := w.media - fragmentSize(n) - len(w.head)
	front := append(w.buf[start:start], w.head...)
	appendFragment(front, w.count+1, w.samples, end, len(w.buf)-w.media)
	ago := w.plan.began.Frame - w.first.mono
	pic := Picture{
		Kind: ClipPart, Media: "video/mp4", Data: w.buf[start:], Width: w.format.Width, Height: w.format.Height,
		Taken: w.plan.began.Wall.Add(-ago), Mono: max(0, w.plan.began.Mono-ago),
		Cause: CauseMotion, Light: w.first.light, Event: w.plan.event, Part: w.count, Last: last,
		Clip: Clip{PreRoll: max(0, w.plan.start-w.zero), Also: w.plan.also, Length: length(end - w.samples[0].at)},
	}
	if last {
		pic.Clip.Ended = w.ended
	}
	w.count++
	w.samples, w.buf = w.samples[:0], w.buf[:w.media]
	return pic
}
