package recording

import (
	"errors"
	"io/fs"
	"time"
)

// walk goes through the records of a file.
type walk struct {
	file Reader
	at   int64 // behind the record that next gave
	size int64 // of the file that is good
	head [headSize]byte
}

// next returns the head of the next record, false when there is none that makes
// sense.
func (w *walk) next() (h head, ok bool) {
	if w.size-w.at < headSize {
		return h, false
	}
	if _, err := w.file.ReadAt(w.head[:], w.at); err != nil {
		return h, false
	}
	h, ok = parseHead(w.head[:])
	if !ok || h.after() > w.size-w.at-headSize {
		return h, false
	}
	w.at += headSize + h.after()
	return h, true
}

// data reads what belongs to the part that next gave.
func (w *walk) data(h *head) ([]byte, bool) {
	b := make([]byte, h.size)
	if _, err := w.file.ReadAt(b, w.at-h.after()); err != nil {
		return nil, false
	}
	return b, h.same(b)
}

func (w *walk) intact(h *head) bool {
	_, ok := w.data(h)
	return ok
}

// Now is one moment on the clocks of the boot that is running: parts of this boot
// whose wall clock was not known then are placed by it.
type Now struct {
	Boot [16]byte
	Wall time.Time
	Mono time.Duration
}

// place returns when something began by the wall clock, microseconds; false when
// nobody can say.
func (n *Now) place(boot [16]byte, taken, mono int64) (int64, bool) {
	if taken != 0 {
		return taken, true
	}
	at := n.Wall.UnixMicro() - (n.Mono.Microseconds() - mono)
	return at, boot == n.Boot && at > 0
}

// Item is a part of a span, in the order in which it was recorded, or a hole
// before the next one.
type Item struct {
	Part Part // Bytes as it was stored, nil in a hole and unless Bytes were wanted
	From time.Time
	To   time.Time
	Hole bool
	Why  Why
	Size int // bytes of the part
}

// hole is how much time may lie between two parts that nothing is missing
// between: a part ends with its last frame, and clocks are set.
const hole = 2 * time.Second

// yet is how long a part may take to be there.
const yet = 30 * time.Second

// Cursor reads a span of the recording. It may be slow: what is overwritten
// meanwhile becomes a hole.
type Cursor struct {
	store    *Store
	from, to int64
	now      Now
	bytes    bool

	walk   walk
	open   bool
	number uint64 // of the segment that is open, or was last
	high   uint64 // newest segment when the cursor was made

	at      int64 // up to where the span is told
	why     Why   // of a hole that begins there
	lastSeq uint64
	boot    [16]byte
	parts   bool // one was given
	held    *Item
	done    bool
}

// Read returns a cursor over what was recorded between two moments; with bytes
// the parts themselves too, else only what they are. Close it.
func (s *Store) Read(from, to time.Time, now Now, bytes bool) *Cursor {
	c := &Cursor{store: s, from: from.UnixMicro(), to: to.UnixMicro(), now: now, bytes: bytes, at: from.UnixMicro(), why: WhyNever}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.segments); n > 0 {
		c.high = s.segments[n-1].number
		if s.segments[0].number > 1 {
			c.why = WhyOver
		}
	}
	return c
}

// Close gives back what is open.
func (c *Cursor) Close() {
	if c.open {
		c.walk.file.Close()
		c.open = false
	}
}

// Next returns the next part or hole, false at the end of the span.
func (c *Cursor) Next() (Item, bool) {
	if it := c.held; it != nil {
		c.held = nil
		return *it, true
	}
	for !c.done {
		h, ok := c.record()
		if !ok {
			c.done = true
			break
		}
		if it, ok := c.judge(&h); ok {
			return it, true
		}
	}
	if c.to-c.at > hole.Microseconds() {
		if now := c.now.Wall.UnixMicro(); c.parts && c.why == WhyPower && c.boot == c.now.Boot && now-c.at < yet.Microseconds() {
			c.why = WhyYet
		}
		it := c.hole(c.to)
		c.at = c.to
		return it, true
	}
	return Item{}, false
}

// judge says what a record is to the span.
func (c *Cursor) judge(h *head) (Item, bool) {
	at, placed := c.now.place(h.boot, h.taken, h.mono)
	if h.kind == kindMark {
		if placed && at < c.to && at >= c.at-hole.Microseconds() {
			c.why = Why(min(h.size, uint32(whys)))
		}
		return Item{}, false
	}
	if h.kind != kindPart || !placed {
		return Item{}, false
	}
	if at >= c.to || at+h.length <= c.from {
		if at+h.length <= c.from { // what follows is a hole of its making
			c.follow(h)
		}
		return Item{}, false
	}
	it := Item{Part: h.part(), From: wall(at), To: wall(at + h.length), Size: int(h.size)}
	if c.bytes {
		b, ok := c.walk.data(h)
		if !ok {
			c.why = WhyDamaged
			return Item{}, false
		}
		it.Part.Bytes = b
	}
	missing := at-c.at > hole.Microseconds()
	var before Item
	if missing {
		if c.parts && c.boot == h.boot && h.seq > c.lastSeq+1 && c.why == WhyPower {
			c.why = WhyLimit
		}
		before = c.hole(at)
	}
	c.follow(h)
	c.parts, c.at = true, max(c.at, at+h.length)
	if missing {
		c.held = &it
		return before, true
	}
	return it, true
}

// follow notes what a hole behind h would be.
func (c *Cursor) follow(h *head) {
	c.why, c.boot, c.lastSeq = WhyPower, h.boot, h.seq
}

func (c *Cursor) hole(to int64) Item {
	return Item{Hole: true, From: wall(c.at), To: wall(to), Why: c.why}
}

func wall(us int64) time.Time { return time.UnixMicro(us).UTC() }

// record returns the next record of the segments that the span may be in.
func (c *Cursor) record() (head, bool) {
	for {
		if c.open {
			if h, ok := c.walk.next(); ok {
				return h, true
			}
			c.Close()
		}
		if !c.nextSegment() {
			return head{}, false
		}
	}
}

// nextSegment opens the next segment that the span may be in.
func (c *Cursor) nextSegment() bool {
	for {
		g, ok := c.choose()
		if !ok {
			return false
		}
		c.number = g.number
		f, err := c.store.conf.FS.Open(g.name())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.why = WhyOver
			continue
		case err != nil:
			c.why = WhyDamaged
			continue
		}
		c.walk, c.open = walk{file: f, size: g.size}, true
		return true
	}
}

// choose returns the next segment behind number that the span may be in.
func (c *Cursor) choose() (segment, bool) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.segments {
		g := s.segments[i]
		if g.number <= c.number || g.number > c.high || !c.meets(&s.segments[i]) {
			continue
		}
		return g, true
	}
	return segment{}, false
}

// meets reports whether a segment may have something of the span, or tell why
// there is nothing. A minute more is looked at on both sides.
func (c *Cursor) meets(g *segment) bool {
	const more = int64(time.Minute / time.Microsecond)
	from, to := g.from, g.to
	if at, ok := c.now.place(g.boot, 0, g.mono); ok {
		if from == 0 || at < from {
			from = at
		}
		to = max(to, at+g.end-g.mono)
	}
	return g.parts == 0 || from != 0 && from < c.to+more && to > c.from-more
}
