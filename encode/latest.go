package encode

import "time"

// Bounds of a part of live view: it ends in front of the first key frame that is
// viewShortest behind its own, at the latest after viewLongest.
const (
	viewShortest = 250 * time.Millisecond
	viewLongest  = 2 * time.Second
	viewClock    = time.Hour // decode times begin again at 0 behind that

	// LatestSpan is how far a Ring reaches back that is for live view alone.
	LatestSpan = 2 * viewLongest
)

// Latest makes parts of live view out of a Ring of H.264 or H.265: each is a whole
// fragmented MP4 of the newest group of pictures, or of what there is of it after
// two seconds. The frames behind those go to nobody, up to the next key frame, and so
// do the groups for which nobody had time. The decode times of parts of one take
// count from one moment, for an hour, so that those that follow each other play on.
//
// Nothing is kept in the ring for it. One goroutine uses it at a time.
type Latest struct {
	ring  *Ring
	part  part
	next  uint64 // number of the first frame that was in no part
	begun bool   // part is in its plan's take
}

// NewLatest returns what makes live view of r.
func NewLatest(r *Ring) *Latest { return &Latest{ring: r, part: part{jpeg: new(JPEG)}} }

// Next returns the newest part that is whole and was not given before, false when
// there is none. Its frames are as many as have so many bytes, but at least the key
// frame. now says when a frame was seen. The Picture's Data is valid until the next
// call. The error is of a format that no part can be made of.
func (l *Latest) Next(now Moment, bytes int) (p Picture, ok bool, err error) {
	first, end, ok := l.ring.latest(l.next)
	if !ok {
		return Picture{}, false, nil
	}
	w, take := &l.part, first.take
	if !l.begun || take != w.plan.take || first.mono-w.zero > viewClock {
		w.begin(plan{first: first.number, take: take})
		l.begun = true
	}
	w.plan.began, w.number, w.pending = now, first.number, false
	w.samples, w.buf = w.samples[:0], w.buf[:min(len(w.buf), w.media)]
	l.next = end
	for media := 0; ; {
		var what found
		w.frame, what, w.number, _ = l.ring.read(w.number, take, &w.shot, w.frame[:0])
		if what != foundFrame {
			break // it had to go meanwhile, or the take ended
		}
		n := len(w.samples)
		if media += w.shot.size; n > 0 && (w.number > end || media > bytes || n == partFrames || media > partHard) {
			w.pending = true // it only says when the one before it ends
			break
		}
		good, err := w.add()
		if err != nil {
			l.begun = false
			return Picture{}, false, err
		}
		if !good {
			break
		}
	}
	if len(w.samples) == 0 {
		return Picture{}, false, nil
	}
	p = w.picture(false)
	p.Kind, p.Cause, p.Part, p.Clip = Viewed, CauseWatch, 0, Clip{Length: p.Clip.Length}
	return p, true, nil
}

// Drop forgets the part that was made last, and overwrites it; what the ring holds
// is for Ring.Clear to forget.
func (l *Latest) Drop() {
	w := &l.part
	clear(w.buf[:cap(w.buf)])
	clear(w.frame[:cap(w.frame)])
	w.samples, w.buf, w.frame, w.shot = w.samples[:0], w.buf[:0], w.frame[:0], shot{}
	l.begun = false
}

// opening is the frame that a part of live view begins with.
type opening struct {
	number, take uint64
	mono         time.Duration
}

// latest returns the first frame of the newest part of live view, and the number of
// the frame behind its last; false while there is none from number from on.
func (r *Ring) latest(from uint64) (first opening, end uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open || r.oldest == r.next {
		return opening{}, 0, false
	}
	newest := r.at(r.next - 1)
	end = r.next
	until := newest.mono // of what may be in a part
	for n, key := r.next, false; n > max(from, r.oldest); n-- {
		s := r.at(n - 1)
		if s.take != newest.take {
			break
		}
		if !s.key {
			continue
		}
		if until-s.mono >= viewLongest || key && until-s.mono >= viewShortest {
			return opening{n - 1, s.take, s.mono}, r.within(n-1, end), CodecOf(s.format.Pixel) != 0
		}
		if !key {
			end, until, key = n-1, s.mono, true
		}
	}
	return opening{}, 0, false
}

// within returns the number of the first frame from first on that is viewLongest
// behind it, at most end.
func (r *Ring) within(first, end uint64) uint64 {
	for n := first + 1; n < end; n++ {
		if r.at(n).mono-r.at(first).mono >= viewLongest {
			return n
		}
	}
	return end
}
