package encode

import (
	"fmt"
	"sync"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// Ring is the memory of what has just been seen: compressed frames of the last
// seconds, from which a clip takes the moment before its event. It is bounded in
// bytes and in time, and allocates nothing per frame: its memory grows to what
// the camera needs, at most to the bound, and stays.
//
// One goroutine pushes frames while another reads them: the ring is the queue
// between a camera that never waits and a disk that may be slow. Where the reader
// falls behind by all of its memory, the oldest frames are lost and counted.
//
// The frames of a Ring are in takes. A take is one camera in one format, and
// begins with a key frame; it ends where the camera is lost or its format
// changes. No clip goes over the end of a take.
type Ring struct {
	mu      sync.Mutex
	span    time.Duration
	pages   pages
	shots   []shot         // a circle: number n is at n % len
	oldest  uint64         // number of the oldest frame
	next    uint64         // number of the next frame
	wanted  uint64         // frames from this number on are wanted by the Cutter
	kept    uint64         // frames from this number on are wanted by the Recorder
	take    uint64         // of the next frame
	open    bool           // the take has frames, and may get more
	why     End            // why the take before ended
	waiting bool           // for a key frame
	seq     uint64         // Frame.Seq of the frame before
	params  *annexb.Params // of the take, nil while none are known; never changed, but replaced
	bare    time.Duration  // since when (Frame.Mono) frames come of which none could be kept for want of them
	isBare  bool           // there were some, and no parameter sets since
	count   RingStats
}

// shot is a frame in a Ring.
type shot struct {
	take   uint64
	mono   time.Duration
	format capture.Format
	light  capture.Light
	params *annexb.Params // H.264 and H.265 only
	key    bool
	first  int32 // page
	size   int   // bytes
}

// RingStats is what a Ring counted.
type RingStats struct {
	Frames  int           // in the ring now
	Span    time.Duration // that they reach back
	Bytes   int           // of memory that the ring has taken for frames
	Skipped uint64        // frames that nothing could be decoded from: no key frame before them, or too large
	Lost    uint64        // frames that a clip wanted and that had to go for want of memory
	Missed  uint64        // frames that the Recorder wanted, the same
	// Bare is how long frames of H.264 or H.265 have come without the parameter sets
	// that a decoder needs first, so that nothing can be made of them; 0 once those come.
	Bare time.Duration
}

// unwanted is Ring.wanted when nobody reads.
const unwanted = 1<<64 - 1

// NewRing returns a ring that holds frames of at most so many bytes, and those
// of the last span. It may hold frames up to one key frame interval older, and
// older ones that a clip still needs.
func NewRing(bytes int, span time.Duration) *Ring {
	return &Ring{span: span, pages: newPages(bytes), shots: make([]shot, 64), wanted: unwanted, kept: unwanted, waiting: true}
}

// Push copies f, a compressed frame, into the ring. Frames that nothing can be
// decoded from are skipped and counted: those of H.264 and H.265 that stand on a
// frame which is not there (after the start of a take, or behind a loss), up to
// the next key frame, and all before the first parameter sets. A frame of which
// only slices were lost is kept: a decoder fills the hole from the frame before, and
// one bad second shows more than none.
//
// The error is a *capture.BadFrame for a frame that is not what its format says.
func (r *Ring) Push(f *capture.Frame) error {
	info, codec, err := inspect(f)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open && r.oldest < r.next {
		if last := r.at(r.next - 1); f.Mono < last.mono {
			r.cut(EndCamera)
		} else if differ(f.Format, last.format) {
			r.cut(EndFormat)
		}
	}
	if info.Params {
		r.learn(codec, f.Data)
	}
	r.lacks(codec != 0 && r.params == nil, f.Mono)
	gap := r.open && f.Seq > r.seq+1
	r.seq = f.Seq
	r.waiting = r.waiting || gap
	if !info.Key && r.waiting || codec != 0 && r.params == nil || !r.makeRoom(len(f.Data)) || !info.Key && r.oldest == r.next {
		r.waiting = true
		r.count.Skipped++
		return nil
	}
	r.waiting, r.open = false, true
	r.append(shot{
		take: r.take, mono: f.Mono, format: f.Format, light: f.Light, params: r.params, key: info.Key,
		first: r.pages.put(f.Data), size: len(f.Data),
	})
	r.forget(f.Mono - r.span)
	return nil
}

// lacks notes since when frames come without parameter sets; at is Frame.Mono.
func (r *Ring) lacks(params bool, at time.Duration) {
	if params && (!r.isBare || at < r.bare) {
		r.bare = at
	}
	r.isBare, r.count.Bare = params, 0
	if params {
		r.count.Bare = at - r.bare
	}
}

// inspect tells whether decoding can begin with f. The codec is 0 for JPEG.
func inspect(f *capture.Frame) (info annexb.Info, codec annexb.Codec, err error) {
	if codec = CodecOf(f.Format.Pixel); codec == 0 {
		if f.Format.Pixel == capture.MJPEG {
			return annexb.Info{Key: true}, 0, nil
		}
		return info, 0, &capture.BadFrame{Reason: "unsupported", Err: fmt.Errorf("no clip can be made of %s frames", f.Format.Pixel)}
	}
	if info, err = annexb.Inspect(codec, f.Data); err == nil && info.Reordered {
		err = annexb.ErrReordered
	}
	if err != nil {
		return info, codec, &capture.BadFrame{Reason: string(err.(annexb.Error)), Err: err}
	}
	return info, codec, nil
}

// CodecOf returns the codec of compressed video, 0 for other frames.
func CodecOf(p capture.Pixel) annexb.Codec {
	switch p {
	case capture.H264:
		return annexb.H264
	case capture.H265:
		return annexb.H265
	}
	return 0
}

// learn takes the parameter sets of an access unit. Others than before end the
// take: a film has one set.
func (r *Ring) learn(codec annexb.Codec, data []byte) {
	if r.params != nil && r.params.Same(codec, data) {
		return
	}
	p := annexb.ParamsOf(codec, data)
	if r.params != nil {
		p = r.params.Merge(p)
	}
	if p.Complete(codec) {
		r.cut(EndFormat)
		r.params = &p
	}
}

// differ reports whether two frames cannot be in one clip.
func differ(a, b capture.Format) bool {
	return a.Pixel != b.Pixel || a.Width != b.Width || a.Height != b.Height
}

// Cut ends the take: no frames come for now, or others come. A clip that is
// being read ends here, and gives why as the reason.
func (r *Ring) Cut(why End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lacks(false, 0)
	r.cut(why)
}

func (r *Ring) cut(why End) {
	if r.open {
		r.take, r.open, r.why, r.waiting = r.take+1, false, why, true
	}
}

// Clear forgets every frame and ends the take. The memory is overwritten.
func (r *Ring) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lacks(false, 0)
	r.cut(EndCamera)
	for r.oldest < r.next {
		r.drop()
	}
	for _, s := range r.pages.slabs {
		clear(s)
	}
}

// Stats returns what was counted so far.
func (r *Ring) Stats() RingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.count
	s.Frames, s.Bytes = int(r.next-r.oldest), len(r.pages.next)*pageSize
	if s.Frames > 0 {
		s.Span = r.at(r.next-1).mono - r.at(r.oldest).mono
	}
	return s
}

// fill returns how much of the ring's memory wanted frames and others take, in
// thousandths of its bound.
func (r *Ring) fill() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (r.pages.most - r.pages.room()) * 1000 / r.pages.most
}

// start returns the number of the frame that a clip begins with whose first
// moment is at: the last key frame up to then or, when the ring does not reach
// back so far, its oldest one. From then on frames from that number on are kept.
// Without a key frame it is the next frame's number.
func (r *Ring) start(at time.Duration) (number, take uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number = r.next
	for n := r.next; n > r.oldest; n-- {
		s := r.at(n - 1)
		if s.take != r.take || !r.open {
			break
		}
		if s.key {
			number = n - 1
			if s.mono <= at {
				break
			}
		}
	}
	r.wanted = min(r.wanted, number)
	return number, r.take
}

// want says that frames from number on are needed, older ones no more.
func (r *Ring) want(number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = number
}

// keep says that the Recorder needs frames from number on.
func (r *Ring) keep(number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = number
}

// firstKey returns the first key frame from number on, false while there is none.
func (r *Ring) firstKey(number uint64) (n, take uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n = max(number, r.oldest); n < r.next; n++ {
		if s := r.at(n); s.key {
			return n, s.take, true
		}
	}
	return n, 0, false
}

// found is what reading a frame came to.
type found int

const (
	foundFrame found = iota
	foundLater       // it has not been pushed yet
	foundEnd         // the take ended before it
	foundLost        // it had to go; the next one that can be read is returned
)

// read fills s with frame number of the take, and appends its data to dst.
func (r *Ring) read(number, take uint64, s *shot, dst []byte) (data []byte, what found, next uint64, why End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case number < r.oldest:
		n := r.oldest
		for n < r.next && !r.at(n).key {
			n++
		}
		return dst, foundLost, n, 0
	case number < r.next && r.at(number).take == take:
		*s = *r.at(number)
		return r.pages.appendTo(dst, s.first, s.size), foundFrame, number + 1, 0
	case take < r.take:
		return dst, foundEnd, number, r.why
	}
	return dst, foundLater, number, 0
}

// makeRoom drops the oldest frames until size bytes fit. It reports false when
// they never do.
func (r *Ring) makeRoom(size int) bool {
	need := takes(size)
	if need > r.pages.most {
		return false
	}
	for r.pages.room() < need {
		r.drop()
	}
	// What stands on a frame that is gone is of no use, unless its reader has read that one.
	for r.oldest < r.next && !r.at(r.oldest).key && r.oldest != r.wanted && r.oldest != r.kept {
		r.drop()
	}
	return true
}

// forget drops what is older than since and wanted by nobody, as far as a key
// frame remains in front. What only the Recorder wants goes too when it takes half
// of the memory: a disk that has stopped must not cost clips their seconds.
func (r *Ring) forget(since time.Duration) {
	for {
		n := r.oldest + 1
		for n < r.next && !r.at(n).key {
			n++
		}
		if n >= r.next || n > r.wanted || r.at(n).take == r.take && r.at(n).mono > since {
			return
		}
		if n > r.kept && r.pages.room() > r.pages.most/2 {
			return
		}
		for r.oldest < n {
			r.drop()
		}
	}
}

// drop forgets the oldest frame.
func (r *Ring) drop() {
	if r.oldest >= r.wanted {
		r.count.Lost++
		r.wanted = r.oldest + 1
	}
	if r.oldest >= r.kept {
		r.count.Missed++
		r.kept = r.oldest + 1
	}
	r.pages.release(r.at(r.oldest).first)
	r.oldest++
}

// append adds a frame, for which the circle grows when it has to.
func (r *Ring) append(s shot) {
	if n := r.next - r.oldest; n == uint64(len(r.shots)) {
		more := make([]shot, 2*n)
		for i := r.oldest; i < r.next; i++ {
			more[i%(2*n)] = r.shots[i%n]
		}
		r.shots = more
	}
	*r.at(r.next) = s
	r.next++
}

func (r *Ring) at(number uint64) *shot { return &r.shots[number%uint64(len(r.shots))] }
